"""What is known of one span as documents: messages, raw record, arguments, attributes with the cost worked out."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from flightlog_viewer.analysis import units
from flightlog_viewer.analysis.document import Block, Document, gap, heading, json_blocks, open_within, text_blocks
from flightlog_viewer.analysis.finish import cut_short
from flightlog_viewer.analysis.messages import Message, ToolSpan, message_blocks, messages
from flightlog_viewer.analysis.times import wall

TABS = ("Messages", "Raw", "Args", "Attrs")
_EXACT = "%Y-%m-%d %H:%M:%S.%f%z"
_STACK_LINES = 8
_QUESTION_LINES = 20
_PAYLOADS = ("inputs", "output", "metadata", "raw")


def document(
    tab: str,
    span: Mapping[str, Any],
    payload: Mapping[str, Any],
    tools: Mapping[str, ToolSpan],
    marks: Mapping[str, str],
    tz: tzinfo = UTC,
) -> Document:
    """One tab of the detail pane. ``span`` holds the light fields, ``payload`` what was read from the line.

    Times are shown in ``tz``, but for the raw record's: they are as they stand in the file.
    """
    blocks = _head(span, marks, tz)
    if tab == "Messages":
        blocks += _messages(payload, tools, marks)
    elif tab == "Raw":
        light = {k: plain(v) for k, v in span.items() if v is not None and k not in _PAYLOADS}
        blocks += open_within(json_blocks({**light, **payload}))
    elif tab == "Args":
        blocks += _arguments(span, payload)
    else:
        blocks += attributes(span, payload, tz)
    return Document(blocks)


def attributes(span: Mapping[str, Any], payload: Mapping[str, Any], tz: tzinfo = UTC) -> list[Block]:
    """Light fields one a line, tokens and cost with the arithmetic, interrupts with their answers."""
    blocks: list[Block] = []
    blocks += _cost(span)
    for question in _list(span.get("interrupts")):
        blocks += [Block(str(question.get("id", "?")), "", "interrupt id")]
    for answer in _list(span.get("resumes")):
        blocks += [heading("resumed with", "ok"), *json_blocks(answer.get("value"), "answer", depth=0)]
    skip = {
        "v",
        "metadata_in_file",
        "payload_gone",
        "counted",
        "error",
        "interrupts",
        "resumes",
        "token_usage",
        "metadata",
        "price_source",
        *_PAYLOADS,
        *_KINDS,
    }
    blocks.append(gap())
    for name, value in span.items():
        if value is None or name in skip or name.endswith(("_usd_per_mtok", "request_usd")):
            continue
        if isinstance(value, dict | list):
            blocks += json_blocks(plain(value), name, depth=2)
            continue
        shown = wall(value, tz, _EXACT) if isinstance(value, datetime) else value
        blocks.append(Block(str(shown), "", name, value=shown))
    if span.get("checkpoint_id") or span.get("thread_id"):
        blocks.append(Block("the thread at this step", "key", "x", link=("checkpoint", dict(span))))
    metadata = payload.get("metadata", span.get("metadata"))
    if metadata:
        blocks += [gap(), heading("metadata"), *json_blocks(plain(metadata))]
    return blocks


def _head(span: Mapping[str, Any], marks: Mapping[str, str], tz: tzinfo) -> list[Block]:
    status = str(span.get("status") or "?")
    took = span.get("duration_ms")
    began = span.get("start_time")
    title = f"{marks.get(status, '?')} {status}  {span.get('name', '?')}{units.attempt(span.get('attempt'))}"
    if took is not None:
        title += f"  {units.duration(took)}"
    if isinstance(began, datetime):
        title += f"  at {wall(began, tz, '%H:%M:%S.%f')[:-3]}"
    blocks = [heading(title, "error" if status in ("error", "unfinished") else "strong")]
    error = span.get("error")
    if isinstance(error, Mapping):
        blocks += text_blocks(f"{error.get('type') or 'error'}: {error.get('message') or ''}", "error")
        blocks += _stack(str(error.get("stacktrace") or "").rstrip("\n"))
    if status == "unfinished":
        blocks.append(Block("its process died before the end: this is what it was doing", "error"))
    if (reason := cut_short(span.get("finish_reason"))) is not None:
        blocks.append(Block(reason, "wait"))
    for question in _list(span.get("interrupts")):
        blocks += [heading("stopped to ask a human", "wait")]
        blocks += open_within(json_blocks(question.get("value"), "question", depth=0), _QUESTION_LINES)
    return [*blocks, gap()]


def _stack(trace: str) -> list[Block]:
    """Its end, where the error was raised; the way there unfolds."""
    lines = trace.split("\n")
    if len(lines) <= _STACK_LINES + 1:
        return text_blocks(trace, "dim") if trace else []
    earlier, last = "\n".join(lines[:-_STACK_LINES]), "\n".join(lines[-_STACK_LINES:])
    said = f"stack trace: {len(lines) - _STACK_LINES:,} earlier lines"
    more = Block(said, "key", make=lambda: text_blocks(earlier, "dim"), replaces=True, value=trace)
    end = text_blocks(last, "dim")
    end[0].value = trace
    return [more, *end]


def _new_in(before: list[Message], after: list[Message]) -> tuple[int, list[Message]]:
    """How many messages of the output stood in the input already, and the others: state comes back whole."""
    same = 0
    while same < len(before) and same < len(after) and before[same] == after[same]:
        same += 1
    return (same, after[same:]) if same < len(after) else (0, after)


def _messages(payload: Mapping[str, Any], tools: Mapping[str, ToolSpan], marks: Mapping[str, str]) -> list[Block]:
    if payload.get("payload_gone"):
        return [Block("the file no longer holds this span's payload (it was cut or replaced)", "error")]
    before, after = messages(payload.get("inputs")), messages(payload.get("output"))
    if before or after:
        same, fresh = _new_in(before, after)
        note = [gap(), Block(f"the output begins with the {same} messages of the input", "dim")] if same else []
        return message_blocks(before, fresh, tools, marks) + note
    blocks: list[Block] = []
    for name, label in (("inputs", "input"), ("output", "output")):
        value = payload.get(name)
        if value is None:
            continue
        blocks.append(heading(label))
        blocks += text_blocks(value) if isinstance(value, str) else open_within(json_blocks(value))
        blocks.append(gap())
    return blocks or [Block("no payload was recorded", "dim")]


def _arguments(span: Mapping[str, Any], payload: Mapping[str, Any]) -> list[Block]:
    blocks: list[Block] = []
    if span.get("type") == "llm":
        if span.get("model_params") is not None:
            blocks += [heading("parameters"), *json_blocks(plain(span["model_params"])), gap()]
        inputs = payload.get("inputs")
        tools = inputs.get("tools") if isinstance(inputs, dict) else None
        if tools:
            blocks += [heading("tools offered"), *open_within(json_blocks(tools), 60)]
    elif payload.get("inputs") is not None:
        inputs = payload["inputs"]
        blocks += text_blocks(inputs) if isinstance(inputs, str) else open_within(json_blocks(inputs))
    return blocks or [Block("no arguments were recorded", "dim")]


def _cost(span: Mapping[str, Any]) -> list[Block]:
    usage = span.get("token_usage")
    if not isinstance(usage, Mapping):
        return []
    counted: list[tuple[str, Any, str]] = []
    for name in ("input_tokens", "output_tokens", "total_tokens"):
        counted.append((name.removesuffix("_tokens"), usage.get(name), ""))
        details = usage.get(f"{name.removesuffix('s')}_details")
        inside = details.items() if isinstance(details, Mapping) else ()
        counted += [(f"of which {part}", number, "dim") for part, number in inside]
    counted = [line for line in counted if line[1] is not None]
    width = min(30, max((len(key) for key, _, _ in counted), default=0))
    blocks = [heading("tokens")]
    blocks += [Block(f"{number:>10,}", tone, key.ljust(width), value=number) for key, number, tone in counted]
    if span.get("cache_hit"):
        blocks.append(Block("answered by LangChain's cache: no tokens were used, cost 0", "ok"))
    cost = span.get("cost_usd")
    blocks += [gap(), heading("cost")]
    if cost is None:
        blocks.append(
            Block(f"? no price is known for {span.get('provider') or '?'} {span.get('model') or '?'}", "wait")
        )
    else:
        blocks += _arithmetic(span)
        blocks.append(Block(f"${cost:.6f}", "strong", "total".ljust(15), value=cost))
    return blocks


def _arithmetic(span: Mapping[str, Any]) -> list[Block]:
    """``1,200 x $2.50 per million = $0.003000`` for every kind of tokens that was used."""
    blocks = []
    for tokens_field, prices in _KINDS.items():
        tokens = span.get(tokens_field)
        price = next((p for name in prices if (p := span.get(f"{name}_usd_per_mtok")) is not None), None)
        if tokens and price is not None:
            sum_ = f"{tokens:,} x ${price:g}/M = ${tokens * price / 1e6:.6f}"
            blocks.append(Block(sum_, "", tokens_field.removesuffix("_tokens").replace("_", " ").ljust(15)))
    if span.get("request_usd"):
        blocks.append(Block(f"${span['request_usd']:.6f}", "", "request"))
    if span.get("price_source"):
        blocks.append(Block(str(span["price_source"]), "dim", "prices"))
    return blocks


_KINDS: Final = {
    "uncached_input_tokens": ("input",),
    "cache_read_tokens": ("cache_read", "input"),
    "cache_write_tokens": ("cache_write", "input"),
    "cache_write_1h_tokens": ("cache_write_1h", "cache_write", "input"),
    "input_audio_tokens": ("input_audio", "input"),
    "plain_output_tokens": ("output",),
    "output_audio_tokens": ("output_audio", "output"),
    "reasoning_tokens": ("output_reasoning", "output"),
}
"""Kinds of tokens and the prices that apply, the first known one counts: as ``store/prices.py`` reckons."""


def _list(value: Any) -> list[dict[str, Any]]:
    parsed = plain(value)
    return [item for item in parsed if isinstance(item, dict)] if isinstance(parsed, list) else []


def plain(value: Any) -> Any:
    """A value from the store as JSON holds it: JSON columns come as text, times as objects."""
    if isinstance(value, str) and value[:1] in "[{":
        import orjson

        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
