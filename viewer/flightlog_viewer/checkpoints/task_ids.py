"""Names of tasks whose rows do not carry one, found by trying which name gives the task's id.

A task id is the hash of where the task stands: checkpoint, namespace, step, name, and how it came to be
(`langgraph.pregel._algo`, `prepare_single_task` and its siblings). A candidate that gives the id is the name.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha1
from uuid import UUID, uuid5

from xxhash import xxh3_128_hexdigest

_PUSH = "__pregel_push"
_PULL = "__pregel_pull"
HANDLER = "node_error_handler"


@lru_cache(maxsize=8)
def update_id(checkpoint_id: str) -> str | None:
    """The id in whose name an older LangGraph writes what `update_state` sets, without a path (`bulk_update_state` in
    `langgraph.pregel`)."""
    try:
        return str(uuid5(UUID(checkpoint_id), "__interrupt__"))
    except ValueError:
        return None


class TaskIds:
    """Computes the ids of one checkpoint's tasks."""

    def __init__(self, checkpoint_ns: str, checkpoint_id: str, step: int | None, version: int) -> None:
        self._ns = checkpoint_ns
        self._version = version
        self._step = str((-1 if step is None else step) + 1)
        try:
            self._seed = bytes.fromhex(checkpoint_id.replace("-", ""))
        except ValueError:
            self._seed = b""

    def pull(self, node: str, triggers: Sequence[str]) -> str:
        """The id of a node's task, from the channels that trigger the node."""
        return self._hash(self._below(node), node, _PULL, *sorted(triggers))

    def send(self, node: str, index: int) -> str:
        """The id of the task of the Send with this index."""
        return self._hash(self._below(node), node, _PUSH, str(index))

    def handler_name(self, task_id: str, failed_task_id: str, names: Iterable[str]) -> str | None:
        """The error handler that ran for a failed task."""
        for name in names:
            if self._is(task_id, self._below(name), name, _PUSH, HANDLER, failed_task_id):
                return name
        return None

    def pulled_name(self, task_id: str, triggers: Mapping[str, Iterable[str]]) -> str | None:
        """The node with this task id, from each node's triggers."""
        for node, channels in triggers.items():
            known = sorted(set(channels))
            for candidate in (known, [f"branch:to:{node}"], ["__start__"]):
                if candidate and self._is(task_id, self._below(node), node, _PULL, *candidate):
                    return node
        return None

    def sent_name(self, task_id: str, nodes: Sequence[str]) -> str | None:
        """The node with this task id among those that Sends wait for."""
        for index, node in enumerate(nodes):
            if self._is(task_id, self._below(node), node, _PUSH, str(index)):
                return node
        return None

    def called_name(
        self, task_id: str, caller_path: str, index: int, caller_namespace: str, names: Iterable[str]
    ) -> str | None:
        """The `@task` that a task called; `index` counts the caller's calls."""
        for name in names:
            if self._is(task_id, f"{caller_namespace}|{name}", name, _PUSH, caller_path, str(index)):
                return name
        return None

    def below(self, node: str, task_id: str) -> str:
        """The namespace in which a task of this checkpoint runs."""
        return f"{self._below(node)}:{task_id}"

    def _below(self, node: str) -> str:
        return f"{self._ns}|{node}" if self._ns else node

    def _is(self, task_id: str, namespace: str, name: str, *parts: str) -> bool:
        text = self._text(namespace, name, *parts)
        # Until early 2025 ids were SHA-1 (`_uuid5_str`), whichever of the first two versions the checkpoint names.
        return _id(xxh3_128_hexdigest(text)) == task_id or (
            self._version < 3 and _id(sha1(text, usedforsecurity=False).hexdigest()) == task_id
        )

    def _hash(self, namespace: str, name: str, *parts: str) -> str:
        return _id(xxh3_128_hexdigest(self._text(namespace, name, *parts)))

    def _text(self, namespace: str, name: str, *parts: str) -> bytes:
        return self._seed + "".join((namespace, self._step, name, *parts)).encode("utf-8", "surrogatepass")


def _id(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"
