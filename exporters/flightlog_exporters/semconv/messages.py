"""Chat messages as LangChain dumps them -> the message parts of the GenAI conventions.

The shapes are many (a dump of a message, a serialised constructor, OpenAI's role and content, a pair, a string, a
list of lists), all of them occur in payloads, and payloads may be cut or hostile: everything here is total.
Source of the parts: gen-ai-input-messages.json and gen-ai-output-messages.json of the GenAI conventions.
"""

from dataclasses import dataclass, field
from typing import Any, TypedDict

from flightlog.span import Span
from flightlog_exporters.semconv.json_text import encode

Part = dict[str, Any]


class Message(TypedDict, total=False):
    """One message: who says it, and in which parts."""

    role: str
    parts: list[Part]
    name: str
    finish_reason: str


@dataclass(frozen=True, slots=True)
class Talk:
    """What an LLM was asked and offered, and what it answered; empty for other spans and without content."""

    asked: list[Message] = field(default_factory=list)
    answered: list[Message] = field(default_factory=list)
    tools: list[Any] = field(default_factory=list)


def talk_of(span: Span) -> Talk:
    """The messages of an LLM span."""
    return Talk(
        input_messages(span.inputs),
        output_messages(span.output, span.finish_reason),
        tool_definitions(span.inputs),
    )


def input_messages(inputs: Any) -> list[Message]:
    """The messages an LLM was asked with; empty when there are none to be found."""
    if isinstance(inputs, dict):
        for key in ("messages", "prompts", "input"):
            if key in inputs:
                inputs = inputs[key]
                break
    return [message for item in _flat(inputs) if (message := _message(item, "user"))]


def output_messages(output: Any, finish_reason: str | None = None) -> list[Message]:
    """The messages an LLM answered with; each has a ``finish_reason``, which the conventions require."""
    if isinstance(output, dict):
        for key in ("generations", "messages", "output"):
            if key in output:
                output = output[key]
                break
    messages = [message for item in _flat(output) if (message := _message(_generated(item), "assistant"))]
    for message in messages:
        message["finish_reason"] = finish_reason or ("tool_call" if _calls(message) else "stop")
    return messages


def tool_definitions(inputs: Any) -> list[Any]:
    """The tools an LLM was offered, as the application described them."""
    tools = inputs.get("tools") if isinstance(inputs, dict) else None
    return tools if isinstance(tools, list) else []


def is_completion(inputs: Any) -> bool:
    """Whether a text completion model was asked with plain prompts, not a chat model with messages."""
    prompts = inputs.get("prompts") if isinstance(inputs, dict) and "messages" not in inputs else inputs
    return isinstance(prompts, str) or (
        isinstance(prompts, list) and bool(prompts) and all(isinstance(prompt, str) for prompt in prompts)
    )


def text_of(message: Message) -> str:
    """The text parts of a message, joined by a line break."""
    return "\n".join(str(part.get("content", "")) for part in message["parts"] if part["type"] == "text")


def _flat(value: Any) -> list[Any]:
    """A list of messages out of one, of a batch of one, or of nothing. A pair (role, content) stays whole."""
    if value is None:
        return []
    if not isinstance(value, list):
        return [value]
    if value and isinstance(value[0], list) and not _is_pair(value[0]):
        return [item for batch in value if isinstance(batch, list) for item in batch]
    return [value] if _is_pair(value) else value


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and value[0] in _ROLES


def _generated(item: Any) -> Any:
    """The message within a generation, or its text."""
    if isinstance(item, dict) and "type" not in item and "role" not in item:
        return item.get("message") or item.get("text") or item
    if isinstance(item, dict) and item.get("type") in ("Generation", "ChatGeneration", "ChatGenerationChunk"):
        return item.get("message") or item.get("text")
    return item


def _message(item: Any, role: str) -> Message | None:
    if isinstance(item, str):
        return {"role": role, "parts": [{"type": "text", "content": item}]}
    if _is_pair(item):
        item = {"role": item[0], "content": item[1]}
    if not isinstance(item, dict):
        return None
    said = item.get("role") or item.get("type")
    if said == "constructor" and isinstance(item.get("kwargs"), dict):
        path = item.get("id")
        said = str(path[-1]) if isinstance(path, list) and path else role
        item = item["kwargs"]
    elif isinstance(item.get("data"), dict):
        item = item["data"]
    if "content" not in item and "tool_calls" not in item:
        return None
    role = _ROLES.get(said, said) if isinstance(said, str) else role
    parts = _parts(item.get("content"))
    if role == "tool":
        response = item.get("content")
        call = item.get("tool_call_id")
        parts = [{"type": "tool_call_response", **({"id": call} if call else {}), "response": response}]
    calls = [call for name in _CALLS if isinstance(item.get(name), list) for call in item[name]]
    if calls:
        parts = [part for part in parts if part["type"] != "tool_call"] + [_call(call) for call in calls]
    parts += _refusal(item)
    message: Message = {"role": role, "parts": parts}
    if isinstance(item.get("name"), str):
        message["name"] = item["name"]
    return message


