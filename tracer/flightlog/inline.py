"""When the tracer runs inline.

Inline callbacks come in order, in the caller's own context and without a thread hop. But
``AsyncCallbackManager.on_llm_start`` passes over every handler that is not inline as soon as one is
(langchain-ai/langchain#39633). There, and only there, the tracer counts as inline only if another handler is, so that
attaching it changes nothing for the others; the manager then runs it inline all the same.
"""

from types import CodeType, FrameType
from typing import Any, Final

_MAX_CALLERS: Final = 64
_usual_callers: dict[int, CodeType] = {}
"""Code that has asked before, by identity (it is kept alive here): LangChain asks three times an event."""


def counts_as_inline(caller: FrameType, own: type) -> bool:
    """What ``run_inline`` answers to the code that reads it; handlers of class ``own`` do not count as others."""
    code = caller.f_code
    if id(code) in _usual_callers:
        return True
    if "on_llm_start" not in code.co_qualname:
        if len(_usual_callers) < _MAX_CALLERS:
            _usual_callers[id(code)] = code
        return True
    frame: FrameType | None = caller
    while frame is not None and frame.f_code.co_name != "on_llm_start":
        frame = frame.f_back  # a comprehension has a frame of its own before Python 3.12
    manager: Any = frame.f_locals.get("self") if frame is not None else None
    others = [handler for handler in getattr(manager, "handlers", ()) if not isinstance(handler, own)]
    return not others or any(handler.run_inline for handler in others)
