"""The figures of span records in plain Python, from what the documentation says of them; nothing of the store."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import pairwise
from typing import Any, TypeAlias, TypeVar

from genai_prices import Usage, calc_price

Record: TypeAlias = dict[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def start_us(record: Record) -> int:
    """Microseconds since the epoch."""
    return int((datetime.fromisoformat(record["start_time"]) - EPOCH) / timedelta(microseconds=1))


def end_us(record: Record) -> int:
    """Microseconds since the epoch; half of one is the next, as in SQL."""
    duration_ms: float = record["duration_ms"]
    return start_us(record) + math.floor(duration_ms * 1000 + 0.5)


def moment(us: int | None) -> datetime | None:
    """As the store gives a time: naive, UTC."""
    return None if us is None else (EPOCH + timedelta(microseconds=us)).replace(tzinfo=None)


def percentile(values: Iterable[float], share: float) -> float | None:
    """Interpolated between the two nearest."""
    ordered = sorted(values)
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    low, high = math.floor(place), math.ceil(place)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


Number = TypeVar("Number", int, float)


def known_sum(values: Iterable[Number | None]) -> Number | None:
    """The sum of what is known; None when nothing is."""
    known = [value for value in values if value is not None]
    return sum(known[1:], start=known[0]) if known else None


class Figures:
    """What records of finished spans come to."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records
        self.inside: dict[tuple[str, str], list[Record]] = defaultdict(list)
        for record in records:
            if "parent_run_id" in record:
                self.inside[record["trace_id"], record["parent_run_id"]].append(record)

    def children(self, record: Record) -> list[Record]:
        """The spans that name it as their parent."""
        return [child for child in self.inside[record["trace_id"], record["run_id"]] if child is not record]

    def own_ms(self, record: Record) -> float:
        """The duration less every microsecond in which a child ran."""
        begin, end = start_us(record), end_us(record)
        edges = sorted({begin, end, *(edge for child in self.children(record) for edge in span_of(child))})
        busy = 0
        for first, last in pairwise(edges):
            if begin <= first and last <= end:
                taken = any(start_us(child) <= first and last <= end_us(child) for child in self.children(record))
                busy += (last - first) * taken
        took: float = record["duration_ms"]
        return max(0.0, took - busy / 1000)

    def counted(self, record: Record) -> bool:
        """Whether a model call's tokens count."""
        return (
            record["type"] == "llm"
            and not record.get("cache_hit")
            and not any(child["type"] == "llm" for child in self.children(record))
        )

    def tokens(self, records: Iterable[Record], name: str) -> int | None:
        """Tokens spent."""
        return known_sum((record.get("token_usage") or {}).get(name) for record in records if self.counted(record))

    def cost(self, records: Iterable[Record]) -> float | None:
        """Dollars, where the price is known."""
        return known_sum(cost(record) for record in records if self.counted(record))

    def unknown_costs(self, records: Iterable[Record]) -> int:
        """Calls whose cost is not known."""
        return sum(self.counted(record) and cost(record) is None for record in records)

    def spent(self, records: Sequence[Record]) -> Record:
        """Tokens and cost."""
        return {
            **{name: self.tokens(records, name) for name in ("input_tokens", "output_tokens", "total_tokens")},
            "cost_usd": self.cost(records),
            "unknown_costs": self.unknown_costs(records),
        }

    def traces(self) -> dict[str, Record]:
        """A row of each trace."""
        groups: dict[str, list[Record]] = defaultdict(list)
        for record in self.records:
            groups[record["trace_id"]].append(record)
        return {name: self.trace(name, members) for name, members in groups.items()}

    def trace(self, name: str, members: Sequence[Record]) -> Record:
        """A trace: its root, and its sums."""
        root = self.root(name, members)
        in_threads = [record for record in members if "thread_id" in record]
        earliest = min(in_threads, key=lambda r: (start_us(r), r["seq"]), default={})
        return {
            "trace_id": name,
            **{
                key: root.get(key)
                for key in ("name", "type", "kind", "status", "duration_ms", "service", "service_version")
            },
            "environment": root.get("environment"),
            "metadata": root.get("metadata"),
            "start_time": moment(start_us(root)),
            "end_time": moment(end_us(root)),
            "span_count": len(members),
            "error_count": sum(record["status"] == "error" for record in members),
            "open_count": 0,
            "llm_count": sum(record["type"] == "llm" for record in members),
            "tool_count": sum(record["type"] == "tool" for record in members),
            **self.spent(members),
            "thread_id": root.get("thread_id", earliest.get("thread_id")),
            "orphaned": "parent_run_id" in root,
        }

    def root(self, name: str, members: Sequence[Record]) -> Record:
        """The span of a trace that has no parent, or the earliest whose parent is missing."""
        return min(members, key=lambda r: ("parent_run_id" in r, r["run_id"] != name, start_us(r), r["seq"]))

    def overview(self) -> Record:
        """One row about all."""
        records = self.records
        calls = [record for record in records if record["type"] == "llm"]
        by_status = {
            status: [record for record in records if record["status"] == status] for status in ("error", "interrupted")
        }
        return {
            "spans": len(records),
            "errors": len(by_status["error"]),
            "interrupted": len(by_status["interrupted"]),
            "unfinished": 0,
            "llm_calls": len(calls),
            "missing_usage": sum(
                call["status"] == "ok" and "token_usage" not in call and not call.get("cache_hit") for call in calls
            ),
            "first_start": moment(min(start_us(record) for record in records)),
            "last_end": moment(max(end_us(record) for record in records)),
            **self.spent(records),
            "traces": len({record["trace_id"] for record in records}),
            "failed_traces": len({record["trace_id"] for record in by_status["error"]}),
            "interrupted_traces": len({record["trace_id"] for record in by_status["interrupted"]}),
        }

    def summary(self, by: str, tz: tzinfo = UTC) -> dict[tuple[Any, str], Record]:
        """Groups by key and type."""
        if by in ("thread", "status", "service", "version", "environment", "day", "week") or "." in by:
            return self._runs(by, tz)
        groups: dict[tuple[Any, str], list[Record]] = defaultdict(list)
        for record in self.records:
            kind = record["type"]
            match by:
                case "name":
                    groups[record["name"], kind].append(record)
                case "type":
                    groups[kind, kind].append(record)
                case "model" if kind == "llm":
                    groups[first(record, "model", "request_model", "name"), kind].append(record)
                case "tool" if kind == "tool":
                    groups[record["name"], kind].append(record)
                case "node" if record.get("kind") == "node":
                    groups[first(record, "node", "name"), "node"].append(record)
                case "waste":
                    groups[self.waste(record), "span"].append(record)
        found = {}
        for key, members in groups.items():
            spent: Sequence[Record] = members
            if by == "node":
                spent = [r for r in self.records if r["type"] == "llm" and r.get("node") == key[0]]
            found[key] = self.measures(members) | self.spent(spent)
            if by == "node" and not spent:
                found[key]["unknown_costs"] = None
            if by == "waste":
                found[key]["total_ms"] = sum(self.own_ms(record) for record in members)
        return found

    def measures(self, members: Sequence[Record]) -> Record:
        """Counts and times."""
        timed = [record["duration_ms"] for record in members if record["status"] != "interrupted"]
        return {
            "count": len(members),
            "errors": sum(record["status"] == "error" for record in members),
            "interrupted": sum(record["status"] == "interrupted" for record in members),
            **{f"p{share}_ms": percentile(timed, share / 100) for share in (50, 95, 99)},
            "total_ms": sum(record["duration_ms"] for record in members),
        }

    def _runs(self, by: str, tz: tzinfo) -> dict[tuple[Any, str], Record]:
        groups: dict[Any, list[Record]] = defaultdict(list)
        for trace in self.traces().values():
            local = trace["start_time"].replace(tzinfo=UTC).astimezone(tz)
            match by:
                case "day":
                    groups[local.date().isoformat()].append(trace)
                case "week":
                    groups["{}-W{:02}".format(*local.isocalendar())].append(trace)
                case "thread":
                    groups[trace["thread_id"]].append(trace)
                case "version":
                    groups[trace["service_version"]].append(trace)
                case "metadata.long/er":
                    groups[(trace["metadata"] or {}).get("long/er")].append(trace)
                case _:
                    groups[trace[by]].append(trace)
        sums = ("input_tokens", "output_tokens", "total_tokens", "cost_usd", "unknown_costs")
        return {
            (key, "trace"): self.measures(members) | {name: known_sum(m[name] for m in members) for name in sums}
            for key, members in groups.items()
        }

    def waste(self, record: Record) -> str:
        """The worst reason at the span itself and all around it."""
        found = set()
        at: list[tuple[Record, bool]] = [(record, False)]
        seen: list[tuple[Record, bool]] = []
        while at:
            one, kept = at.pop()
            if any(one is known and kept is was for known, was in seen):
                continue
            seen.append((one, kept))
            resumable = one.get("kind") == "graph" and "thread_id" in one
            if one["status"] in ("abandoned", "cancelled") and (one is record or not resumable):
                found.add("abandoned")
            if not kept and self._retried(one):
                found.add("retried")
            if not kept and self._redone(one):
                found.add("retried" if one["status"] == "error" else "rerun")
            kept = kept or self._kept(one)
            at += [(parent, kept) for parent in self._parents(one)]
        return next((name for name in ("abandoned", "retried", "rerun") if name in found), "useful")

    def _retried(self, one: Record) -> bool:
        if one["status"] != "error":
            return False
        for other in self.records:
            if other["trace_id"] != one["trace_id"]:
                continue
            if (
                one.get("kind") in ("node", "task")
                and same(one, other, "kind", "task_id")
                and other.get("attempt", 0) > one.get("attempt", math.inf)
            ):
                return True
            if (
                any(tag.startswith("retry:attempt:") for tag in other.get("tags", ()))
                and same(one, other, "parent_run_id", "type")
                and start_us(other) > start_us(one)
            ):
                return True
        return False

    def _parents(self, one: Record) -> list[Record]:
        if "parent_run_id" not in one:
            return []
        return [r for r in self.records if r["run_id"] == one["parent_run_id"] and r["trace_id"] == one["trace_id"]]

    def _redone(self, one: Record) -> bool:
        """Whether a task did not end, and was started again."""
        return one["status"] in ("error", "interrupted") and self._started_again(one)

    def _started_again(self, one: Record) -> bool:
        return one.get("kind") in ("node", "task") and any(
            same(one, other, "kind", "task_id") and start_us(other) > start_us(one) for other in self.records
        )

    def _kept(self, one: Record) -> bool:
        """Whether a finished task is in the checkpoints of what is around it, which went on from them."""
        if one["status"] not in ("ok", "handoff") or one.get("kind") not in ("node", "task") or "task_id" not in one:
            return False
        around = [r for r in self.records if same(one, r, "parent_run_id", "trace_id")]
        return not self._started_again(one) and any(map(self._redone, around + self._parents(one)))