def _refusal(item: dict[str, Any]) -> list[Part]:
    """What a model said instead of an answer, where it stands beside the content: OpenAI's words, Anthropic's reason.

    The conventions have no part for it, and take any type; it is that of a refusal inside a content.
    """
    further = item.get("additional_kwargs")
    said = (further if isinstance(further, dict) else item).get("refusal")
    if isinstance(said, str) and said:
        return [{"type": "refusal", "refusal": said}]
    about = item.get("response_metadata")
    details = about.get("stop_details") if isinstance(about, dict) else None
    if not isinstance(details, dict) or details.get("type", "refusal") != "refusal":
        return []
    known = {"refusal": details.get("explanation"), "category": details.get("category")}
    return [{"type": "refusal", **{name: text for name, text in known.items() if isinstance(text, str)}}]


def _parts(content: Any) -> list[Part]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [{"type": "text", "content": content}]
    if not isinstance(content, list):
        return [{"type": "text", "content": encode(content)}]
    return [_block(block) for block in content]


def _block(block: Any) -> Part:
    """One content block, of LangChain's standard kinds or a provider's own."""
    if not isinstance(block, dict):
        return {"type": "text", "content": str(block)}
    kind = block.get("type")
    match kind:
        case "text":
            return {"type": "text", "content": str(block.get("text", ""))}
        case "reasoning" | "thinking":
            thought = block.get("reasoning") or block.get("thinking") or _summary(block)
            return {"type": "reasoning", "content": str(thought)}
        case "tool_call" | "tool_use":
            return _call(block)
        case "function_call":  # of OpenAI's Responses API, whose own id is that of the block
            return _call({**block, "id": block.get("call_id")})
        case "image_url":
            url = block.get("image_url")
            return {"type": "uri", "modality": "image", "uri": url.get("url") if isinstance(url, dict) else url}
        case "image" | "audio" | "video" | "file":
            facts = {"modality": kind, **({"mime_type": block["mime_type"]} if "mime_type" in block else {})}
            if "url" in block:
                return {"type": "uri", **facts, "uri": block["url"]}
            if "file_id" in block:
                return {"type": "file", **facts, "file_id": block["file_id"]}
            return {"type": "blob", **facts, "content": block.get("base64") or block.get("data") or ""}
        case _:
            return {**block, "type": kind if isinstance(kind, str) else "generic"}


def _summary(block: dict[str, Any]) -> str:
    """What OpenAI's Responses API tells of a thought."""
    parts = block.get("summary")
    texts = [part.get("text") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return "\n\n".join(text for text in texts if isinstance(text, str))


def _call(call: Any) -> Part:
    """A tool call of LangChain (``args``), of a provider (``input``) or of OpenAI (``function.arguments``)."""
    if not isinstance(call, dict):
        return {"type": "tool_call", "name": str(call)}
    given = call.get("function")
    function = given if isinstance(given, dict) else {}
    arguments = next((call[key] for key in ("args", "arguments", "input") if key in call), function.get("arguments"))
    return {
        "type": "tool_call",
        "id": call.get("id"),
        "name": call.get("name") or function.get("name") or "",
        "arguments": arguments,
    }


def _calls(message: Message) -> bool:
    return any(part["type"] == "tool_call" for part in message["parts"])


_CALLS = ("tool_calls", "invalid_tool_calls")
_ROLES = {
    "human": "user",
    "user": "user",
    "HumanMessage": "user",
    "HumanMessageChunk": "user",
    "ai": "assistant",
    "assistant": "assistant",
    "AIMessage": "assistant",
    "AIMessageChunk": "assistant",
    "system": "system",
    "developer": "system",
    "SystemMessage": "system",
    "SystemMessageChunk": "system",
    "tool": "tool",
    "function": "tool",
    "ToolMessage": "tool",
    "FunctionMessage": "tool",
}
