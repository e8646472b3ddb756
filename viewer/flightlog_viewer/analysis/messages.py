"""Chat messages found in a payload, in whatever shape they were recorded, with tool calls matched to results."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.document import Block, json_blocks, preview, text_blocks
from flightlog_viewer.analysis.message_line import CALLS
from flightlog_viewer.analysis.refusals import refused_beside, refused_in

_ROLES = {
    "human": "user",
    "HumanMessage": "user",
    "ai": "assistant",
    "AIMessage": "assistant",
    "AIMessageChunk": "assistant",
    "SystemMessage": "system",
    "ToolMessage": "tool",
    "FunctionMessage": "tool",
    "function": "tool",
    "developer": "system",
}
_KNOWN = frozenset(("user", "assistant", "system", "tool"))
_TONES = {"user": "ok", "assistant": "llm", "system": "dim", "tool": "tool"}
MOST_MESSAGES = 5000
"""Where the search in one payload stops."""
_MANY_MESSAGES = 20
"""Of so many only the last are shown at first."""
_LAST_MESSAGES = 4


class ToolCall(NamedTuple):
    """What a model asked for."""

    id: str | None
    name: str
    args: Any
    valid: bool = True
    """Whether LangChain could read the arguments; it calls no tool where it could not."""


class ToolSpan(NamedTuple):
    """A recorded run of a tool, known by the id of the call."""

    row_id: int
    name: str
    status: str
    duration_ms: float | None


@dataclass(slots=True)
class Message:
    """One chat message."""

    role: str
    content: Any
    name: str | None = None
    tool_calls: list[ToolCall] = field(default_factory=list)
    tool_call_id: str | None = None
    status: str | None = None
    refusal: str | None = None
    """Why a model would not answer, where that stands beside the content."""


def messages(payload: Any) -> list[Message]:
    """Every chat message in a payload, in its order."""
    return [found for found, _ in zip(_walk(payload), range(MOST_MESSAGES), strict=False)]


def message(value: Any) -> Message | None:
    """A message in LangChain's, OpenAI's or Anthropic's shape; None for anything else."""
    if not isinstance(value, dict):
        return None
    if value.get("type") == "constructor" and isinstance(value.get("kwargs"), dict):
        ids = value.get("id")
        kind = ids[-1] if isinstance(ids, list) and ids else None
        return (
            message({**value["kwargs"], "type": kind}) if isinstance(kind, str) and kind.endswith("Message") else None
        )
    if isinstance(value.get("message"), dict) and "text" in value:  # a ChatGeneration
        return message(value["message"])
    kind = value.get("role") if isinstance(value.get("role"), str) else value.get("type")
    if not isinstance(kind, str) or "content" not in value:
        return None
    role = _ROLES.get(kind, kind)
    if role not in _KNOWN and not kind.endswith(("Message", "MessageChunk")):
        return None
    found = Message(role, value["content"], _text(value.get("name")), status=_text(value.get("status")))
    found.tool_call_id = _text(value.get("tool_call_id"))
    found.refusal = refused_beside(value)
    found.tool_calls = list(_calls(value))
    return found


def message_blocks(
    before: list[Message],
    after: list[Message],
    spans: Mapping[str, ToolSpan] | None = None,
    glyphs: Mapping[str, str] | None = None,
) -> list[Block]:
    """Messages that went in and came out, each tool call with its result: from a message, or from the tool's span.

    Of a long history the end is shown, which is what was answered; the way there unfolds.
    """
    spans, marks = spans or {}, glyphs or {}
    results = {m.tool_call_id: m for m in [*before, *after] if m.role == "tool" and m.tool_call_id}

    def blocks(items: list[Message], label: str, first: int = 1) -> list[Block]:
        numbered = enumerate(items, first)
        return [block for n, item in numbered for block in _one(item, f"{label} {n}", results, spans, marks)]

    folded = len(before) - _LAST_MESSAGES if len(before) >= _MANY_MESSAGES else 0
    more: list[Block] = []
    if folded:
        said = f"{folded:,} earlier messages"
        more = [Block(said, "key", make=lambda: blocks(before[:folded], "in"), replaces=True), Block("")]
    return [*more, *blocks(before[folded:], "in", folded + 1), *blocks(after, "out")][:-1]


def _one(
    item: Message,
    label: str,
    results: Mapping[str, Message],
    spans: Mapping[str, ToolSpan],
    marks: Mapping[str, str],
) -> list[Block]:
    """One message, what it calls, and a gap."""
    who = f"{item.role}{f' {item.name}' if item.name else ''}"
    failed = item.status == "error"
    note = f"  {marks.get('error', 'x')} error" if failed else ""
    link = f"  result of {item.tool_call_id}" if item.tool_call_id else ""
    tone = "error" if failed else _TONES.get(item.role, "strong")
    blocks = [Block(f"{who}{link}{note}", tone, label, value=_plain(item)), *_content_blocks(item.content)]
    if item.refusal is not None:
        blocks.extend(_refusal_blocks(item.refusal))
    for call in item.tool_calls:
        blocks.extend(_call_blocks(call, results.get(call.id or ""), spans.get(call.id or ""), marks))
    return [*blocks, Block("")]


