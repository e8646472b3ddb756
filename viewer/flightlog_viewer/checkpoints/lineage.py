"""Who wrote what on the way from one checkpoint of a thread to another, of its branch or of another one."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flightlog_viewer.checkpoints.model import Step
from flightlog_viewer.checkpoints.state_diff import Change


class _Made(NamedTuple):
    parent: str | None
    writers: Mapping[str, Sequence[str]]


class Lineage:
    """The parents of checkpoints, and who made each. Holds no states: a history may be long."""

    def __init__(self) -> None:
        self._made: dict[str, _Made] = {}

    def add(self, step: Step) -> None:
        """One more checkpoint, in any order."""
        self._made[step.checkpoint_id] = _Made(step.parent_checkpoint_id, step.writers)

    def changes(self, before: Step, after: Step) -> list[Change] | None:
        """How the states of two steps differ, each change with the nodes that wrote its channel on the way.

        The way leads from the last checkpoint that both come from, so between two branches along both. None where the
        one state or the other cannot be read.
        """
        return after.changes_since(before, self._writers(before, after))

    def _writers(self, before: Step, after: Step) -> dict[str, list[str]]:
        back, ahead = self._ancestors(before.checkpoint_id), self._ancestors(after.checkpoint_id)
        way = [name for name in (*reversed(back), *reversed(ahead)) if (name in back) != (name in ahead)]
        writers: dict[str, dict[str, None]] = {}
        for name in way:
            for channel, nodes in self._made[name].writers.items():
                writers.setdefault(channel, {}).update(dict.fromkeys(nodes))
        return {channel: list(nodes) for channel, nodes in writers.items()}

    def _ancestors(self, checkpoint_id: str) -> dict[str, None]:
        """A checkpoint and those it comes from, newest first, as far as they are there."""
        found: dict[str, None] = {}
        at: str | None = checkpoint_id
        while at in self._made and at not in found:
            found[at] = None
            at = self._made[at].parent
        return found
