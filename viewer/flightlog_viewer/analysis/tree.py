"""Spans of one trace -> an outline: parents, orphans, cut cycles, groups of like siblings.

Nodes are integers. ``0 .. len(rows) - 1`` are the spans in the order given; higher numbers are what the outline adds:
groups and the "orphans" heading. Nothing here recurses, so that a tree ten thousand deep is as good as a flat one.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from flightlog_viewer.analysis.jumps import Jump, jump

GROUP_MINIMUM = 3
"""Fewer like siblings than this stay apart."""

_LOOKED_AT: Final = 1000
"""Spans of a group of which it tells what they called."""
_HOOK: Final = re.compile(r"\.(before|after)_(model|agent)$")
"""How the nodes end that LangChain's agents make of a middleware: several stand around each call of the model."""

FAILED = ("error", "unfinished")
"""The statuses of what went wrong: it raised, or its process died."""
_FATES = (FAILED, ("interrupted",))


class SpanRow(NamedTuple):
    """The light fields of one span, as the screens need them."""

    row_id: int
    run_id: str
    parent_run_id: str | None
    type: str
    kind: str | None
    name: str
    status: str
    """A record's status, or ``running`` / ``unfinished`` for a span without an end."""
    start_us: int
    """Microseconds since the epoch, UTC."""
    duration_ms: float | None
    """None while the span has not ended."""
    node: str | None = None
    step: int | None = None
    total_tokens: int | None = None
    """Of a model call whose tokens count: no cache answered, and no call inside has them as well."""
    cost: float | None = None
    """US dollars; None where the price is unknown."""
    attempt: int | None = None
    """Which attempt of its task, from 1."""

    @property
    def end_us(self) -> int | None:
        return None if self.duration_ms is None else self.start_us + round(self.duration_ms * 1000)

    @property
    def is_quiet_hook(self) -> bool:
        """A node of a middleware that neither failed nor asked."""
        return self.kind == "node" and self.status == "ok" and _HOOK.search(self.name) is not None


class Line(NamedTuple):
    """One visible row of the outline."""

    node: int
    depth: int


@dataclass(slots=True)
class Outline:
    """The tree of one trace. Read its fields; only ``build`` writes them."""

    rows: Sequence[SpanRow]
    parent: list[int]
    """Parent node of every node, -1 at the top."""
    children: list[list[int]]
    roots: list[int]
    cut: frozenset[int]
    """Spans whose parent link closed a cycle and was cut."""
    orphans: int | None = None
    """The heading over spans whose parent is not in the trace."""
    order: list[int] = field(default_factory=list)
    """Every span, depth first."""
    _rank: list[int] = field(default_factory=list)

    def is_span(self, node: int) -> bool:
        return node < len(self.rows)

    def first_span(self, node: int) -> int:
        """The span itself, or the first one below an added node."""
        while not self.is_span(node):
            node = self.children[node][0]
        return node

    def group_name(self, node: int) -> str:
        """What the spans of a group have in common."""
        first = self.rows[self.first_span(node)]
        return "middleware" if first.is_quiet_hook else first.name

    def tools_in(self, node: int) -> list[str]:
        """The names of the tools right below the first spans of a group, each once: nodes that call them are all named
        alike.
        """
        below = (child for span in self.children[node][:_LOOKED_AT] for child in self.children[span])
        tools = (row.name for child in below if (row := self.rows[self.first_span(child)]).type == "tool")
        return list(dict.fromkeys(tools))

    def span_children(self, node: int) -> list[int]:
        """The spans right below a node, those in its groups among them."""
        found: list[int] = []
        for child in self.children[node]:
            found.extend((child,) if self.is_span(child) else self.children[child])
        return found

    def ancestors(self, node: int) -> list[int]:
        """From the direct parent to the top."""
        found = []
        while (node := self.parent[node]) >= 0:
            found.append(node)
        return found

    def lines(self, expanded: set[int], keep: set[int] | None = None) -> list[Line]:
        """What is visible, from the top. With ``keep``, only those nodes and whatever stands above them."""
        shown = None if keep is None else self._with_ancestors(keep)
        found: list[Line] = []
        stack = [(node, 0) for node in reversed(self.roots)]
        children = self.children
        while stack:
            node, depth = stack.pop()
            if shown is not None and node not in shown:
                continue
            found.append(Line(node, depth))
            if children[node] and (node in expanded or shown is not None):
                depth += 1
                stack.extend((child, depth) for child in reversed(children[node]))
        return found

    def below(self, node: int, depth: int, expanded: set[int]) -> list[Line]:
        """The visible lines under ``node``, which stands at ``depth``."""
        found: list[Line] = []
        stack = [(child, depth + 1) for child in reversed(self.children[node])]
        while stack:
            child, at = stack.pop()
            found.append(Line(child, at))
            if child in expanded:
                stack.extend((grandchild, at + 1) for grandchild in reversed(self.children[child]))
        return found

    def everything_open(self) -> set[int]:
        """Every node with children except groups: how a trace opens."""
        count = len(self.rows)
        return {node for node, below in enumerate(self.children) if below and (node < count or node == self.orphans)}

    def failures(self) -> list[int]:
        """Spans where an error began, or that died with their process (and no such child), depth first."""
        failed = {i for i, row in enumerate(self.rows) if row.status in FAILED}
        passed_on = {self._span_parent(i) for i in failed}
        return [i for i in self.order if i in failed and i not in passed_on]

    def origin(self) -> int | None:
        """The span in which the failure, the death or the question of the root began; None when the root ended well.

        From the root down through the child that shares its fate and ended last.
        """
        tops = [node for node in self.roots if self.is_span(node)]
        fates = next((fates for fates in _FATES if tops and self.rows[tops[0]].status in fates), None)
        if fates is None:
            return None
        node, below = tops[0], [tops[0]]
        while below:
            node = max(below, key=lambda child: (self.rows[child].end_us is None, self.rows[child].end_us or 0))
            below = [child for child in self.span_children(node) if self.rows[child].status in fates]
        return node

    def next_in(self, marks: Sequence[int], node: int, step: int) -> Jump | None:
        """The next (``step`` 1) or previous (-1) of ``marks``, given depth first, seen from ``node``; wraps round."""
        ranks = [self._rank[mark] for mark in marks]
        # A group stands before the first of its spans.
        here = self._rank[self.first_span(node)] - (not self.is_span(node))
        found = jump(ranks, here, step)
        return None if found is None else found._replace(to=marks[ranks.index(found.to)])

    def sibling(self, node: int, step: int) -> int | None:
        """The next or previous node under the same parent; None at the end."""
        above = self.parent[node]
        line = self.roots if above < 0 else self.children[above]
        at = line.index(node) + step
        return line[at] if 0 <= at < len(line) else None

    def _span_parent(self, node: int) -> int:
        above = self.parent[node]
        while above >= 0 and not self.is_span(above):
            above = self.parent[above]
        return above

    def _with_ancestors(self, keep: set[int]) -> set[int]:
        shown: set[int] = set()
        for start in keep:
            node = start
            while node >= 0 and node not in shown:
                shown.add(node)
                node = self.parent[node]
        return shown


