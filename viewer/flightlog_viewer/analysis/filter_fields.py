"""The fields of the filter language: their names, the column each stands for, and how its values are read."""

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Literal, get_args

from flightlog.span import Kind, SpanType, Status
from flightlog_viewer.analysis.filter_syntax import words_hint

FieldKind = Literal["text", "id", "list", "number", "count", "duration", "money", "time", "flag", "payload"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field: what it reads in ``spans`` and, for ``root:``, in ``traces``."""

    name: str
    kind: FieldKind
    span: str | None
    """SQL over the columns of ``spans``; None for what only a whole trace has."""
    trace: str | None
    """SQL over the columns of ``traces``; None when it is read from the root span."""
    meaning: str
    also: tuple[str, ...] = ()


def _text(name: str, meaning: str, *also: str, trace: str | None = None) -> Field:
    return Field(name, "text", also[0] if also and also[0] in _COLUMNS else name, trace, meaning, also)


_COLUMNS: Final = {"finish_reason", "service_tier", "service_version", "environment", "request_model"}

STATUSES: Final[tuple[str, ...]] = (*get_args(Status), "running", "unfinished")
"""Those of the record, and those of spans in flight."""
_STATUS: Final = re.compile(r"\bstatus[:=]([a-z_*?]+)")
_SUMMED: Final = re.compile(r"(?<!root:)\b(tokens|cost)[:=<>]")

_FIELDS: Final = (
    _text("name", "name of the run: model, tool, node or runnable", trace="name"),
    _text("type", ", ".join(get_args(SpanType))),
    _text("kind", ", ".join(get_args(Kind))),
    _text("status", ", ".join(STATUSES), trace="status"),
    # As `summary --by model` groups: a call that failed was answered by none.
    Field(
        "model",
        "text",
        "CASE WHEN type = 'llm' THEN coalesce(model, request_model, name) END",
        None,
        "model that answered, else was asked",
    ),
    _text("request_model", "model that was asked"),
    _text("provider", "provider of the model"),
    _text("node", "LangGraph node"),
    _text("finish", "why the model stopped", "finish_reason"),
    _text("tier", "service tier", "service_tier"),
    _text("service", "service that ran it", trace="service"),
    _text("version", "version of the service", "service_version"),
    _text("env", "environment", "environment"),
    _text("host", "host that ran it"),
    _text("file", "span file it is in"),
    Field("tool", "text", "CASE WHEN type = 'tool' THEN name END", None, "name of the tool"),
    Field("thread", "text", "thread_id", "thread_id", "LangGraph thread", ("thread_id",)),
    Field(
        "error",
        "text",
        "nullif(concat_ws(': ', error.type, error.message), '')",
        None,
        "type and message of the error",
    ),
    Field("ns", "text", "checkpoint_ns", None, "checkpoint namespace", ("checkpoint_ns",)),
    Field("trace", "id", "trace_id", "trace_id", "trace, by the start of its id", ("trace_id",)),
    Field("run", "id", "run_id", "trace_id", "run, by the start of its id", ("run_id", "span", "id")),
    Field("parent", "id", "parent_run_id", None, "parent run", ("parent_run_id",)),
    Field("task", "id", "task_id", None, "LangGraph task", ("task_id",)),
    Field("checkpoint", "id", "checkpoint_id", None, "checkpoint", ("checkpoint_id",)),
    Field("call", "id", "tool_call_id", None, "tool call", ("tool_call_id",)),
    Field("tag", "list", "tags", None, "a tag", ("tags",)),
    Field("dur", "duration", "duration_ms", "duration_ms", "duration: 250ms, 2s, 1m", ("duration", "duration_ms")),
    Field("self", "duration", "self_ms", None, "duration without children", ("self_ms",)),
    Field("ttft", "duration", "time_to_first_token_ms", None, "time to the first token", ("time_to_first_token_ms",)),
    Field("tokens", "count", "token_usage.total_tokens", "total_tokens", "tokens: 800, 4k", ("tok", "total_tokens")),
    Field("in", "count", "token_usage.input_tokens", "input_tokens", "input tokens", ("input_tokens",)),
    Field("out", "count", "token_usage.output_tokens", "output_tokens", "output tokens", ("output_tokens",)),
    Field("cost", "money", "cost_usd", "cost_usd", "cost in dollars: 0.05, $2", ("cost_usd",)),
    Field("step", "count", "step", None, "LangGraph step"),
    Field("attempt", "count", "attempt", None, "attempt of the task, from 1"),
    Field("docs", "count", "document_count", None, "documents retrieved", ("document_count",)),
    Field("chunks", "count", "chunks", None, "streamed chunks"),
    Field("pid", "count", "pid", None, "process"),
    Field("spans", "count", None, "span_count", "spans of the trace", ("span_count",)),
    Field("errors", "count", None, "error_count", "failed spans of the trace", ("error_count",)),
    Field("start", "time", "start_time", "start_time", "start: 2026-11-20, 12:00, 2h (ago)", ("start_time",)),
    Field("end", "time", "end_time", "end_time", "end", ("end_time",)),
    Field("cached", "flag", "cache_hit", None, "answered by LangChain's cache: yes, no", ("cache_hit",)),
    Field("inputs", "payload", "inputs", None, "text in the inputs", ("input",)),
    Field("output", "payload", "output", None, "text in the output"),
    Field("metadata", "payload", "metadata", None, "text in the metadata; metadata.KEY:value for one key"),
)

FIELDS: Final[dict[str, Field]] = {name: field for field in _FIELDS for name in (field.name, *field.also)}
"""Every name a field answers to."""


def field(name: str) -> Field | None:
    """The field of that name, None when there is none."""
    return FIELDS.get(name.lower())


def complete(start: str) -> list[str]:
    """The names of fields that begin so, for completion."""
    return [known.name for known in _FIELDS if known.name.startswith(start.lower())]


def guess(name: str) -> str:
    """`` (did you mean `status`?)`` when something is near, else nothing."""
    near = get_close_matches(name.lower(), FIELDS, n=1)
    return f": did you mean `{near[0]}`?" if near else ""


def status_hint(text: str, statuses: Iterable[str] = STATUSES) -> str:
    """What may be wrong with a filter that leaves nothing: a status that there is not."""
    known = list(statuses)
    if any(not fnmatch.filter(known, name) for name in _STATUS.findall(text.lower())):
        return f"; a status is one of {', '.join(known)}"
    return ""


def hint(text: str) -> str:
    """What may be wrong with a filter that leaves no trace.

    An operator in small letters, an unknown status, a sum that is asked of one span, or a word of what was said.
    """
    if not (said := words_hint(text) or status_hint(text)) and (summed := _SUMMED.search(text.lower())):
        return f"; {summed[1]} is that of one span, root:{summed[1]} that of the trace"
    if not said and text.strip() and not re.search("[:<>=]", text):
        return "; a word is sought in names and ids, inputs:WORD and output:WORD in what was said"
    return said
