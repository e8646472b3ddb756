"""A span in the words of OpenTelemetry's GenAI conventions."""

from typing import Any

from flightlog.span import Span
from flightlog_exporters.otel_span import Attributes
from flightlog_exporters.semconv import names
from flightlog_exporters.semconv.json_text import dump
from flightlog_exporters.semconv.messages import Talk, is_completion
from flightlog_exporters.semconv.token_details import token_details

_PARAMETERS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "max_output_tokens": "gen_ai.request.max_tokens",
    "stop": "gen_ai.request.stop_sequences",
    "stop_sequences": "gen_ai.request.stop_sequences",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
    "n": "gen_ai.request.choice.count",
}


def is_agent(span: Span) -> bool:
    """Whether the span is a whole graph run, not a graph used as a node of another."""
    return span.kind == "graph" and (span.parent_run_id is None or span.node is None)


def operation(span: Span) -> str | None:
    """``gen_ai.operation.name``; None where the conventions have none (graph nodes, other chains)."""
    match span.type:
        case "llm":
            return names.TEXT_COMPLETION if is_completion(span.inputs) else names.CHAT
        case "tool":
            return names.EXECUTE_TOOL
        case "retriever":
            return names.RETRIEVAL
        case _:
            return names.INVOKE_AGENT if is_agent(span) else None


def provider(span: Span) -> str:
    """``gen_ai.provider.name``, which the conventions require: ``_OTHER`` when nobody said."""
    return names.PROVIDERS.get(span.provider, span.provider) if span.provider else "_OTHER"


def identity(span: Span) -> Attributes:
    """What is known when the span starts, for samplers to decide on, and stays true."""
    attributes: Attributes = {}
    if (doing := operation(span)) is not None:
        attributes[names.OPERATION] = doing
    if span.type == "llm":
        attributes[names.PROVIDER] = provider(span)
        if model := span.request_model or span.model:
            attributes[names.REQUEST_MODEL] = model
    elif span.type == "tool":
        attributes[names.TOOL_NAME] = span.name
    elif doing == names.INVOKE_AGENT:
        attributes[names.AGENT_NAME] = span.name
    if span.thread_id is not None:
        attributes[names.CONVERSATION_ID] = span.thread_id
    return attributes


def add(attributes: Attributes, span: Span, talk: Talk, *, content: bool, cache_write: bool = False) -> None:
    """Add everything the conventions can say of a finished span. Times are seconds, counts are tokens."""
    attributes.update(identity(span))
    if span.error:
        attributes[names.ERROR_TYPE] = str(span.error.get("type") or "_OTHER")
    match span.type:
        case "llm":
            _add_llm(attributes, span, talk, cache_write)
        case "tool":
            attributes[names.TOOL_TYPE] = "function"
            if span.tool_call_id is not None:
                attributes[names.TOOL_CALL_ID] = span.tool_call_id
            if content:
                _put_json(attributes, names.TOOL_ARGUMENTS, span.inputs)
                _put_json(attributes, names.TOOL_RESULT, span.output)
        case "retriever":
            attributes[names.DATA_SOURCE] = span.name
            if content:
                _put_json(attributes, names.RETRIEVAL_QUERY, span.inputs)
                _put_json(attributes, names.RETRIEVAL_DOCUMENTS, span.output)


def _add_llm(attributes: Attributes, span: Span, talk: Talk, cache_write: bool) -> None:
    if span.model is not None:
        attributes[names.RESPONSE_MODEL] = span.model
    if span.response_id is not None:
        attributes[names.RESPONSE_ID] = span.response_id
    if span.finish_reason is not None:
        attributes[names.FINISH_REASONS] = [span.finish_reason]
    if span.chunks is not None:
        attributes[names.REQUEST_STREAM] = True
    if span.time_to_first_token_ms is not None:
        attributes[names.TIME_TO_FIRST_CHUNK] = span.time_to_first_token_ms / 1000
    if span.model_params:
        _add_parameters(attributes, span.model_params)
    if span.token_usage and not span.cache_hit:
        attributes.update(usage(span, cache_write=cache_write))
    if talk.tools:
        attributes[names.TOOL_DEFINITIONS] = dump(talk.tools)
    if talk.asked:
        attributes[names.INPUT_MESSAGES] = dump(talk.asked)
    if talk.answered:
        attributes[names.OUTPUT_MESSAGES] = dump(talk.answered)


def _add_parameters(attributes: Attributes, parameters: dict[str, Any]) -> None:
    for key, value in parameters.items():
        name = _PARAMETERS.get(key)
        if name is None:
            continue
        if name.endswith("stop_sequences"):
            attributes[name] = [str(item) for item in value] if isinstance(value, list) else [str(value)]
        elif isinstance(value, int | float) and not isinstance(value, bool):
            attributes[name] = value


def usage(span: Span, *, cache_write: bool = False) -> dict[str, int]:
    """Token counts by attribute name. Input includes cached tokens, output includes reasoning."""
    known = span.token_usage or {}
    details = token_details(known)
    counts = {
        names.INPUT_TOKENS: known.get("input_tokens"),
        names.OUTPUT_TOKENS: known.get("output_tokens"),
        names.CACHE_READ_TOKENS: details.cache_read,
        names.CACHE_WRITE_TOKENS if cache_write else names.CACHE_CREATION_TOKENS: details.cache_write,
        names.REASONING_TOKENS: details.reasoning,
    }
    return {name: count for name, count in counts.items() if isinstance(count, int) and not isinstance(count, bool)}


def _put_json(attributes: Attributes, name: str, value: Any) -> None:
    if value is not None:
        attributes[name] = dump(value)
