"""The names of LangGraph's channels, and which nodes they make due.

A node is due when a channel that triggers it holds a value newer than the node has seen. In a StateGraph the names of
the channels say which node that is (`langgraph.graph.state`, `attach_node`, `attach_edge`); elsewhere (functional API,
hand-made Pregel graphs) `versions_seen` and the rows of tasks tell it for nodes that have run.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from flightlog_viewer.checkpoints.inert import TYPE, Inert

SENDS = "__pregel_tasks"
EDGES_BY_TARGET = 3
"""The version of checkpoints from which on the channel of an edge bears the name of the node that it leads to."""
SENDS_IN_STATE = 4
"""The version of checkpoints from which on Sends wait in that channel."""
START = "__start__"
END = "__end__"
PREVIOUS = "__previous__"
RETURN = "__return__"
ERROR = "__error__"
ERROR_SOURCE = "__error_source_node__"
INTERRUPT = "__interrupt__"
RESUME = "__resume__"
NULL_TASK = "00000000-0000-0000-0000-000000000000"
CONTROL = frozenset({ERROR, ERROR_SOURCE, INTERRUPT, RESUME})
"""Channels of rows that say what happened to a task; any other row is output and means that the task finished."""

_BRANCH = "branch:to:"
_JOIN = "join:"
_NOT_NODES = frozenset({"__input__", INTERRUPT, "__snapshot_bumps__"})


@lru_cache(maxsize=4096)
def is_state(channel: str) -> bool:
    """Whether a channel belongs to the application's state and not to the engine."""
    if channel.startswith("__") and channel.endswith("__"):
        return channel in {"__root__", END, PREVIOUS}
    return channel != SENDS and not channel.startswith((_BRANCH, _JOIN)) and not _old_trigger(channel)


def is_engine_list(channel: str) -> bool:
    """Whether a channel holds a list of what the engine waits for: Sends, or the nodes that a join has met."""
    return channel == SENDS or channel.startswith(_JOIN)


def routed_to(channel: str) -> str | None:
    """The node that a write to this channel makes due, None for any other channel."""
    return channel[len(_BRANCH) :] if channel.startswith(_BRANCH) else None


def triggers_of(node: str, channels: Iterable[str]) -> set[str]:
    """The channels that trigger a node of a StateGraph, by their names; a join counts once it has been written to."""
    return {f"{_BRANCH}{node}", *(channel for channel in channels if _target(channel) == node)}


def sends(value: Inert) -> list[Mapping[str, Inert]]:
    """The Sends waiting in the engine's channel for them, in their order."""
    return [
        item
        for item in (value if isinstance(value, list) else [])
        if isinstance(item, dict) and item.get(TYPE) == "langgraph.types.Send"
    ]


class Triggers:
    """What is known about one namespace's nodes and the channels that trigger them; it learns as steps go by."""

    def __init__(self) -> None:
        self.triggers: dict[str, set[str]] = {}
        """Node to the channels that trigger it, as far as they are known."""
        self._nodes: dict[str, list[str]] = {}
        """The same the other way round."""
        self.functional = False
        """The namespace runs an `@entrypoint`: its one node is triggered by the input itself."""

    def learn(self, seen: Mapping[str, Mapping[str, Inert]]) -> None:
        """Take in a checkpoint's `versions_seen`."""
        for node, channels in seen.items():
            known = self.triggers.get(node)
            # Entries only grow: one of the known size is known, which is so in nearly every checkpoint.
            if (known is not None and len(known) == len(channels)) or node in _NOT_NODES:
                continue
            known = self.triggers.setdefault(node, set())
            for channel in channels:
                if (not channel.startswith("__") or channel == START) and channel not in known:
                    known.add(channel)
                    self._nodes.setdefault(channel, []).append(node)
            self.functional = self.functional or (START in known and node != START)

    @property
    def names(self) -> Iterable[str]:
        """Every name of a node or task that has been seen."""
        return self.triggers

    def due(
        self,
        values: Mapping[str, Inert],
        versions: Mapping[str, Inert],
        seen: Mapping[str, Mapping[str, Inert]],
        ran: Iterable[str] = (),
    ) -> list[str]:
        """Nodes due by their channels, by name; Sends are not among them.

        `ran` are the nodes of tasks with rows at this checkpoint: they name a node whose channels do not.
        """
        nodes: set[str] = set()
        for channel in versions:
            if channel not in values:
                continue
            for node in self._triggered(channel, ran):
                if _available(channel, values[channel]) and _newer(channel, versions, seen.get(node)):
                    nodes.add(node)
        return sorted(nodes)

    def _triggered(self, channel: str, ran: Iterable[str]) -> Iterable[str]:
        node = _target(channel)
        if node is not None:
            return (node,)
        known = self._nodes.get(channel, ())
        if channel == START and not known:
            others = [name for name in ran if name != START]
            self.functional = self.functional or bool(others)
            return others or (START,)
        return known


@lru_cache(maxsize=4096)
def _target(channel: str) -> str | None:
    """The node that a channel's name says it triggers."""
    return routed_to(channel) or _join_target(channel) or _old_trigger(channel)


def _join_target(channel: str) -> str | None:
    return channel.rsplit(":", 1)[1] if channel.startswith(_JOIN) and channel.count(":") > 1 else None


def _old_trigger(channel: str) -> str | None:
    """Channel layouts of graphs before checkpoint version 3: `start:NODE` and `branch:SOURCE:CONDITION:NODE`."""
    if channel.startswith("start:"):
        return channel[len("start:") :]
    if channel.startswith("branch:") and channel.count(":") == 3:
        return channel.rsplit(":", 1)[1]
    return None


def _available(channel: str, value: Inert) -> bool:
    """Whether a stored trigger counts: a deferred node's channel must be released, another join must be complete."""
    if not channel.startswith((_BRANCH, _JOIN)):
        return True
    if isinstance(value, list) and len(value) == 2 and isinstance(value[1], bool):
        return value[1]  # LangGraph releases a deferred join only when it is complete
    return not channel.startswith(_JOIN) or _complete(channel, value)


def _complete(channel: str, value: Inert) -> bool:
    items = value.get("items") if isinstance(value, dict) else None
    names: Sequence[Inert] = items if isinstance(items, list) else ()
    sources = channel[len(_JOIN) :].rsplit(":", 1)[0]
    # A node's name may hold a "+": comparing lengths stays right where splitting would not.
    return bool(names) and sum(len(str(name)) + 1 for name in names) - 1 == len(sources)


def _newer(channel: str, versions: Mapping[str, Inert], seen: Mapping[str, Inert] | None) -> bool:
    if seen is None:
        return True
    version, known = versions[channel], seen.get(channel)
    if known is None:
        return bool(version)
    if type(version) is type(known) and isinstance(version, str | int | float):
        return bool(version > known)
    return str(version) > str(known)  # a database written with two kinds of version
