"""Where one stands in a thread: namespace, branch, step, mark. Moves answer whether anything moved."""

from collections.abc import Sequence

from flightlog_viewer.analysis.thread_map import RibbonPart, ThreadMap, thread_map
from flightlog_viewer.checkpoints.lineage import Lineage
from flightlog_viewer.checkpoints.model import Step
from flightlog_viewer.checkpoints.state_diff import Change


class Stepper:
    """Starts at the newest step of the root graph."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._all = list(steps)
        self.namespaces = list(dict.fromkeys(step.checkpoint_ns for step in self._all))
        self.namespaces.sort(key=lambda name: (name != "", name))
        self.namespace = self.namespaces[0] if self.namespaces else ""
        self.marked: Step | None = None
        self._lineage: Lineage | None = None
        self._at = self._leaf = 0
        self._enter(None)

    def again(self, steps: Sequence[Step]) -> "Stepper":
        """The same place in a thread that has been read again; at its end it stays at the end."""
        fresh = Stepper(steps)
        old = self.step
        if old is None:
            return fresh
        if old.checkpoint_ns in fresh.namespaces:
            fresh.namespace = old.checkpoint_ns
        fresh._enter(None if self._at == self._leaf else old.checkpoint_id)
        fresh.marked = self.marked
        return fresh

    @property
    def step(self) -> Step | None:
        """The present step; None in an empty thread."""
        return self._steps[self._at] if self._steps else None

    @property
    def place(self) -> tuple[int, int]:
        """Place on the branch, from 1, and its length. There must be a step."""
        branch = self._map.path(self._leaf)
        return branch.index(self._at) + 1, len(branch)

    @property
    def newest(self) -> bool:
        """Whether this is the newest step of the root graph."""
        return self.namespace == "" and self._at == len(self._steps) - 1

    @property
    def branches(self) -> int:
        """How many ends the namespace has."""
        return sum(not below for below in self._map.children)

    def ribbon(self, width: int) -> list[list[RibbonPart]]:
        """The branch and its forks as text."""
        return self._map.ribbon(self._leaf, self._at, width) if self._steps else []

    def move(self, by: int) -> bool:
        """So many steps along the branch."""
        if not self._steps:
            return False
        branch = self._map.path(self._leaf)
        at = max(0, min(len(branch) - 1, branch.index(self._at) + by))
        moved = branch[at] != self._at
        self._at = branch[at]
        return moved

    def move_to_mark(self, direction: int) -> bool:
        """To the next question or fork."""
        found = self._map.next_mark(self._leaf, self._at, direction) if self._steps else None
        if found is None:
            return False
        self._at = found
        return True

    def turn(self) -> bool:
        """To the other branch at the nearest fork."""
        found = self._map.other_branch(self._leaf, self._at) if self._steps else None
        if found is None:
            return False
        self._leaf, self._at = found
        return True

    def next_namespace(self) -> bool:
        """To the next subgraph, or back to the root graph."""
        if len(self.namespaces) < 2:
            return False
        self.namespace = self.namespaces[(self.namespaces.index(self.namespace) + 1) % len(self.namespaces)]
        self._enter(None)
        return True

    def mark(self) -> bool:
        """Remember this step to compare others with it."""
        self.marked = self.step
        return self.marked is not None

    def changes(self, before: Step, after: Step) -> list[Change] | None:
        """How the states of two steps of the thread differ; None where one of them cannot be read."""
        if self._lineage is None:
            self._lineage = Lineage()
            for step in self._all:
                self._lineage.add(step)
        return self._lineage.changes(before, after)

    def go_to(self, checkpoint_id: str) -> bool:
        """Stand on a checkpoint; False when the thread has none of this id."""
        step = next((step for step in self._all if step.checkpoint_id == checkpoint_id), None)
        if step is None:
            return False
        self.namespace = step.checkpoint_ns
        self._enter(checkpoint_id)
        return True

    def _enter(self, checkpoint_id: str | None) -> None:
        self._steps: list[Step] = [step for step in self._all if step.checkpoint_ns == self.namespace]
        self._map: ThreadMap = thread_map(self._steps)
        at = len(self._steps) - 1
        for i, step in enumerate(self._steps):
            if step.checkpoint_id == checkpoint_id:
                at = i
        self._at = max(0, at)
        self._leaf = self._map.newest_leaf(self._at) if self._steps else 0
