"""What is kept of a step that has been passed, in order to tell what became of what it asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from flightlog_viewer.approvals.asker import agent_in
from flightlog_viewer.approvals.decisions import classify, risk_score, said_in
from flightlog_viewer.checkpoints.inert import Inert
from flightlog_viewer.checkpoints.model import Step
from flightlog_viewer.checkpoints.sameness import same

Key: TypeAlias = tuple[str, str]
"""A checkpoint by its namespace and id."""


@dataclass(slots=True)
class Place:
    """One step."""

    ts: str | None
    parent_id: str | None
    source: str | None
    next: tuple[str, ...]
    resumed: bool
    asks: bool
    failed: bool
    """A task of it ended with an error."""
    risk: float | None
    update: Mapping[str, Inert]
    """What an update_state said here: what it wrote and thereby changed, by channel; or the input that was given."""
    by_hand: Mapping[str, Inert]
    """What the first update_state after this step wrote, until that is reached: of others the rows tell nothing."""
    said: Mapping[str, str]
    """What the metadata of the run that made it says of a decision."""
    agent: str | None
    """Of which agent it is."""
    state: tuple[Mapping[str, Inert], Mapping[str, Inert]] | None
    """The state before this step and at it, as long as nothing follows."""
    made: Mapping[str, Inert] = field(default_factory=dict)
    """What the step before wrote, where somebody may have looked at it: the run did not simply go on."""

    def followed_by(self, step: Step) -> None:
        """Take note of a checkpoint that was made from this one: states are large, and kept for the newest alone."""
        if step.source != "loop" or step.resumed_from_parent:
            self.made = self.proposed
        self.state = None

    @property
    def proposed(self) -> Mapping[str, Inert]:
        """What the step before wrote, such as a plan or the calls of a model: what is about to be carried out."""
        return self.made if self.state is None else _new_in(*self.state)


Places: TypeAlias = Mapping[Key, Place]
Followers: TypeAlias = Mapping[Key, Sequence[Key]]
"""A checkpoint to those that were made from it, oldest first."""


def place_of(step: Step, parent: Place | None, asks: bool) -> Place:
    """What is kept of a step; ``asks`` says whether it asked a human."""
    update: Mapping[str, Inert] = {}
    if parent is not None:
        parent.followed_by(step)
    if step.source == "update":
        update = _update(step, parent.by_hand if parent else {})
        if parent is not None:
            parent.by_hand = {}
    elif step.source == "input" and isinstance(given := step.channels.get("__start__"), Mapping):
        update = given
    return Place(
        ts=step.ts,
        parent_id=step.parent_checkpoint_id,
        source=step.source,
        next=tuple(step.next),
        resumed=step.resumed_from_parent,
        asks=asks,
        failed=any(task.error is not None and not task.error_handled for task in step.tasks),
        risk=risk_score(step.values),
        update=update,
        by_hand={
            channel: value
            for task in step.tasks
            if task.by_update or task.kind == "update"
            for channel, value in task.writes.items()
        },
        said=said_in(step.metadata),
        agent=agent_in(step.metadata),
        state=(step.before, step.values) if step.source == "loop" and parent is not None else None,
    )


def followers_of(places: Places) -> Followers:
    """The checkpoints that were made from each."""
    found: dict[Key, list[Key]] = {}
    for namespace, name in sorted(places):
        parent = places[namespace, name].parent_id
        if parent is not None:
            found.setdefault((namespace, parent), []).append((namespace, name))
    return found


def _update(step: Step, written: Mapping[str, Inert]) -> Mapping[str, Inert]:
    """What an update_state changed, as it was written: of a conversation the new messages, not all of them.

    What was so before counts too where it is the verdict, or where nothing changed: `approved` may begin as false.
    """
    changed = {channel: value for channel, value in step.values.items() if not same(step.before.get(channel), value)}
    if not changed.keys() <= written.keys():  # the rows are not those of this update
        return changed
    said = {channel: value for channel, value in written.items() if channel in changed}
    return written if not said or (classify(said) == "other" and classify(written) != "other") else said


def _new_in(before: Mapping[str, Inert], values: Mapping[str, Inert]) -> Mapping[str, Inert]:
    """What a step wrote, by channel: the value that is new, of a list that has grown what was added."""
    found: dict[str, Inert] = {}
    for channel, value in values.items():
        old = before.get(channel)
        if isinstance(old, list) and isinstance(value, list) and same(old, value[: len(old)]):
            if len(value) > len(old):
                found[channel] = value[len(old) :]
        elif channel not in before or not same(old, value):
            found[channel] = value
    return found
