"""OTLP as one JSON document: pretty-printed, in a list, or as a trace server's API answers it.

Jaeger wraps an export request in ``{"result": ...}`` (``/api/v3/traces``), Grafana Tempo in ``{"trace": ...}``, and in
older versions it answers ``{"batches": [...]}``.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final

import orjson

from flightlog.errors import UnreadableError
from flightlog.span import Span
from flightlog_exporters import otlp_json
from flightlog_exporters.line_file import Line
from flightlog_exporters.readers.foreign import to_spans

NAME: Final = "an OTLP JSON document"

_HEAD: Final = re.compile(
    rb"""\s*(?: [\[{] \s* $ | \[ \s* \{ \s* "resource_?[sS]pans" \s* : | \{ \s* "(?:result|trace|batches)" \s* : )""",
    re.VERBOSE,
)
_WRAPPERS: Final = ("result", "trace")
_MOST_BYTES: Final = 1 << 28
"""A document is read whole, and takes several times its size."""


def recognises(head: bytes) -> bool:
    """Whether the first line is that of a document of several, or wraps an export request."""
    return _HEAD.match(head.removeprefix(BOM_UTF8)) is not None


def read(lines: Iterable[Line], reject: Callable[[int, str], None]) -> Iterator[Span]:
    """The spans of the document, in its order."""
    broken = partial(reject, 0)
    try:
        for message in _messages(_document(lines)):
            yield from to_spans(otlp_json.from_message(message, broken), broken)
    except UnreadableError as error:
        broken(str(error))


def _document(lines: Iterable[Line]) -> Any:
    parts, size = [], 0
    for _, data, size in lines:
        parts.append(data)
        if size > _MOST_BYTES:
            raise UnreadableError(f"a document over {_MOST_BYTES >> 20} MB: write one export request a line instead")
    try:
        return orjson.loads(b"".join(parts).removeprefix(BOM_UTF8))
    except orjson.JSONDecodeError as error:
        raise UnreadableError(f"not JSON: {error}") from None


def _messages(document: Any) -> Iterator[Any]:
    """The export requests in a document."""
    waiting = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += reversed(item)
        elif isinstance(item, dict) and "batches" in item:
            yield {"resourceSpans": item["batches"]}
        elif isinstance(item, dict) and (wrapper := next((name for name in _WRAPPERS if name in item), None)):
            waiting.append(item[wrapper])
        else:
            yield item
