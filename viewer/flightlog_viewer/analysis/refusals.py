"""What a model said instead of an answer: in the content as LangChain and OpenAI have it, or beside it."""

from collections.abc import Mapping
from typing import Any


def refused_in(part: Any) -> str | None:
    """Why a block of a content is a refusal, in its words and its category; None for any other block."""
    if not isinstance(part, Mapping) or not isinstance(part.get("refusal"), str):
        return None
    return _words(part["refusal"], part.get("extras"))


def refused_beside(message: Mapping[Any, Any]) -> str | None:
    """Why a message is a refusal whose content does not tell of it; None for any other message.

    OpenAI says it in ``refusal``, Anthropic in the ``stop_reason`` and the ``stop_details`` of the response.
    """
    content = message.get("content")
    if isinstance(content, list) and any(refused_in(part) is not None for part in content):
        return None
    further = message.get("additional_kwargs")
    said = (further if isinstance(further, Mapping) else message).get("refusal")
    if isinstance(said, str) and said:
        return said
    about = message.get("response_metadata")
    if not isinstance(about, Mapping):
        return None
    details = about.get("stop_details")
    if isinstance(details, Mapping) and details.get("type", "refusal") == "refusal":
        return _words(details.get("explanation"), details)
    return "" if about.get("stop_reason") == "refusal" else None


def _words(said: Any, further: Any) -> str:
    category = further.get("category") if isinstance(further, Mapping) else None
    parts = [said, f"({category})" if isinstance(category, str) and category else ""]
    return " ".join(part for part in parts if isinstance(part, str) and part)
