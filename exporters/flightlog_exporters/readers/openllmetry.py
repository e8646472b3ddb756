"""Spans of OpenLLMetry (Traceloop): ``traceloop.*``, and its older ``gen_ai.prompt.N`` and ``gen_ai.completion.N``."""

import re
from typing import Any

from flightlog_exporters.otel_span import Attributes, OtelSpan
from flightlog_exporters.readers.facts import (
    Record,
    message_type,
    put,
    put_messages,
    put_provider,
    take_langgraph,
    text,
)
from flightlog_exporters.semconv import names
from flightlog_exporters.semconv.json_text import decode, opened

_PROPERTY = "traceloop.association.properties."
_INDEXED = re.compile(
    r"gen_ai\.(prompt|completion)\.(\d{1,6})\.(role|content|finish_reason|tool_call_id|tool_calls\..+)"
)
_CALL = re.compile(r"tool_calls\.(\d{1,6})\.(id|name|arguments)")
_TYPES = {"tool": "tool", "workflow": "chain", "task": "chain", "agent": "chain"}


def recognises(span: OtelSpan) -> bool:
    """Whether Traceloop's own attributes or its older indexed ones are there."""
    return any(
        key.startswith(("traceloop.", "gen_ai.prompt.", "gen_ai.completion.", "llm.request.type"))
        for key in span.attributes
    )


def fill(record: Record, span: OtelSpan) -> None:
    """Set what OpenLLMetry says beyond the GenAI conventions, or in its older words."""
    attributes = span.attributes
    if attributes.get(names.OPERATION) == "vector_db_retrieve":
        put(record, "type", "retriever")
    elif "llm.request.type" in attributes or any(key.startswith("gen_ai.prompt.") for key in attributes):
        put(record, "type", "llm")
    elif (kind := text(attributes, "traceloop.span.kind")) in _TYPES:
        put(record, "type", _TYPES[kind])
    if entity := text(attributes, "traceloop.entity.name"):
        record["name"] = entity
    put(record, "thread_id", text(attributes, _PROPERTY + "thread_id", _PROPERTY + "session_id"))
    properties = {key.removeprefix(_PROPERTY): value for key, value in attributes.items() if key.startswith(_PROPERTY)}
    put_provider(record, text(properties, "ls_provider"))
    put(record, "model", text(properties, "ls_model_name"))
    rest = take_langgraph(record, properties, chain=record.get("type") == "chain")
    put(record, "metadata", {key: value for key, value in rest.items() if not key.startswith("ls_")} or None)
    _fill_entity(record, attributes)
    _fill_indexed(record, attributes)


def _fill_entity(record: Record, attributes: Attributes) -> None:
    """``traceloop.entity.input`` wraps the inputs together with tags and metadata."""
    asked = decode(attributes.get("traceloop.entity.input"))
    if isinstance(asked, dict):
        put(record, "inputs", next((asked[key] for key in ("inputs", "input_str", "query") if key in asked), asked))
        tags = asked.get("tags")
        put(record, "tags", tags if isinstance(tags, list) and tags else None)
    answered = decode(attributes.get("traceloop.entity.output"))
    if isinstance(answered, dict):
        if record.get("type") == "retriever" and isinstance(answered.get("count"), int):
            put(record, "document_count", answered["count"])
        keys = ("outputs", "output", "documents")
        put(record, "output", next((answered[key] for key in keys if key in answered), answered))


def _fill_indexed(record: Record, attributes: Attributes) -> None:
    found: dict[str, dict[int, dict[str, Any]]] = {"prompt": {}, "completion": {}}
    for key, value in attributes.items():
        if (match := _INDEXED.fullmatch(key)) is None:
            continue
        side, index, field = match[1], int(match[2]), match[3]
        unsaid = "ai" if side == "completion" else "human"
        message = found[side].setdefault(index, {"type": unsaid, "content": ""})
        if field == "role":
            message["type"] = message_type(value, unsaid)
        elif field == "finish_reason":
            put(record, "finish_reason", value)
        elif call := _CALL.fullmatch(field):
            calls = message.setdefault("tool_calls", {})
            name = "args" if call[2] == "arguments" else call[2]
            part = calls.setdefault(int(call[1]), {"type": "tool_call"})
            part[name] = opened(value) if name == "args" else value
        else:
            message[field] = value
    put_messages(record, _ordered(found["prompt"]), _ordered(found["completion"]))


def _ordered(messages: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    for message in messages.values():
        if "tool_calls" in message:
            calls = message["tool_calls"]
            message["tool_calls"] = [calls[index] for index in sorted(calls)]
    return [messages[index] for index in sorted(messages)]
