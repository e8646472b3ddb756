"""The example queries of the page about SQL answer what their titles say, worked out a second time in plain Python."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from flightlog_viewer import Store, open_store
from tests.viewer.figures.forest import forest
from tests.viewer.figures.plain import (
    Figures,
    Record,
    cost,
    end_us,
    known_sum,
    moment,
    percentile,
    same,
    start_us,
)
from tests.viewer.store.records import write

_, _, USEFUL = (Path(__file__).parents[3] / "docs" / "sql.md").read_text().partition("## Useful queries")
PARTS = USEFUL.split("```")
QUERIES = {
    title.strip().replace("\n", " "): block.removeprefix("sql\n")
    for title, block in zip(PARTS[::2], PARTS[1::2], strict=False)
}
RECORDS = forest(3, traces=25, most=50)
FIGURES = Figures(RECORDS)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A recording with all that the queries ask about, and two lines that are no spans."""
    path = write(tmp_path_factory.mktemp("page") / "a.jsonl", *RECORDS, b"{", b"{")
    with open_store(path, cache=False) as opened:
        yield opened


def ask(store: Store, title: str) -> list[tuple[Any, ...]]:
    """The answer to the example whose title begins so."""
    (query,) = (query for known, query in QUERIES.items() if known.startswith(title))
    return store.sql(query).fetchall()


def of_kind(kind: str) -> list[Record]:
    return [record for record in RECORDS if record.get("kind") == kind or record["type"] == kind]


def grouped(records: Iterable[Record], *names: str) -> dict[Any, list[Record]]:
    """The records by the values of some fields."""
    groups: dict[Any, list[Record]] = defaultdict(list)
    for record in records:
        key = tuple(record.get(name) for name in names)
        groups[key if len(names) > 1 else key[0]].append(record)
    return groups


def test_every_example_has_a_title() -> None:
    """So that none is left out below but those about questions, databases, payloads and processes that died."""
    untested = ("Where runs stopped", "Questions and how", "The same with", "What changed", "What was in", "A text in")
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_sql_page*.py"))
    asked = set(re.findall(r'ask\(store, "([^"]+)"', tests))
    assert len(QUERIES) == USEFUL.count("```sql")
    for title in QUERIES:
        assert title.startswith((*untested, *asked)), title


def agree(found: Iterable[tuple[Any, ...]], wanted: Iterable[tuple[Any, ...]]) -> None:
    """Both have the same rows, in any order."""
    left, right = (sorted(rows, key=str) for rows in (found, wanted))
    assert len(left) == len(right) > 0
    for one, other in zip(left, right, strict=True):
        assert list(one) == pytest.approx(list(other), rel=1e-9, abs=1e-9, nan_ok=True), (one, other)


def test_slowest_nodes(store: Store) -> None:
    """Percentiles of node runs that did not wait, the slowest first."""
    found = ask(store, "Slowest nodes")
    timed = [node for node in of_kind("node") if node["status"] != "interrupted"]
    groups = {key: [node["duration_ms"] for node in nodes] for key, nodes in grouped(timed, "node").items()}
    agree(found, [(k, len(v), percentile(v, 0.5), percentile(v, 0.95)) for k, v in groups.items()])
    assert [row[3] for row in found] == sorted((row[3] for row in found), reverse=True)


def test_where_the_time_goes(store: Store) -> None:
    """Own times add up to the time of what has no parent, when nothing outlives its parent."""
    found = ask(store, "Where the time goes")
    groups = grouped(RECORDS, "type", "name")
    wanted = [(*key, round(sum(map(FIGURES.own_ms, group)))) for key, group in groups.items()]
    assert len(found) == min(20, len(wanted))
    assert {row[:2]: pytest.approx(row[2], abs=1) for row in wanted if row[:2] in {f[:2] for f in found}} == {
        row[:2]: row[2] for row in found
    }


def test_cost_per_tenant(store: Store) -> None:
    """Runs, failed ones and dollars by what the metadata of the root says, large metadata too."""
    groups: dict[Any, list[Record]] = defaultdict(list)
    for trace in FIGURES.traces().values():
        groups[(trace["metadata"] or {}).get("tenant"), trace["start_time"].date()].append(trace)
    wanted = []
    for key, traces in groups.items():
        failed = round(100 * sum(trace["status"] == "error" for trace in traces) / len(traces), 1)
        wanted.append((*key, len(traces), failed, known_sum(trace["cost_usd"] for trace in traces)))
    agree(ask(store, "Cost per tenant"), wanted)


