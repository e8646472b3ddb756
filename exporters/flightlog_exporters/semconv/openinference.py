"""A span in the words of OpenInference, which Phoenix and others read."""

from typing import Any

from flightlog.span import Span
from flightlog_exporters.otel_span import Attributes
from flightlog_exporters.semconv import names
from flightlog_exporters.semconv.genai import is_agent
from flightlog_exporters.semconv.json_text import dump, encode
from flightlog_exporters.semconv.messages import Message, Talk, text_of
from flightlog_exporters.semconv.token_details import token_details

_KINDS = {"llm": "LLM", "tool": "TOOL", "retriever": "RETRIEVER"}


def add(attributes: Attributes, span: Span, talk: Talk, *, content: bool) -> None:
    """Add everything OpenInference can say of a finished span."""
    attributes[names.OI_KIND] = "AGENT" if is_agent(span) else _KINDS.get(span.type, "CHAIN")
    if span.thread_id is not None:
        attributes[names.OI_SESSION] = span.thread_id
    if span.tags:
        attributes[names.OI_TAGS] = [str(tag) for tag in span.tags]
    if span.metadata is not None:
        attributes[names.OI_METADATA] = encode(span.metadata)
        user = span.metadata.get("user_id") if isinstance(span.metadata, dict) else None
        if isinstance(user, str):
            attributes[names.OI_USER] = user
    if content:
        _put_value(attributes, names.OI_INPUT, names.OI_INPUT_MIME, span.inputs)
        _put_value(attributes, names.OI_OUTPUT, names.OI_OUTPUT_MIME, span.output)
    match span.type:
        case "llm":
            _add_llm(attributes, span, talk)
        case "tool":
            attributes[names.OI_TOOL_NAME] = span.name
            if span.tool_call_id is not None:
                attributes[names.OI_TOOL_ID] = span.tool_call_id
            if content and span.inputs is not None:
                attributes[names.OI_TOOL_PARAMETERS] = dump(span.inputs)
        case "retriever":
            if content:
                _add_documents(attributes, span.output)
        case "chain":
            if span.kind == "node":
                attributes[names.OI_NODE_ID] = attributes[names.OI_NODE_NAME] = span.node or span.name


def _add_llm(attributes: Attributes, span: Span, talk: Talk) -> None:
    if model := span.model or span.request_model:
        attributes[names.OI_MODEL] = model
    if span.provider is not None:
        attributes[names.OI_PROVIDER] = attributes[names.OI_SYSTEM] = span.provider
    if span.finish_reason is not None:
        attributes[names.OI_FINISH_REASON] = span.finish_reason
    if span.model_params:
        attributes[names.OI_PARAMS] = encode(span.model_params)
    if span.token_usage and not span.cache_hit:
        _add_usage(attributes, span.token_usage)
    _add_messages(attributes, names.OI_INPUT_MESSAGES, talk.asked)
    _add_messages(attributes, names.OI_OUTPUT_MESSAGES, talk.answered)
    for index, tool in enumerate(talk.tools):
        attributes[f"{names.OI_TOOLS}.{index}.tool.json_schema"] = dump(tool)


def _add_usage(attributes: Attributes, usage: Any) -> None:
    details = token_details(usage)
    for name, count in (
        (names.OI_PROMPT_TOKENS, usage.get("input_tokens")),
        (names.OI_COMPLETION_TOKENS, usage.get("output_tokens")),
        (names.OI_TOTAL_TOKENS, usage.get("total_tokens")),
        (names.OI_CACHE_READ, details.cache_read),
        (names.OI_CACHE_WRITE, details.cache_write),
        (names.OI_REASONING, details.reasoning),
    ):
        if isinstance(count, int) and not isinstance(count, bool):
            attributes[name] = count


def _add_messages(attributes: Attributes, prefix: str, messages: list[Message]) -> None:
    for index, message in enumerate(messages):
        at = f"{prefix}.{index}.message."
        attributes[at + "role"] = message["role"]
        if text := text_of(message):
            attributes[at + "content"] = text
        calls = 0
        for part in message["parts"]:
            if part["type"] == "tool_call_response":
                attributes[at + "content"] = dump(part.get("response"))
                if isinstance(part.get("id"), str):
                    attributes[at + "tool_call_id"] = part["id"]
            elif part["type"] == "tool_call":
                call = f"{at}tool_calls.{calls}.tool_call."
                if isinstance(part.get("id"), str):
                    attributes[call + "id"] = part["id"]
                attributes[call + "function.name"] = str(part["name"])
                attributes[call + "function.arguments"] = dump(part.get("arguments"))
                calls += 1


def _add_documents(attributes: Attributes, output: Any) -> None:
    documents = output.get("documents") if isinstance(output, dict) else output
    for index, document in enumerate(documents if isinstance(documents, list) else ()):
        if not isinstance(document, dict):
            continue
        facts = document["kwargs"] if isinstance(document.get("kwargs"), dict) else document
        at = f"{names.OI_DOCUMENTS}.{index}.document."
        if isinstance(facts.get("id"), str):
            attributes[at + "id"] = facts["id"]
        if "page_content" in facts:
            attributes[at + "content"] = dump(facts["page_content"])
        if facts.get("metadata"):
            attributes[at + "metadata"] = encode(facts["metadata"])


def _put_value(attributes: Attributes, name: str, mime: str, value: Any) -> None:
    if value is not None:
        attributes[name] = dump(value)
        attributes[mime] = names.TEXT_MIME if isinstance(value, str) else names.JSON_MIME
