"""How the figures of a group look as one row of a list."""

from collections.abc import Hashable, Sequence
from typing import Any, Final

from flightlog_viewer.analysis import units
from flightlog_viewer.tui.glyphs import Glyphs
from flightlog_viewer.tui.questions.groups import Before, Figures
from flightlog_viewer.tui.widgets.row_list import Cell, Column, Rows

COLUMNS = (
    Column("key", "Name", 14, share=True),
    Column("count", "n", 6, right=True),
    Column("p50", "p50", 6, right=True, drop=4),
    Column("p95", "p95", 6, right=True),
    Column("p95_before", "before", 6, right=True, drop=6),
    Column("p99", "p99", 6, right=True, drop=1),
    Column("errors", "Errors", 6, right=True),
    Column("rate", "Err %", 7, right=True, drop=5),
    Column("before", "before", 6, right=True, drop=6),
    Column("tokens", "Tokens", 6, right=True, drop=3),
    Column("cost", "Cost", 8, right=True, drop=2),
)
APPROVAL_COLUMNS = (
    Column("key", "Node", 14, share=True),
    Column("count", "n", 6, right=True),
    Column("p50", "lag p50", 8, right=True, drop=2),
    Column("p95", "lag p95", 8, right=True),
    Column("agreed", "Agreed", 7, right=True, drop=3),
    Column("pending", "Pending", 7, right=True),
    Column("late", "Past TTL", 8, right=True, drop=1),
)
FIELDS = {
    "count": "count",
    "p50_ms": "p50",
    "p95_ms": "p95",
    "p99_ms": "p99",
    "errors": "errors",
    "rate": "rate",
    "total_tokens": "tokens",
    "cost_usd": "cost",
}
"""The columns to sort by, by the field of a row."""
_BEFORE = ("p95_before", "before")
_ROSE = 1.5
_ROSE_BY = 0.01
_ROSE_BY_MS = 100


ALL: Final[Hashable] = object()
"""The key of the row over all groups."""


def columns(figures: Figures) -> list[Column]:
    """What was before is worth a column where there is a before."""
    return [column for column in COLUMNS if figures.since is not None or column.key not in _BEFORE]


class GroupRows(Rows):
    """A row is made when it is drawn, for there may be a hundred thousand threads."""

    def __init__(self, figures: Figures, rows: Sequence[dict[str, Any]], group: str, glyphs: Glyphs) -> None:
        self._figures = figures
        self._rows = rows if figures.total is None else [figures.total, *rows]
        self._group = group
        self._glyphs = glyphs

    def __len__(self) -> int:
        return len(self._rows)

    def key(self, row: int) -> Hashable:
        return ALL if row == 0 and self._figures.total is not None else self._rows[row]["key"]

    def cells(self, row: int) -> Sequence[Cell]:
        found, key = self._rows[row], self.key(row)
        name = f"(all {self._group}s)" if key is ALL else "(none)" if key is None else str(key)
        before = self._figures.before.get(None if key is ALL else self._rows[row]["key"])
        made = _cells(found, name, before, self._glyphs)
        if self._figures.since is not None:
            return made
        return [cell for cell, column in zip(made, COLUMNS, strict=True) if column.key not in _BEFORE]


def _cells(row: dict[str, Any], name: str, before: Before | None, glyphs: Glyphs) -> list[Cell]:
    """One cell a column. ``before`` is what it was like before the stretch of time; None where there is none."""
    rate = row["errors"] / row["count"]
    free = row["total_tokens"] is None and not row["unknown_costs"]  # no model was called: nothing to count
    rose = before is not None and rate > max(before.rate * _ROSE, before.rate + _ROSE_BY)
    p95, was = row["p95_ms"], None if before is None else before.p95_ms
    slower = p95 is not None and was is not None and p95 > max(was * _ROSE, was + _ROSE_BY_MS)
    return [
        Cell(name),
        Cell(f"{row['count']:,}"),
        Cell(units.duration(row["p50_ms"])),
        Cell(units.duration(p95) + ("!" if slower else ""), "error" if slower else ""),
        Cell("" if was is None else units.duration(was), "dim"),
        Cell(units.duration(row["p99_ms"])),
        Cell(f"{glyphs.status['error']}{row['errors']:,}" if row["errors"] else "", "error"),
        Cell(_share(rate) + ("!" if rose else "") if row["errors"] else "", "error" if rose else ""),
        Cell("" if before is None else _share(before.rate), "dim"),
        Cell("" if free else units.count(row["total_tokens"])),
        Cell("" if free else units.money(row["cost_usd"], more=bool(row["unknown_costs"]))),
    ]


def approval_cells(row: dict[str, Any]) -> list[Cell]:
    """One cell a column of ``APPROVAL_COLUMNS``."""
    return [
        Cell(str(row["node"]) or "(no node)"),
        Cell(f"{row['count']:,}"),
        Cell(units.duration(row["p50_ms"])),
        Cell(units.duration(row["p95_ms"])),
        Cell("?" if row["agreement"] is None else f"{row['agreement']:.0%}"),
        Cell(f"{row['pending']:,}", "wait" if row["pending"] else ""),
        Cell(f"{row['past_ttl']:,}", "error" if row["past_ttl"] else ""),
    ]


def _share(rate: float) -> str:
    return f"{rate:.1%}" if rate < 0.0995 else f"{rate:.0%}"
