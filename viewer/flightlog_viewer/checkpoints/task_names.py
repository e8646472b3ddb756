"""The nodes that tasks belong to, from the paths in their rows or from their ids."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Protocol

from flightlog_viewer.checkpoints import channels
from flightlog_viewer.checkpoints.channels import Triggers
from flightlog_viewer.checkpoints.model import TaskKind
from flightlog_viewer.checkpoints.opened import Opened
from flightlog_viewer.checkpoints.task_ids import HANDLER, TaskIds

PULL = "~__pregel_pull, "
PUSH = "~__pregel_push, "
CALL = "~__pregel_push, ~"
UPDATE = "~__interrupt__"
UNNAMED = "(task)"
"""A `@task` call whose name no row holds: names of calls are stored only once the entrypoint has finished."""
_CALLED = ("0000000001", "True")
"""What ends the path of a call: True, which is written as a number."""
_MOST_CALLS = 50
"""Calls inside one another; a crafted path could hold any number of them."""


class Named(Protocol):
    """The rows of one task."""

    task_id: str
    path: str


class TaskNames:
    """Finds each task's node, from the path in its rows (`langgraph.pregel._algo`, `task_path_str`) or from its id."""

    def __init__(self, opened: Opened, due: Sequence[str], known: Triggers, rows: Iterable[Named]) -> None:
        self._opened = opened
        self.checkpoint_ns = opened.row.key.checkpoint_ns
        self._due = due
        self._known = known
        self._rows = rows
        waiting = opened.values.get(channels.SENDS)
        self._sent = [str(send.get("node")) for send in channels.sends(waiting)] if waiting else []

    def sends(self) -> dict[str, str]:
        """Task id to node of the Sends that wait, in their order."""
        return {self._ids.send(node, index): node for index, node in enumerate(self._sent)}

    def name(self, task_id: str, path: str) -> tuple[str, TaskKind]:
        """The node and the kind of a task."""
        if HANDLER in path and HANDLER in (parts := path.split(", ")):
            failed = self._by_path.get(", ".join(parts[: parts.index(HANDLER)]), "")
            name = self._ids.handler_name(task_id, failed, self._known.names)
            return name or path.removeprefix(PULL).partition(", ")[0], "error_handler"
        if path.startswith(PULL):
            return path[len(PULL) :], "pull"
        if path.startswith(UPDATE):
            return self._by_id(task_id) or ("update_state", "update")
        if path.startswith(CALL):
            return self._called(task_id, path) or UNNAMED, "call"
        if path.startswith(PUSH):
            index = _number(path[len(PUSH) :].partition(", ")[0])
            return (self._sent[index] if 0 <= index < len(self._sent) else "(send)"), "push"
        return self._by_id(task_id) or ("(unknown)", "other")

    def own_channel(self, node: str) -> str | None:
        """The channel by which a node of an old graph triggers what follows it."""
        return node if self._opened.version < channels.EDGES_BY_TARGET else None

    @cached_property
    def _ids(self) -> TaskIds:
        key = self._opened.row.key
        return TaskIds(key.checkpoint_ns, key.checkpoint_id, self._opened.step, self._opened.version)

    @cached_property
    def _by_path(self) -> dict[str, str]:
        return {row.path: row.task_id for row in self._rows if row.path}

    def _by_id(self, task_id: str) -> tuple[str, TaskKind] | None:
        if (node := self._ids.sent_name(task_id, self._sent)) is not None:
            return node, "push"
        # A node that has never ended is in no `versions_seen`: what made it due triggers it.
        due = {node: channels.triggers_of(node, self._opened.versions) for node in self._due}
        for triggers in (self._known.triggers, due):
            if (node := self._ids.pulled_name(task_id, triggers)) is not None:
                return node, "pull"
        return None

    def _called(self, task_id: str, path: str) -> str | None:
        """The name of a `@task` call; its path is the caller's path, the number of the call, and True."""
        if path.count(PUSH) > _MOST_CALLS:
            return None
        caller, _, rest = path[len(PUSH) :].rpartition(", ")
        caller, _, number = caller.rpartition(", ")
        if rest not in _CALLED or _number(number) < 0:
            return None
        caller_id = self._by_path.get(caller)
        caller_name, _ = self.name(caller_id or "", caller)
        if caller_id is None:  # a caller still at work has left no row
            caller_id = self._ids.pull(caller_name, [channels.START])
        namespace = self._ids.below(caller_name, caller_id)
        return self._ids.called_name(task_id, caller, _number(number), namespace, self._known.names)


def _number(text: str) -> int:
    """A number in a task path, which has ten digits; -1 for anything else."""
    return int(text) if text.isdecimal() and len(text) < 20 else -1