def _walk(value: Any) -> Iterator[Message]:
    stack = [value]
    while stack:
        item = stack.pop()
        found = message(item)
        if found is not None:
            yield found
        elif isinstance(item, list):
            stack.extend(reversed(item))
        elif isinstance(item, dict):
            stack.extend(reversed([v for v in item.values() if isinstance(v, dict | list)]))


def _calls(value: dict[str, Any]) -> Iterator[ToolCall]:
    raw = value.get("tool_calls")
    for call in raw if isinstance(raw, list) else ():
        if not isinstance(call, dict):
            continue
        function = call.get("function")
        if isinstance(function, dict):
            yield ToolCall(_text(call.get("id")), str(function.get("name", "?")), function.get("arguments"))
        else:
            yield ToolCall(_text(call.get("id")), str(call.get("name", "?")), call.get("args"))
    invalid = value.get("invalid_tool_calls")
    for call in invalid if isinstance(invalid, list) else ():
        if isinstance(call, dict):
            yield ToolCall(_text(call.get("id")), str(call.get("name", "?")), call.get("args"), valid=False)
    if not isinstance(raw, list) and not invalid and isinstance(value.get("content"), list):
        for part in value["content"]:
            kind = part.get("type") if isinstance(part, dict) else None
            if kind == "tool_use":
                yield ToolCall(_text(part.get("id")), str(part.get("name", "?")), part.get("input"))
            elif kind == "function_call":
                yield ToolCall(_text(part.get("call_id")), str(part.get("name", "?")), part.get("arguments"))


def _content_blocks(content: Any) -> list[Block]:
    if isinstance(content, str):
        return text_blocks(content) if content else []
    if not isinstance(content, list):
        return json_blocks(content) if content else []
    blocks: list[Block] = []
    for part in content:
        if isinstance(part, str):
            blocks.extend(text_blocks(part))
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            blocks.extend(text_blocks(part["text"]))
        elif (thought := _thought(part)) is not None:
            blocks.append(Block("thinking", "dim"))
            blocks.extend(text_blocks(thought, "dim"))
        elif (why := refused_in(part)) is not None:
            blocks.extend(_refusal_blocks(why))
        elif not (isinstance(part, dict) and part.get("type") in CALLS):
            name = str(part.get("type", "part")) if isinstance(part, dict) else "part"
            blocks.extend(json_blocks(part, name, depth=2))
    return blocks


def _thought(part: Any) -> str | None:
    """What a model thought, in LangChain's words, Anthropic's, or the summary that OpenAI's Responses API gives."""
    if not isinstance(part, dict):
        return None
    said = part.get("reasoning", part.get("thinking"))
    if not isinstance(said, str) and part.get("type") == "reasoning" and isinstance(part.get("summary"), list):
        texts = [
            item["text"] for item in part["summary"] if isinstance(item, dict) and isinstance(item.get("text"), str)
        ]
        said = "\n\n".join(texts) or None
    return said if isinstance(said, str) else None


def _refusal_blocks(text: str) -> list[Block]:
    return [Block("refused", "error"), *(text_blocks(text) if text else [])]


def _call_blocks(
    call: ToolCall, result: Message | None, span: ToolSpan | None, marks: Mapping[str, str]
) -> list[Block]:
    blocks = [
        Block(
            f"{call.name}({preview(call.args, 100)})",
            "tool" if call.valid else "error",
            "call",
            make=lambda: json_blocks(call.args, "args"),
            value=call.args,
        )
    ]
    if span is not None:
        mark = marks.get(span.status, span.status)
        took = "" if span.duration_ms is None else f" {units.duration(span.duration_ms)}"
        blocks.append(
            Block(
                f"{mark} {span.status}{took}",
                "error" if span.status == "error" else "dim",
                "span",
                link=("span", span.row_id),
            )
        )
    if result is not None:
        text = result.content if isinstance(result.content, str) else preview(result.content, 200)
        blocks.append(
            Block(
                preview(text, 200).replace("\n", " "),
                "dim",
                "result",
                make=lambda: _content_blocks(result.content),
                value=result.content,
            )
        )
    elif not call.valid:
        blocks.append(Block("nothing was called: the arguments are not valid JSON", "error", "result"))
    elif span is None:
        blocks.append(Block("no result in this payload or this trace", "dim", "result"))
    return blocks


def _plain(item: Message) -> Any:
    return item.content if item.content or not item.tool_calls else [call._asdict() for call in item.tool_calls]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
