"""Spans of instrumentations that follow OpenTelemetry's GenAI conventions, 1.36 and newer.

Older names are taken where the newer ones are missing: ``gen_ai.system`` (1.36), ``prompt_tokens`` and
``completion_tokens`` (1.26), and content on events of the span.
"""

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
    text,
)
from flightlog_exporters.semconv import names
from flightlog_exporters.semconv.json_text import opened

_TYPES = {
    "chat": "llm",
    "generate_content": "llm",
    "text_completion": "llm",
    "embeddings": "llm",
    "execute_tool": "tool",
    "retrieval": "retriever",
    "invoke_agent": "chain",
    "create_agent": "chain",
    "invoke_workflow": "chain",
}
_PARAMETERS = ("temperature", "top_p", "top_k", "max_tokens", "frequency_penalty", "presence_penalty", "seed")


def recognises(span: OtelSpan) -> bool:
    """Whether the span says a GenAI operation, or (before there were operations) a system and a model."""
    attributes = span.attributes
    return text(attributes, names.OPERATION) in _TYPES or (
        names.OPERATION not in attributes and names.SYSTEM in attributes and names.REQUEST_MODEL in attributes
    )


def fill(record: Record, span: OtelSpan) -> None:
    """Set what the conventions can say and nobody has said before."""
    attributes = span.attributes
    kind = _TYPES[text(attributes, names.OPERATION) or names.CHAT]
    put(record, "type", kind)
    put(record, "thread_id", text(attributes, names.CONVERSATION_ID))
    match kind:
        case "llm":
            _fill_llm(record, span)
        case "tool":
            if name := text(attributes, names.TOOL_NAME):
                record["name"] = name
            put(record, "tool_call_id", text(attributes, names.TOOL_CALL_ID))
            put(record, "inputs", opened(attributes.get(names.TOOL_ARGUMENTS)))
            put(record, "output", opened(attributes.get(names.TOOL_RESULT)))
        case "retriever":
            if name := text(attributes, names.DATA_SOURCE):
                record["name"] = name
            put(record, "inputs", text(attributes, names.RETRIEVAL_QUERY))
            documents = opened(attributes.get(names.RETRIEVAL_DOCUMENTS))
            put(record, "output", documents)
            put(record, "document_count", len(documents) if isinstance(documents, list) else None)
        case _:
            if name := text(attributes, names.AGENT_NAME, names.WORKFLOW_NAME):
                record["name"] = name
            put(record, "kind", "graph")
            put(record, "inputs", _wrapped(_messages(_content(span, names.INPUT_MESSAGES))))
            put(record, "output", _wrapped(_messages(_content(span, names.OUTPUT_MESSAGES))))


def _fill_llm(record: Record, span: OtelSpan) -> None:
    attributes = span.attributes
    request = text(attributes, names.REQUEST_MODEL)
    put(record, "request_model", request)
    put(record, "model", text(attributes, names.RESPONSE_MODEL) or request)
    record["name"] = record.get("model") or record["name"]
    put_provider(record, text(attributes, names.PROVIDER, names.SYSTEM))
    put(record, "response_id", text(attributes, names.RESPONSE_ID))
    reasons = attributes.get(names.FINISH_REASONS)
    if isinstance(reasons, list) and reasons and isinstance(reasons[0], str):
        put(record, "finish_reason", reasons[0])
    first_chunk = attributes.get(names.TIME_TO_FIRST_CHUNK)
    if isinstance(first_chunk, int | float) and not isinstance(first_chunk, bool):
        put(record, "time_to_first_token_ms", first_chunk * 1000)
    parameters: dict[str, Any] = {
        name: value for name in _PARAMETERS if (value := attributes.get("gen_ai.request." + name)) is not None
    }
    stop = attributes.get("gen_ai.request.stop_sequences")
    if stop:
        parameters["stop"] = stop
    put(record, "model_params", parameters or None)
    put_usage(
        record,
        {
            "input_tokens": count(attributes, names.INPUT_TOKENS, "gen_ai.usage.prompt_tokens"),
            "output_tokens": count(attributes, names.OUTPUT_TOKENS, "gen_ai.usage.completion_tokens"),
            "total_tokens": count(attributes, "gen_ai.usage.total_tokens", "llm.usage.total_tokens"),
        },
        {
            "cache_read": count(attributes, names.CACHE_READ_TOKENS, "gen_ai.usage.cache_read_input_tokens"),
            "cache_creation": count(
                attributes,
                names.CACHE_WRITE_TOKENS,
                names.CACHE_CREATION_TOKENS,
                "gen_ai.usage.cache_creation_input_tokens",
            ),
        },
        count(attributes, names.REASONING_TOKENS, "gen_ai.usage.reasoning_tokens"),
    )
    asked = _messages(_content(span, names.INPUT_MESSAGES))
    system = _parts_text(opened(_content(span, names.SYSTEM_INSTRUCTIONS)))
    if system:
        asked = [{"type": "system", "content": system}, *asked]
    put_messages(record, asked, _messages(_content(span, names.OUTPUT_MESSAGES)))


def _content(span: OtelSpan, name: str) -> Any:
    """An attribute of the span, or of one of its events, where some conventions put the content."""
    if name in span.attributes:
        return span.attributes[name]
    return next((event.attributes[name] for event in span.events if name in event.attributes), None)


def _wrapped(messages: list[dict[str, Any]]) -> dict[str, Any] | None:
    return {"messages": messages} if messages else None


def _messages(value: Any) -> list[dict[str, Any]]:
    """Messages in parts -> messages as LangChain dumps them."""
    decoded = opened(value)
    if not isinstance(decoded, list):
        return []
    return [_message(item) for item in decoded if isinstance(item, dict)]


def _message(item: Attributes) -> dict[str, Any]:
    message: dict[str, Any] = {"type": message_type(item.get("role"), "human")}
    parts = item.get("parts")
    parts = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    message["content"] = _parts_text(parts) if "parts" in item else item.get("content") or ""
    others = [part for part in parts if part.get("type") not in ("text", "tool_call", "tool_call_response")]
    if others:
        texts = [{"type": "text", "text": part.get("content")} for part in parts if part.get("type") == "text"]
        message["content"] = [*others, *texts]
    calls = [
        {"name": part.get("name"), "args": opened(part.get("arguments")), "id": part.get("id"), "type": "tool_call"}
        for part in parts
        if part.get("type") == "tool_call"
    ]
    if calls:
        message["tool_calls"] = calls
    for part in parts:
        if part.get("type") == "tool_call_response":
            message["type"] = "tool"
            message["content"] = part.get("response", part.get("result"))
            message["tool_call_id"] = part.get("id")
    if isinstance(item.get("name"), str):
        message["name"] = item["name"]
    return message


def _parts_text(parts: Any) -> str:
    if isinstance(parts, str):
        return parts
    if not isinstance(parts, list):
        return ""
    texts = (part.get("content") for part in parts if isinstance(part, dict) and part.get("type") == "text")
    return "\n".join(text for text in texts if isinstance(text, str))
