"""Which rows of an outline are visible: what is folded, what a filter keeps, and on which row a span stands."""

from collections.abc import Container

from flightlog_viewer.analysis.tree import Line, Outline

Key = tuple[bool, str]
"""What a node is known by when the trace is read again: whether it is a span, and the run id of its first span.

Not the row id: a span that ends is another row of the store.
"""


class Folding:
    """The visible rows of one trace. Everything is open at first, groups apart."""

    def __init__(self, outline: Outline, folded: Container[Key] = ()) -> None:
        self.outline = outline
        self.matches: list[int] | None = None
        """The spans that pass the filter, depth first; None without one."""
        self.found: list[int] = []
        """The innermost spans that the filter of the list found this trace by, depth first."""
        self.failures = outline.failures()
        """The spans where an error began."""
        self._expanded = outline.everything_open()
        if folded:
            self._expanded -= {node for node in self._expanded if self.key(node) in folded}
        self.lines: list[Line] = []
        """What is visible, from the top."""
        self._rows: dict[int, int] | None = None
        self._relist()

    def folded(self) -> frozenset[Key]:
        """What is closed, for the outline of the same trace read again."""
        below = enumerate(self.outline.children)
        return frozenset(self.key(node) for node, inside in below if inside and node not in self._expanded)

    def is_open(self, node: int) -> bool:
        """Whether what is below a node shows."""
        return self.matches is not None or node in self._expanded

    def row_of(self, node: int) -> int | None:
        """The row a node stands on; None while it is hidden."""
        if self._rows is None:
            self._rows = {line.node: row for row, line in enumerate(self.lines)}
        return self._rows.get(node)

    def node_of(self, row_id: int) -> int | None:
        """The span with a row id; None when the trace has none."""
        return next((node for node, row in enumerate(self.outline.rows) if row.row_id == row_id), None)

    def key(self, node: int) -> Key:
        """What a node is known by."""
        return self.outline.is_span(node), self.outline.rows[self.outline.first_span(node)].run_id

    def find(self, key: Key) -> int | None:
        """The node of a key; where there is no such group any more, its first span. None when that is gone too."""
        is_span, run_id = key
        node = next((node for node, row in enumerate(self.outline.rows) if row.run_id == run_id), None)
        if is_span or node is None:
            return node
        above = self.outline.parent[node]
        return above if above >= 0 and self.key(above) == key else node

    def fold(self, row: int) -> bool:
        """Close what is open on a row, or open it; False when there is nothing below, or a filter decides."""
        node, depth = self.lines[row]
        if self.matches is not None or not self.outline.children[node]:
            return False
        at = row + 1
        if node in self._expanded:
            self._expanded.discard(node)
            end = at
            while end < len(self.lines) and self.lines[end].depth > depth:
                end += 1
            del self.lines[at:end]
        else:
            self._expanded.add(node)
            self.lines[at:at] = self.outline.below(node, depth, self._expanded)
        self._rows = None
        return True

    def reveal(self, node: int) -> int | None:
        """Open what hides a node; the row it stands on, None when the filter leaves it out."""
        if self.matches is None:
            closed = [above for above in self.outline.ancestors(node) if above not in self._expanded]
            if closed:
                self._expanded |= set(closed)
                self._relist()
        return self.row_of(node)

    def keep(self, row_ids: set[int] | None) -> int:
        """Show only these spans and what stands above them; None shows all. How many there are."""
        rows = self.outline.rows
        self.matches = None if row_ids is None else [n for n in self.outline.order if rows[n].row_id in row_ids]
        self._relist()
        return len(self.matches or ())

    def lead(self, row_ids: set[int]) -> None:
        """Mark what the list was filtered for: the spans that have none of these inside. Nothing when all are meant."""
        rows = self.outline.rows
        meant = {node for node in self.outline.order if rows[node].row_id in row_ids}
        around = {above for node in meant for above in self.outline.ancestors(node)}
        self.found = [] if len(meant) == len(rows) else [n for n in self.outline.order if n in meant - around]

    def beginning(self) -> int | None:
        """Where whoever opens the trace wants to be: at what they looked for, or where it failed or asks."""
        origin = self.outline.origin()
        return self.found[0] if self.found and origin not in self.found else origin

    def _relist(self) -> None:
        self.lines = self.outline.lines(self._expanded, None if self.matches is None else set(self.matches))
        self._rows = None
