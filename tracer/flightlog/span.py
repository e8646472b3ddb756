"""The span record, version 1: one finished run of a chain, LLM, tool or retriever.

One span is one line of JSON. Light fields come first and payloads (``metadata``, ``inputs``, ``output``) last, so
that a reader can skip them; absent means unknown; fields a reader does not know are kept in ``Span.extra``.
"""

import math
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypedDict, get_args

import orjson

from flightlog.errors import UnreadableError
from flightlog.span_line import decode, flaw
from flightlog.truncation import write_any_depth

VERSION: Final = 1

SpanType = Literal["llm", "tool", "retriever", "chain", "event"]
Kind = Literal["graph", "node", "edge", "task", "runnable"]
Status = Literal["ok", "error", "interrupted", "handoff", "cancelled", "abandoned"]

TYPES: Final[frozenset[str]] = frozenset(get_args(SpanType))
STATUSES: Final[frozenset[str]] = frozenset(get_args(Status))
ANSWER_REFUSED: Final = "flightlog:answer_refused"
"""The tag of what failed because an answer was not of the schema that its question asked for."""


class TokenUsage(TypedDict, total=False):
    """LangChain's own names; every numeric key is kept. ``input_tokens`` includes cached ones."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_token_details: dict[str, int]
    output_token_details: dict[str, int]


class SpanError(TypedDict, total=False):
    """What a run failed with."""

    type: str
    message: str
    stacktrace: str


class Interrupt(TypedDict, total=False):
    """One question a run waits on; ``response_schema`` is the JSON Schema of its answers, where the graph gave one."""

    id: str
    value: Any
    response_schema: dict[str, Any]


class Resume(TypedDict, total=False):
    """One answer a run was resumed with; ``interrupt_id`` is absent for an unscoped resume."""

    interrupt_id: str
    value: Any


class Truncation(TypedDict, total=False):
    """What was cut from a payload: its full size in bytes and its hash (none above 8 MiB)."""

    bytes: int
    sha256: str


@dataclass(slots=True, kw_only=True)
class Span:
    """One run. Field order is that of ``to_json``; ``None`` means unknown and is not written."""

    type: SpanType
    kind: Kind | None = None
    """Only for ``type == "chain"``. Metrics by node use ``kind == "node"``."""
    name: str
    run_id: str
    parent_run_id: str | None = None
    """None for a root."""
    trace_id: str
    """The root's ``run_id``."""
    writer_id: str | None = None
    seq: int | None = None
    """``(writer_id, seq)`` is the key of a record: a run_id can be used twice."""
    start_ns: int
    """Wall clock at the start, nanoseconds since the epoch; written as ``start_time`` in microseconds."""
    duration_ms: float | None = None
    """Monotonic; None while the run has not ended."""
    status: Status | None = None
    """None while the run has not ended."""
    error: SpanError | None = None
    interrupts: list[Interrupt] | None = None
    resumes: list[Resume] | None = None
    model: str | None = None
    """The model that answered."""
    request_model: str | None = None
    provider: str | None = None
    model_params: dict[str, Any] | None = None
    service_tier: str | None = None
    finish_reason: str | None = None
    response_id: str | None = None
    message_id: str | None = None
    token_usage: TokenUsage | None = None
    cache_hit: bool | None = None
    """LangChain's cache answered: the tokens were not spent."""
    time_to_first_token_ms: float | None = None
    chunks: int | None = None
    tool_call_id: str | None = None
    document_count: int | None = None
    thread_id: str | None = None
    node: str | None = None
    step: int | None = None
    checkpoint_ns: str | None = None
    task_id: str | None = None
    checkpoint_id: str | None = None
    attempt: int | None = None
    """Counts the retries of one task from 1."""
    tags: list[str] | None = None
    truncated: dict[str, Truncation] | None = None
    service: str | None = None
    service_version: str | None = None
    environment: str | None = None
    host: str | None = None
    pid: int | None = None
    otel: dict[str, str] | None = None
    """``trace_id`` and ``span_id`` that a live bridge gave."""
    metadata: Any = None
    inputs: Any = None
    output: Any = None
    extra: dict[str, Any] = field(default_factory=dict)
    """Fields of the line that this version does not know; written back as they came."""

    @property
    def start_time(self) -> str:
        """RFC 3339 in UTC with microseconds, as on the line."""
        return format_time(self.start_ns)

    @property
    def end_ns(self) -> int | None:
        """``start_ns`` plus the monotonic duration, at the latest the end of the year 9999; None while the run has not
        ended.
        """
        if self.duration_ms is None:
            return None
        return min(self.start_ns + round(min(self.duration_ms, _LONGEST_MS) * 1e6), _LATEST_NS)

    def to_record(self) -> dict[str, Any]:
        """The JSON object of the line, without what is unknown."""
        record: dict[str, Any] = {"v": VERSION}
        for name in _NAMES:
            if name == "start_ns":
                record["start_time"] = self.start_time
            elif (value := getattr(self, name)) is not None:
                record[name] = value
        if self.extra:
            payloads = {name: record.pop(name) for name in _PAYLOADS if name in record}
            record |= self.extra | payloads
        return record

    def to_json(self) -> bytes:
        """The line without its newline. Payloads must be JSON values already; what is too deep to write is cut."""
        return write_any_depth(self.to_record(), orjson.OPT_NON_STR_KEYS)

    @classmethod
    def from_record(cls, record: Any) -> "Span":
        """Read the JSON object of a line.

        Raises UnreadableError when a required field is missing, of a wrong type or not finite. A wrong optional
        field becomes None.
        """
        if not isinstance(record, dict):
            raise UnreadableError("not a JSON object")
        if reason := flaw(record, TYPES, STATUSES):
            raise UnreadableError(reason)
        values: dict[str, Any] = {"start_ns": parse_time(record.get("start_time")), "extra": {}}
        for name, value in record.items():
            check = _CHECKS.get(name, _UNKNOWN)
            if check is _UNKNOWN:
                if name not in ("v", "start_time"):
                    values["extra"][name] = value
            elif check is None or type(value) is check or _is(value, check):
                values[name] = value
        return cls(**values)

    @classmethod
    def from_json(cls, line: bytes | str) -> "Span":
        """Read a line. Raises UnreadableError when it is not a span."""
        return cls.from_record(decode(line, _nothing))


