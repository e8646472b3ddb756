"""The steps of a thread as a tree of branches, and the ribbon that shows where one stands in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class StepLike(Protocol):
    """What the map needs of a checkpoint."""

    @property
    def checkpoint_id(self) -> str: ...
    @property
    def parent_checkpoint_id(self) -> str | None: ...
    @property
    def step(self) -> int | None: ...
    @property
    def interrupts(self) -> Sequence[object]: ...


class RibbonPart(NamedTuple):
    """A piece of the ribbon; ``mark`` is ``here``, ``wait``, ``fork`` or empty."""

    text: str
    mark: str


@dataclass(frozen=True, slots=True)
class ThreadMap:
    """Steps of one namespace, oldest first, and how they hang together."""

    parents: tuple[int, ...]
    """Index of the parent step, -1 for the first."""
    children: tuple[tuple[int, ...], ...]
    numbers: tuple[str, ...]
    """``5``, or ``5'`` on the first branch beside the main one."""
    waits: frozenset[int]
    """Steps that asked a question."""

    def path(self, leaf: int) -> list[int]:
        """The branch that ends in ``leaf``, from its first step."""
        found = [leaf]
        while (above := self.parents[found[-1]]) >= 0:
            found.append(above)
        return found[::-1]

    def newest_leaf(self, step: int) -> int:
        """The end of the newest branch through a step."""
        while self.children[step]:
            step = self.children[step][-1]
        return step

    def other_branch(self, leaf: int, step: int) -> tuple[int, int] | None:
        """The next branch at the nearest fork at or above ``step`` (else below it): its leaf, and where to stand."""
        branch = self.path(leaf)
        at = branch.index(step)
        order = [*reversed(range(at + 1)), *range(at + 1, len(branch))]
        for i in order:
            below = self.children[branch[i]]
            if len(below) > 1 and i + 1 < len(branch):
                turned = below[(below.index(branch[i + 1]) + 1) % len(below)]
                return self.newest_leaf(turned), turned if i < at else step
        return None

    def next_mark(self, leaf: int, step: int, direction: int) -> int | None:
        """The next question or fork on the branch."""
        branch = self.path(leaf)
        at = branch.index(step)
        ahead = branch[at + 1 :] if direction > 0 else branch[:at][::-1]
        return next((i for i in ahead if i in self.waits or len(self.children[i]) > 1), None)

    def ribbon(self, leaf: int, step: int, width: int) -> list[list[RibbonPart]]:
        """The branch with the present step in brackets, and below it the branches that leave the visible part."""
        branch = self.path(leaf)
        texts = [self._label(i, i == step) for i in branch]
        first, last = _window([len(text) + 1 for text in texts], branch.index(step), max(10, width - 4))
        line = [RibbonPart("< " if first else "+-", "")]
        columns: dict[int, int] = {}
        at = 2
        for i in range(first, last):
            columns[branch[i]] = at
            mark = "here" if branch[i] == step else "wait" if branch[i] in self.waits else ""
            line.append(RibbonPart(texts[i], mark))
            at += len(texts[i])
            if i + 1 < len(texts):
                line.append(RibbonPart("-", ""))
                at += 1
        if last < len(branch):
            line.append(RibbonPart(">", ""))
        lines = [line]
        on_branch = set(branch)
        for i in branch[first:last]:
            for child in self.children[i]:
                if child not in on_branch and len(lines) < 4:
                    other = [j for j in self.path(self.newest_leaf(child)) if j >= child]
                    shown = "-".join(self._label(j, False) for j in other)
                    lines.append([RibbonPart(" " * columns[i] + f"+-fork {shown}", "fork")])
        return lines

    def _label(self, i: int, here: bool) -> str:
        wait = "||" if i in self.waits else ""
        return f"[{self.numbers[i]}]{wait}" if here else f"{self.numbers[i]}{wait}"


def thread_map(steps: Sequence[StepLike]) -> ThreadMap:
    """The map of the steps of one namespace."""
    by_id = {step.checkpoint_id: i for i, step in enumerate(steps)}
    parents = [_parent(by_id, step, i) for i, step in enumerate(steps)]
    below: list[list[int]] = [[] for _ in steps]
    for i, above in enumerate(parents):
        if above >= 0:
            below[above].append(i)
    numbers: list[str] = []
    primes = [0] * len(steps)
    branches = 0
    for i, step in enumerate(steps):
        above = parents[i]
        if above >= 0 and below[above][0] != i:
            branches += 1
            primes[i] = branches
        elif above >= 0:
            primes[i] = primes[above]
        # LangGraph numbers the input -1, which reads like a dash in a ribbon.
        number = "?" if step.step is None else "in" if step.step < 0 else str(step.step)
        numbers.append(number + ("'" * primes[i] if primes[i] <= 2 else f"'{primes[i]}"))
    return ThreadMap(
        tuple(parents),
        tuple(tuple(children) for children in below),
        tuple(numbers),
        frozenset(i for i, step in enumerate(steps) if step.interrupts),
    )


def _parent(by_id: dict[str, int], step: StepLike, i: int) -> int:
    """Only an older checkpoint can be a parent: a damaged database must not make a cycle."""
    above = by_id.get(step.parent_checkpoint_id or "", -1)
    return above if above < i else -1


def _window(sizes: Sequence[int], at: int, width: int) -> tuple[int, int]:
    """The stretch around ``at`` that fits, as (first, last + 1)."""
    first, last, used = at, at + 1, sizes[at]
    while True:
        grown = False
        if last < len(sizes) and used + sizes[last] <= width:
            used += sizes[last]
            last += 1
            grown = True
        if first > 0 and used + sizes[first - 1] <= width:
            first -= 1
            used += sizes[first]
            grown = True
        if not grown:
            return first, last