def build(rows: Sequence[SpanRow]) -> Outline:
    """The outline of a trace's spans, children by start time, like siblings grouped, orphans under a heading."""
    count = len(rows)
    parent, orphaned = _link(rows)
    cut = _cut_cycles(parent)
    children: list[list[int]] = [[] for _ in range(count)]
    roots: list[int] = []
    lost: list[int] = []
    for node in sorted(range(count), key=lambda i: rows[i].start_us):
        above = parent[node]
        if above >= 0:
            children[above].append(node)
        elif node in orphaned:
            lost.append(node)
        else:
            roots.append(node)
    outline = Outline(rows, parent, children, roots, frozenset(cut))
    for node in range(count):
        if len(children[node]) >= GROUP_MINIMUM:
            _group(outline, node)
    if lost:
        outline.orphans = _add(outline, lost, -1)
        outline.roots.append(outline.orphans)
    _number(outline)
    return outline


def _link(rows: Sequence[SpanRow]) -> tuple[list[int], set[int]]:
    """Parent index of every span, and the spans whose parent is missing. A run id used twice: the latest before."""
    by_id: dict[str, int] = {}
    again: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        if row.run_id in by_id:
            again.setdefault(row.run_id, [by_id[row.run_id]]).append(i)
        else:
            by_id[row.run_id] = i
    for same_id in again.values():
        same_id.sort(key=lambda c: rows[c].start_us)
    parent = [-1] * len(rows)
    orphaned: set[int] = set()
    for i, row in enumerate(rows):
        if row.parent_run_id is None:
            continue
        above = by_id.get(row.parent_run_id)
        if above is None:
            orphaned.add(i)
        elif (choices := again.get(row.parent_run_id)) is None:
            parent[i] = above
        else:
            at = bisect_right(choices, row.start_us, key=lambda c: rows[c].start_us) - 1
            if at >= 0 and choices[at] == i:
                at -= 1
            parent[i] = choices[at] if at >= 0 else above
    return parent, orphaned


def _cut_cycles(parent: list[int]) -> set[int]:
    """Cut one link of every cycle in place; returns the spans that lost theirs."""
    state = bytearray(len(parent))  # 0 new, 1 on the way, 2 known to reach a root
    cut: set[int] = set()
    for start in range(len(parent)):
        if state[start]:
            continue
        path = []
        node = start
        while node >= 0 and not state[node]:
            state[node] = 1
            path.append(node)
            node = parent[node]
        if node >= 0 and state[node] == 1:
            parent[node] = -1
            cut.add(node)
        for seen in path:
            state[seen] = 2
    return cut


def _group(outline: Outline, node: int) -> None:
    """Put runs of like children of ``node`` under a group of their own."""
    below = outline.children[node]
    kinds = [_likeness(outline, child) for child in below]
    grouped: list[int] = []
    at = 0
    while at < len(below):
        end = at + 1
        while end < len(below) and kinds[end] == kinds[at]:
            end += 1
        run = below[at:end]
        if len(run) >= GROUP_MINIMUM and len(run) < len(below):
            grouped.append(_add(outline, run, node))
        else:
            grouped.extend(run)
        at = end
    outline.children[node] = grouped


def _likeness(outline: Outline, node: int) -> tuple[str, str]:
    """What like siblings share: name and type; of a middleware's node in which nothing ran that it is one."""
    row = outline.rows[node]
    return ("", "") if row.is_quiet_hook and not outline.children[node] else (row.name, row.type)


def _add(outline: Outline, below: Iterable[int], parent: int) -> int:
    node = len(outline.children)
    outline.children.append(list(below))
    outline.parent.append(parent)
    for child in outline.children[node]:
        outline.parent[child] = node
    return node


def _number(outline: Outline) -> None:
    outline._rank = [0] * len(outline.rows)
    stack = list(reversed(outline.roots))
    while stack:
        node = stack.pop()
        if outline.is_span(node):
            outline._rank[node] = len(outline.order)
            outline.order.append(node)
        stack.extend(reversed(outline.children[node]))