def test_the_slowest_calls(store: Store) -> None:
    """The ten calls that took longest."""
    slowest = sorted(of_kind("llm"), key=lambda call: -call["duration_ms"])[:10]
    found = ask(store, "The slowest model calls")
    assert [row[2] for row in found] == [call["duration_ms"] for call in slowest]


def test_an_incident(store: Store) -> None:
    """Runs of a window by the failure in them that ended first, with what they cost and failed runs among them."""
    first: dict[str, Record] = {}
    for record in sorted(origins(), key=end_us):
        first.setdefault(record["trace_id"], record)
    groups: dict[Any, list[Record]] = defaultdict(list)
    for name, trace in FIGURES.traces().items():
        if name in first and "2026-12-31T20" <= trace["start_time"].isoformat() <= "2027-01-01T12":
            groups[first[name]["name"], first[name].get("error", {}).get("type")].append(trace)
    wanted = []
    for key, traces in groups.items():
        failed = sum(trace["status"] == "error" for trace in traces)
        spent = (known_sum(trace[name] for trace in traces) for name in ("cost_usd", "unknown_costs"))
        wanted.append((*key, len(traces), failed, *spent))
    agree(ask(store, "What an incident cost"), wanted)


def test_versions(store: Store) -> None:
    """Percentiles and mean dollars of the runs that ended well, by service and version."""
    ended = [trace for trace in FIGURES.traces().values() if trace["status"] == "ok"]
    wanted = []
    for key, traces in grouped(ended, "service", "service_version").items():
        took, usd = [t["duration_ms"] for t in traces], [t["cost_usd"] for t in traces if t["cost_usd"] is not None]
        since = min(trace["start_time"] for trace in traces)
        mean = sum(usd) / len(usd) if usd else None
        wanted.append((*key, None, since, len(took), percentile(took, 0.5), percentile(took, 0.95), mean))
    found = ask(store, "Which version")
    assert [row[:5] for row in found] == sorted((row[:5] for row in wanted), key=lambda row: (row[0], row[3]))
    agree([row[5:] for row in found], [row[5:] for row in wanted])


def test_context_by_turn(store: Store) -> None:
    """The largest input of each trace of a thread, by its place in the thread."""
    turns: dict[int, list[Any]] = defaultdict(list)
    for thread, calls in grouped(filter(FIGURES.counted, RECORDS), "thread_id").items():
        if thread is not None:
            traces = sorted(grouped(calls, "trace_id").values(), key=lambda group: min(map(start_us, group)))
            for turn, group in enumerate(traces, 1):
                told = [call.get("token_usage", {}).get("input_tokens") for call in group]
                turns[turn].append(max((given for given in told if given is not None), default=None))
    wanted = []
    for turn, largest in turns.items():
        known = [given for given in largest if given is not None]
        wanted.append((turn, len(largest), percentile(known, 0.5) if known else None, max(known, default=None)))
    agree(ask(store, "The size of the context"), wanted)


def test_by_model(store: Store) -> None:
    """Percentiles and tokens of counted calls."""
    calls = grouped(filter(FIGURES.counted, RECORDS), "model")
    agree(
        ask(store, "Percentiles and tokens by model"),
        [
            (
                model,
                len(group),
                percentile([call["duration_ms"] for call in group], 0.95),
                percentile([call["time_to_first_token_ms"] for call in group if "time_to_first_token_ms" in call], 0.5),
                FIGURES.tokens(group, "total_tokens"),
            )
            for model, group in calls.items()
        ],
    )


def test_cost_per_thread(store: Store) -> None:
    """Tokens, dollars and unknown prices of the runs of each thread."""
    groups = grouped(FIGURES.traces().values(), "thread_id")
    names = ("total_tokens", "cost_usd", "unknown_costs")
    agree(
        ask(store, "Cost per thread"),
        [(key, len(rows), *(known_sum(row[name] for row in rows) for name in names)) for key, rows in groups.items()],
    )


