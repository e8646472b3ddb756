"""Chat messages, recorded compactly: what was said, without what a provider wraps around it.

Fields are read from the instance dictionary, never through ``model_dump``: it is an order of magnitude faster and runs
no code of the application.
"""

import base64
import hashlib
from typing import Any, Final

HASH_LIMIT: Final = 8 * 1024 * 1024
"""Bytes above which no hash is taken: hashing would block the application for too long."""

_MEDIA_MINIMUM: Final = 256
"""Characters below which data stays as it is: a chip would not be shorter."""

_DATA_KEYS: Final = frozenset(("data", "base64", "file_data", "bytes"))
_PICTURE: Final = "image_generation_call"
_PICTURE_KEYS: Final = _DATA_KEYS | {"result"}
"""Where OpenAI's Responses API puts a picture that its model made."""
_SPEECH: Final = "audio"
"""Where OpenAI's chat completions put what a model said aloud, in ``additional_kwargs``."""
_FURTHER: Final = frozenset(
    (
        "name",
        "role",
        "tool_calls",
        "invalid_tool_calls",
        "tool_call_id",
        "usage_metadata",
        "status",
        "additional_kwargs",
        "response_metadata",
    )
)
_KWARGS_LEFT_OUT: Final = frozenset(("tool_calls", "function_call"))
WHY_REFUSED: Final = "stop_details"
"""Where Anthropic says, in ``response_metadata``, why there is no answer: the content is empty then."""


def compact(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a message worth keeping, from its instance dictionary."""
    content = fields.get("content")
    short = {"type": fields.get("type"), "content": content if isinstance(content, str) else blocks(content)}
    short.update(worth_keeping(fields))
    if identity := fields.get("id"):
        short["id"] = identity
    return short


def worth_keeping(fields: dict[str, Any]) -> dict[str, Any]:
    """What is worth keeping beside type, content and id; most messages have nothing."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if value and name in _FURTHER:
            if name == "additional_kwargs":
                value = {key: item for key, item in value.items() if key not in _KWARGS_LEFT_OUT}
                if not value:
                    continue
                if _SPEECH in value:
                    value = _block(value, 0)
            elif name == "response_metadata":
                why = value.get(WHY_REFUSED)
                if not why:
                    continue
                value = {WHY_REFUSED: why}
            elif name == "status" and value == "success":
                continue
            found[name] = value
    return found


def blocks(content: Any) -> Any:
    """Content blocks with their media as chips. Anything else comes back as it is."""
    if not isinstance(content, list):
        return content
    return [_block(item, 0) if isinstance(item, dict) and item.get("type") != "text" else item for item in content]


def chip(data: bytes, media_type: str = "application/octet-stream") -> dict[str, Any]:
    """What stands for binary data: its type, size in bytes and SHA-256 (none above 8 MiB)."""
    answer: dict[str, Any] = {"media_type": media_type, "bytes": len(data)}
    if len(data) <= HASH_LIMIT:
        answer["sha256"] = hashlib.sha256(data).hexdigest()
    return answer


def media(text: str, media_type: str | None = None) -> dict[str, Any] | None:
    """The chip for a data URL or base64 text, or None when it is neither."""
    if text.startswith("data:"):
        head, found, rest = text.partition(",")
        if not found or not head.endswith(";base64"):
            return None
        return media(rest, head[5:].partition(";")[0] or media_type)
    if len(text) * 3 // 4 > HASH_LIMIT:
        return {"media_type": media_type or "application/octet-stream", "bytes": len(text) * 3 // 4}
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return chip(data, media_type or "application/octet-stream")


def _block(item: Any, depth: int) -> Any:
    """A content block whose long binary strings are chips."""
    if depth > 6 or not isinstance(item, dict | list):
        return item
    if isinstance(item, list):
        return [_block(inner, depth + 1) for inner in item]
    declared = item.get("mime_type") or item.get("media_type")
    media_type = declared if isinstance(declared, str) else None
    keys = _PICTURE_KEYS if item.get("type") == _PICTURE else _DATA_KEYS
    answer: dict[Any, Any] = {}
    for key, value in item.items():
        if isinstance(value, str):
            is_data = len(value) > _MEDIA_MINIMUM and (value.startswith("data:") or key in keys)
            answer[key] = (media(value, media_type) or value) if is_data else value
        elif isinstance(value, bytes | bytearray | memoryview):
            answer[key] = chip(bytes(value), media_type or "application/octet-stream")
        else:
            answer[key] = _block(value, depth + 1)
    return answer
