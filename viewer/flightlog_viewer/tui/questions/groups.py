"""What the screen of figures asks: groups of spans in a stretch of time, and the spans behind them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from flightlog_viewer.store.queries import screens as screen_queries
from flightlog_viewer.tui.questions.cursors import Cursors

if TYPE_CHECKING:
    from flightlog_viewer.analysis.filter import Filter

GROUPS = ("model", "tool", "node", "thread", "day", "version")
_SERIES = 40
_TOTALS = {"model": "llm", "tool": "tool"}
_TABLES = {
    "model": ("llm_calls", "coalesce(model, request_model, name)"),
    "tool": ("tool_calls", "name"),
    "node": ("nodes", "coalesce(node, name)"),
    "thread": ("traces", "thread_id"),
    "day": ("traces", "start_time::DATE"),
    "version": ("traces", "service_version"),
}
"""What the rows of a group are of, and its key."""
_DAY = "strftime((start_time AT TIME ZONE 'UTC') AT TIME ZONE ?, '%Y-%m-%d')"


_APPROVALS = (
    "SELECT node, status, count(*) AS n, quantile_cont(lag_max_ms, 0.95) AS p95_lag_ms\n"
    "FROM interrupts GROUP BY ALL ORDER BY n DESC"
)


class Before(NamedTuple):
    """What a group was like before the stretch of time."""

    rate: float
    """The share of errors, from 0 to 1."""
    p95_ms: float | None


class Figures(NamedTuple):
    """One reading of the store. The rows are those of the commands' ``summary``."""

    rows: Sequence[dict[str, Any]]
    total: dict[str, Any] | None
    """Of all rows together, where that is more than one."""
    before: dict[str | None, Before]
    """By key; None is that of the total, or of what has no thread."""
    latencies: Sequence[tuple[int, int]]
    tokens: Sequence[tuple[int, int | None]]
    since: datetime | None
    """Where the stretch begins, naive UTC; None for all there is."""
    versions: bool
    """Whether spans of more than one version of the service are there, whenever they started."""


class GroupQuestions:
    """Answers come from the store, in whichever thread asks."""

    def __init__(self, cursors: Cursors) -> None:
        self._cursors = cursors

    def figures(self, group: str, tz: tzinfo, length: timedelta | None) -> Figures:
        """The groups, in the last stretch of so much time; days are those of ``tz``."""
        from flightlog_viewer.analysis.filter import EVERYTHING, Filter

        since = self._since(length)
        within = EVERYTHING if since is None else Filter("start_time >= ?", [since])
        rows = self._groups(group, tz, within)
        before: dict[str | None, Before] = {}
        if since is not None:
            earlier = Filter("start_time < ?", [since])
            before = {row["key"]: _before(row) for row in self._groups(group, tz, earlier)}
            if (sum_ := self._total(group, earlier)) is not None:
                before[None] = _before(sum_)
        kind = "tool" if group == "tool" else "llm"
        return Figures(
            rows,
            self._total(group, within) if len(rows) > 1 else None,
            before,
            self._cursors.rows(*screen_queries.latency_bins(kind, within)),
            self._cursors.rows(*screen_queries.token_bins(_SERIES, within)),
            since,
            self._cursors.rows("SELECT coalesce(min(service_version) <> max(service_version), false) FROM spans")[0][0],
        )

    def _since(self, length: timedelta | None) -> datetime | None:
        # The last hour of what was recorded: a file from another machine may be old.
        newest: datetime | None = (
            None if length is None else self._cursors.rows("SELECT max(start_time) FROM spans")[0][0]
        )
        try:
            return None if newest is None or length is None else newest - length
        except OverflowError:
            return None

    def _groups(self, group: str, tz: tzinfo, where: "Filter") -> list[dict[str, Any]]:
        return self._cursors.store.query("summary", by=group, where=where, tz=tz)

    def _total(self, group: str, where: "Filter") -> dict[str, Any] | None:
        kind = _TOTALS.get(group)
        rows = () if kind is None else self._cursors.store.query("summary", by="type", where=where)
        return next((row for row in rows if row["key"] == kind), None)

    def find(
        self, group: str, key: str | None, what: Literal["slowest", "failed"], since: datetime | None, tz: tzinfo
    ) -> tuple[str, int] | None:
        """Trace id and row id of the slowest span of a group, or of the one that failed last; all groups for None."""
        table, column = _TABLES[group]
        conditions: list[str] = []
        params: list[Any] = []
        if key is not None:
            conditions.append(f"{_DAY if group == 'day' else column} = ?")
            params += [str(tz), key] if group == "day" else [key]
        if since is not None:
            conditions.append("start_time >= ?")
            params.append(since)
        conditions.append(
            "status = 'error'" if what == "failed" else "status <> 'interrupted' AND duration_ms IS NOT NULL"
        )
        order = "start_time" if what == "failed" else "duration_ms"
        query = (
            f"SELECT trace_id, row_id FROM {table} WHERE {' AND '.join(conditions)} "
            f"ORDER BY {order} DESC, row_id LIMIT 1"
        )
        rows = self._cursors.rows(query, params)
        return (rows[0][0], rows[0][1]) if rows else None


def _before(row: dict[str, Any]) -> Before:
    return Before(row["errors"] / row["count"], row["p95_ms"])


def filter_for(group: str, key: str | None, since: datetime | None = None, tz: tzinfo = UTC) -> str:
    """The filter that leaves the traces of one group, or of all for None, from a time on. It means times in ``tz``."""
    from flightlog_viewer.analysis.times import wall

    later = "" if since is None else f" start>={wall(since, tz, '%Y-%m-%dT%H:%M:%S')}"
    if key is None:
        return f"type:{_TOTALS[group]}{later}"
    if group == "day":
        day = date.fromisoformat(key)
        until = "" if day == date.max else f" start<{day + timedelta(days=1)}"
        return f"root:(start>={key}{until}){later}"
    quoted = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'{group}:"{quoted}"{later}'


def group_sql(group: str, since: datetime | None) -> str:
    """The figures of a group as a query to go on from."""
    if group == "approvals":
        return _APPROVALS
    table, key = _TABLES[group]
    where = "" if since is None else f"WHERE start_time >= TIMESTAMP '{since.isoformat(' ')}'\n"
    return (
        f"SELECT {key} AS {group}, count(*) AS n,\n"
        "    count(*) FILTER (status = 'error') AS errors,\n"
        "    quantile_cont(duration_ms, 0.95) FILTER (status <> 'interrupted') AS p95_ms\n"
        f"FROM {table}\n{where}GROUP BY ALL ORDER BY n DESC"
    )