def test_the_arithmetic_of_a_cost(store: Store) -> None:
    """Plain tokens by their price, and the rest of the kinds, are the cost that is shown."""
    found = ask(store, "The arithmetic of a cost")
    costs = sorted((cost(call) or 0 for call in of_kind("llm")), reverse=True)
    assert [row[5] for row in found] == pytest.approx(costs[: len(found)])
    for _, plain, plain_usd, made, made_usd, usd, source in found:
        assert source.startswith("genai-prices")
        assert plain * plain_usd / 1e6 + made * made_usd / 1e6 <= usd + 1e-12 or usd == 0


def test_tokens_by_day(store: Store) -> None:
    """The days are those of the zone."""
    paris = ZoneInfo("Europe/Paris")
    days: dict[Any, list[Record]] = defaultdict(list)
    for call in filter(FIGURES.counted, RECORDS):
        start = moment(start_us(call))
        assert start is not None
        days[start.replace(tzinfo=UTC).astimezone(paris).date()].append(call)
    agree(ask(store, "Tokens by day"), [(day, FIGURES.tokens(calls, "total_tokens")) for day, calls in days.items()])


def test_what_the_cache_saves(store: Store) -> None:
    """The share of input tokens that were read from a cache."""
    wanted = []
    for model, calls in grouped(filter(FIGURES.counted, RECORDS), "model").items():
        usages = [call.get("token_usage", {}) for call in calls]
        read = sum(usage.get("input_token_details", {}).get("cache_read", 0) for usage in usages)
        given = FIGURES.tokens(calls, "input_tokens")
        wanted.append((model, read, given, round(100 * read / given, 1) if given else None))
    agree(ask(store, "What the input cache saves"), wanted)


def origins() -> list[Record]:
    """Failed spans with no failed span inside."""
    failed = [record for record in RECORDS if record["status"] == "error"]
    around = {record.get("parent_run_id") for record in failed}
    return [record for record in failed if record["run_id"] not in around]


def test_where_errors_begin(store: Store) -> None:
    """Errors with no failed span inside, by name and type."""
    found = ask(store, "Where errors begin")
    groups: dict[Any, list[Record]] = defaultdict(list)
    for record in origins():
        groups[record["name"], record.get("error", {}).get("type")].append(record)
    assert {row[:2]: row[3:] for row in found} == {
        key: (len(group), moment(max(map(start_us, group)))) for key, group in groups.items()
    }


def test_growing_prompts(store: Store) -> None:
    """The input tokens of the first and the last counted call of each thread, what grew most first."""
    found = ask(store, "Whose prompts grow")
    wanted = []
    for thread, calls in grouped(filter(FIGURES.counted, RECORDS), "thread_id").items():
        told = [call for call in sorted(calls, key=start_us) if "input_tokens" in call.get("token_usage", {})]
        tokens = [call["token_usage"]["input_tokens"] for call in told]
        ends = (tokens[0], tokens[-1]) if tokens else (None, None)
        if thread is not None:
            wanted.append((thread, len(calls), *ends, known_sum(map(cost, calls))))
    agree(found, wanted)
    grown = [row[3] - row[2] for row in found if row[2] is not None]
    assert grown == sorted(grown, reverse=True)