def span_of(record: Record) -> tuple[int, int]:
    """Start and end."""
    return start_us(record), end_us(record)


def first(record: Record, *names: str) -> Any:
    """The first field that is there."""
    return next(record[name] for name in names if name in record)


def same(one: Record, other: Record, *names: str) -> bool:
    """Whether both have these fields, with the same values."""
    return all(name in one and name in other and one[name] == other[name] for name in names)


PROVIDERS = {"google_genai": "google"}


def cost(record: Record) -> float | None:
    """What the library says that a call cost."""
    if record.get("cache_hit"):
        return 0.0
    usage = record.get("token_usage") or {}
    model = record.get("model", record.get("request_model"))
    if model is None or "input_tokens" not in usage or "output_tokens" not in usage:
        return None
    details = usage.get("input_token_details", {})
    provider = record.get("provider")
    try:
        price = calc_price(
            Usage(
                input_tokens=usage["input_tokens"],
                output_tokens=usage["output_tokens"],
                cache_read_tokens=details.get("cache_read"),
                cache_write_tokens=details.get("cache_creation"),
                input_audio_tokens=details.get("audio"),
                cache_audio_read_tokens=0,  # LangChain's kinds of tokens do not overlap
                output_audio_tokens=usage.get("output_token_details", {}).get("audio"),
            ),
            model,
            provider_id=PROVIDERS.get(provider, provider) if provider else None,
            genai_request_timestamp=datetime.fromisoformat(record["start_time"]),
        )
    except (LookupError, ValueError):
        return None
    total: Decimal = price.total_price
    return float(total)