def format_time(ns: int) -> str:
    """Nanoseconds since the epoch as RFC 3339 in UTC with microseconds: ``2026-11-20T12:01:07.000001Z``."""
    seconds, rest = divmod(ns, 1_000_000_000)
    stamp = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None, microsecond=rest // 1000)
    return stamp.isoformat(timespec="microseconds") + "Z"


def parse_time(text: Any) -> int:
    """RFC 3339 to nanoseconds since the epoch. Raises UnreadableError."""
    if not isinstance(text, str):
        raise UnreadableError("`start_time` is not a string")
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        raise UnreadableError("`start_time` is not an RFC 3339 time") from None
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=UTC)
    delta = stamp - _EPOCH
    ns = ((delta.days * 86400 + delta.seconds) * 1_000_000 + delta.microseconds) * 1000
    if not _EARLIEST_NS <= ns <= _LATEST_NS:  # in UTC, by its offset
        raise UnreadableError("`start_time` is not between the years 1 and 9999")
    return ns


def _nothing(constant: str) -> None:
    """What becomes of NaN and infinity: no format that spans go out in has them."""


def _is(value: Any, kind: type | tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, kind) and not (isinstance(value, float) and not math.isfinite(value))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST_NS = -62_135_596_800 * 1_000_000_000
_LATEST_NS = 253_402_300_799_999_999_000
_LONGEST_MS = 3.2e14
"""More than from the first moment to the last."""
_NAMES = tuple(f.name for f in fields(Span) if f.name != "extra")
_PAYLOADS = ("metadata", "inputs", "output")
_NUMBER = (int, float)
_OPTIONAL: dict[str, type | tuple[type, ...]] = {
    "kind": str,
    "parent_run_id": str,
    "writer_id": str,
    "seq": int,
    "error": dict,
    "interrupts": list,
    "resumes": list,
    "model": str,
    "request_model": str,
    "provider": str,
    "model_params": dict,
    "service_tier": str,
    "finish_reason": str,
    "response_id": str,
    "message_id": str,
    "token_usage": dict,
    "cache_hit": bool,
    "time_to_first_token_ms": _NUMBER,
    "chunks": int,
    "tool_call_id": str,
    "document_count": int,
    "thread_id": str,
    "node": str,
    "step": int,
    "checkpoint_ns": str,
    "task_id": str,
    "checkpoint_id": str,
    "attempt": int,
    "tags": list,
    "truncated": dict,
    "service": str,
    "service_version": str,
    "environment": str,
    "host": str,
    "pid": int,
    "otel": dict,
}
_UNKNOWN = type("_Unknown", (), {})
_CHECKS = {name: _OPTIONAL.get(name) for name in _NAMES if name != "start_ns"}