def test_errors_by_the_minute(store: Store) -> None:
    """Errors with no failed span inside, by the minute they started in and their type, the last first."""
    found = ask(store, "Errors by the minute")
    groups: dict[Any, list[Record]] = defaultdict(list)
    for record in origins():
        minute = moment(start_us(record) // 60_000_000 * 60_000_000)
        groups[minute, record.get("error", {}).get("type")].append(record)
    assert {row[:2]: row[2:] for row in found} == {
        key: (len(group), len({record["trace_id"] for record in group})) for key, group in groups.items()
    }
    assert [row[0] for row in found] == sorted((row[0] for row in found), reverse=True)


def test_running_in_circles(store: Store) -> None:
    """Calls of one tool with the same arguments in one trace, the most first."""
    found = ask(store, "Agents that run in circles")
    groups = grouped(of_kind("tool"), "trace_id", "name", "inputs")
    times = sorted((len(calls) for calls in groups.values() if len(calls) > 1), reverse=True)
    assert [row[4] for row in found] == times[: len(found)]
    assert len(found) == min(20, len(times)) > 0
    assert all(len(groups[trace, name, inputs]) == n for trace, _, name, inputs, n in found)


def test_what_ran_before_an_error(store: Store) -> None:
    """Three at most of each error's trace, and nothing else that ended before it ended later."""
    found = Counter(row[:2] for row in ask(store, "What ran before an error"))
    wanted: Counter[Any] = Counter()
    for error in origins():
        before = [r for r in RECORDS if r["trace_id"] == error["trace_id"] and end_us(r) <= start_us(error)]
        wanted[error["trace_id"], error["name"]] += min(3, sum(r is not error for r in before))
    assert found == +wanted


def test_retry_waste(store: Store) -> None:
    """Node runs that failed before a later attempt of their task in the same trace."""
    nodes = of_kind("node")
    lost = [
        node
        for node in nodes
        if node["status"] == "error"
        and any(same(node, o, "task_id", "trace_id") and o.get("attempt", 0) > node.get("attempt", 9) for o in nodes)
    ]
    wanted = [(key, len(g), sum(node["duration_ms"] for node in g)) for key, g in grouped(lost, "node").items()]
    agree(ask(store, "Retry waste"), wanted)


def test_tools_by_failure(store: Store) -> None:
    """Calls, failures and their share."""
    wanted = []
    for name, calls in grouped(of_kind("tool"), "name").items():
        failed = sum(call["status"] == "error" for call in calls)
        wanted.append((name, len(calls), failed, round(100 * failed / len(calls), 1)))
    agree(ask(store, "Tools by failure"), wanted)


def runs_of_threads() -> list[tuple[str, int, int, Record]]:
    """Thread, start, end and record of each outermost call of a graph; of the root where a thread calls none."""
    runs = []
    by_id = {record["run_id"]: record for record in RECORDS}
    graphs = [record for record in of_kind("graph") if "thread_id" in record]
    for graph in graphs:
        caller = by_id.get(graph.get("parent_run_id", ""))
        if "node" not in graph or (caller is not None and caller.get("thread_id") != graph["thread_id"]):
            runs.append((graph["thread_id"], graph))
    for trace in FIGURES.traces().values():
        root = FIGURES.root(trace["trace_id"], [r for r in RECORDS if r["trace_id"] == trace["trace_id"]])
        called = any(
            same(root | {"thread_id": trace["thread_id"]}, g, "trace_id", "thread_id")
            for g in graphs
            if "node" not in g
        )
        if trace["thread_id"] is not None and (trace["kind"] != "graph" or trace["orphaned"]) and not called:
            runs.append((trace["thread_id"], root))
    return [(thread, start_us(run), end_us(run), run) for thread, run in runs]


def test_threads_by_waiting(store: Store) -> None:
    """Waiting is from a run that stopped for a human to the thread's next one; active the time of its runs."""
    groups: dict[str, list[tuple[int, int, Record]]] = defaultdict(list)
    for thread, start, end, run in runs_of_threads():
        groups[thread].append((start, end, run))
    wanted = []
    for thread, runs in groups.items():
        runs.sort(key=lambda run: (run[0], RECORDS.index(run[2])))
        waited = [
            max(0, after[0] - run[1]) / 1000 for run, after in pairwise(runs) if run[2]["status"] == "interrupted"
        ]
        wall = (max(end for _, end, _ in runs) - runs[0][0]) / 1000
        wanted.append((thread, sum(waited), sum(run["duration_ms"] for _, _, run in runs), wall))
    found = ask(store, "Threads by the time")
    agree([(thread, *times) for thread, _, *times in found], wanted)


def test_gaps(store: Store) -> None:
    """The longest time in which no span below the root ran."""
    found = dict(ask(store, "The longest gap"))
    wanted = {}
    for trace, members in grouped(RECORDS, "trace_id").items():
        inner = sorted((r for r in members if "parent_run_id" in r), key=start_us)
        gaps = [(start_us(inner[n]) - max(map(end_us, inner[:n]))) / 1000 for n in range(1, len(inner))]
        if max(gaps, default=0) > 0:
            wanted[trace] = max(gaps)
    longest = sorted(wanted.values(), reverse=True)[:10]
    assert sorted(found.values(), reverse=True) == pytest.approx(longest)


def test_lines_that_are_no_spans(store: Store) -> None:
    """Counted by reason, with where the first stands."""
    good = sum(len(orjson.dumps(record)) + 1 for record in RECORDS)
    ((_, reason, lines, first_at),) = ask(store, "Lines that are")
    assert (lines, first_at) == (2, good)
    assert reason
