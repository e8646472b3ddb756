"""What an exception that ended a run means: an error, a question to a human, a handoff, or an end from outside."""

import traceback
from typing import Any, Final

from flightlog.events.langgraph import bubble_up, interrupt_records, raised_interrupts, refuses_answer
from flightlog.events.runs import OpenRun
from flightlog.foreign import foreign, goes_through
from flightlog.payloads.plain import mro, type_name
from flightlog.span import ANSWER_REFUSED

MAX_STACKTRACE: Final = 16_384
"""Characters kept of a stack trace; its end is kept, because the cause is there."""
MAX_MESSAGE: Final = 8_192
"""Characters kept of a message, from its beginning."""
_CANCELLED: Final = frozenset(("CancelledError", "Cancelled", "GreenletExit"))
"""How asyncio and concurrent.futures, trio and gevent end a task from outside. By name: none need be loaded."""


def outcome(error: BaseException, run: OpenRun | None, fields: dict[str, Any]) -> str:
    """The status of a run that ended with an exception; what the exception says is set on ``fields``."""
    status = status_of(error)
    if status == "interrupted":
        raised = raised_interrupts(error)
        fields["interrupts"] = interrupt_records(raised)
        # Should the parent end well nonetheless, being the graph that holds the exception, it waits for these.
        if run is not None and run.parent is not None:
            run.parent.remark().interrupts.extend(raised)
    elif status == "error":
        known = run.root.error if run is not None else None
        if known is None or known[0] is not error:
            known = (error, error_record(error))
            if run is not None:
                run.root.error = known
        fields["error"] = known[1]
        if run is not None and refuses_answer(error):
            run.tag(ANSWER_REFUSED)
    return status


def status_of(error: BaseException) -> str:
    """``interrupted``, ``handoff``, ``cancelled``, ``abandoned`` (a generator dropped in the middle) or ``error``."""
    status = bubble_up(error)
    if status is not None:
        return status
    if isinstance(error, GeneratorExit):
        return "abandoned"
    if isinstance(error, KeyboardInterrupt) or any(base.__name__ in _CANCELLED for base in mro(type(error))):
        return "cancelled"
    return "error"


def error_record(error: BaseException) -> dict[str, str]:
    """``type``, ``message`` and ``stacktrace`` of an exception, whatever its ``__str__`` does."""
    foreign.depth += 1
    try:
        return _record(error)
    finally:
        foreign.depth -= 1


def _record(error: BaseException) -> dict[str, str]:
    record = {"type": type_name(type(error)), "message": _text(error)}
    try:
        trace = "".join(traceback.format_exception(error))
    except Exception:  # a __str__ that raises takes format_exception with it
        try:
            trace = "".join(traceback.format_tb(error.__traceback__))
        except Exception:
            return record
    record["stacktrace"] = trace if len(trace) <= MAX_STACKTRACE else "…" + trace[-MAX_STACKTRACE:]
    return record


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException as raised:
        if goes_through(raised):
            raise
        return ""
    return text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + "…"


def tool_message_error(output: Any) -> dict[str, str] | None:
    """The error in a ToolMessage by which a tool answered its own exception."""
    if getattr(output, "status", None) != "error" or getattr(output, "type", None) != "tool":
        return None
    content = output.content
    text = content if isinstance(content, str) else _words(content) or repr(content)
    return {"type": "ToolException", "message": text[:MAX_MESSAGE]}


def _words(content: Any) -> str:
    """The texts among the blocks of a content: so MCP servers, and OpenAI, say what failed."""
    blocks = content if isinstance(content, list) else ()
    texts = (block.get("text") if isinstance(block, dict) else block for block in blocks)
    return "\n".join(text for text in texts if isinstance(text, str))
