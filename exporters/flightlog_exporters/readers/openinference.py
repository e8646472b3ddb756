"""Spans of OpenInference instrumentations (what Phoenix reads)."""

import re
from typing import Any

from flightlog_exporters.otel_span import Attributes, OtelSpan
from flightlog_exporters.readers.facts import (
    Record,
    count,
    message_type,
    put,
    put_messages,
    put_provider,
    put_usage,
    take_langgraph,
    text,
)
from flightlog_exporters.semconv import names
from flightlog_exporters.semconv.json_text import decode, opened

_TYPES = {"LLM": "llm", "EMBEDDING": "llm", "TOOL": "tool", "RETRIEVER": "retriever"}
_INDEXED = re.compile(r"(\d{1,6})\.message\.(.+)")
_CALL = re.compile(r"tool_calls\.(\d{1,6})\.tool_call\.(id|function\.name|function\.arguments)")


def recognises(span: OtelSpan) -> bool:
    """Whether the span says its OpenInference kind."""
    return names.OI_KIND in span.attributes


def fill(record: Record, span: OtelSpan) -> None:
    """Set what OpenInference can say and nobody has said before."""
    attributes = span.attributes
    kind = _TYPES.get(str(attributes[names.OI_KIND]).upper(), "chain")
    put(record, "type", kind)
    put(record, "thread_id", text(attributes, names.OI_SESSION))
    tags = attributes.get(names.OI_TAGS)
    put(record, "tags", tags if isinstance(tags, list) and tags else None)
    metadata = decode(attributes.get(names.OI_METADATA))
    if isinstance(metadata, dict):
        put(record, "metadata", take_langgraph(record, metadata, chain=kind == "chain") or None)
    if kind == "llm":
        _fill_llm(record, attributes)
    elif kind == "tool":
        put(record, "tool_call_id", text(attributes, names.OI_TOOL_ID))
        if name := text(attributes, names.OI_TOOL_NAME):
            record["name"] = name
    elif kind == "retriever":
        indexes = {key.split(".")[2] for key in attributes if key.startswith(names.OI_DOCUMENTS + ".")}
        put(record, "document_count", len(indexes) or None)
    put(record, "inputs", _value(attributes, names.OI_INPUT, names.OI_INPUT_MIME))
    put(record, "output", _value(attributes, names.OI_OUTPUT, names.OI_OUTPUT_MIME))


def _fill_llm(record: Record, attributes: Attributes) -> None:
    put(record, "model", text(attributes, names.OI_MODEL))
    record["name"] = record.get("model") or record["name"]
    put_provider(record, text(attributes, names.OI_PROVIDER, names.OI_SYSTEM))
    put(record, "finish_reason", text(attributes, names.OI_FINISH_REASON))
    parameters = decode(attributes.get(names.OI_PARAMS))
    put(record, "model_params", parameters if isinstance(parameters, dict) and parameters else None)
    put_usage(
        record,
        {
            "input_tokens": count(attributes, names.OI_PROMPT_TOKENS),
            "output_tokens": count(attributes, names.OI_COMPLETION_TOKENS),
            "total_tokens": count(attributes, names.OI_TOTAL_TOKENS),
        },
        {
            "cache_read": count(attributes, names.OI_CACHE_READ),
            "cache_creation": count(attributes, names.OI_CACHE_WRITE),
        },
        count(attributes, names.OI_REASONING),
    )
    asked, answered = (
        _messages(attributes, f"{side}.") for side in (names.OI_INPUT_MESSAGES, names.OI_OUTPUT_MESSAGES)
    )
    put_messages(record, asked, answered)


def _value(attributes: Attributes, name: str, mime: str) -> Any:
    value = attributes.get(name)
    return opened(value) if attributes.get(mime) == names.JSON_MIME else value


def _messages(attributes: Attributes, prefix: str) -> list[dict[str, Any]]:
    """The flattened messages as LangChain dumps them."""
    messages: dict[int, dict[str, Any]] = {}
    calls: dict[int, dict[int, dict[str, Any]]] = {}
    for key, value in attributes.items():
        if not key.startswith(prefix) or (found := _INDEXED.fullmatch(key, len(prefix))) is None:
            continue
        index, field = int(found[1]), found[2]
        message = messages.setdefault(index, {"type": "human", "content": ""})
        if field == "role":
            message["type"] = message_type(value, "human")
        elif field in ("content", "name", "tool_call_id"):
            message[field] = value
        elif part := _CALL.fullmatch(field):
            call = calls.setdefault(index, {}).setdefault(int(part[1]), {"type": "tool_call"})
            if part[2] == "function.arguments":
                call["args"] = opened(value)
            else:
                call[part[2].removeprefix("function.")] = value
    for index, made in calls.items():
        messages[index]["tool_calls"] = [made[position] for position in sorted(made)]
    return [messages[index] for index in sorted(messages)]
