"""OTLP JSON lines, as the Collector's file exporter writes them."""

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

from flightlog.errors import UnreadableError
from flightlog.span import Span
from flightlog_exporters import otlp_json
from flightlog_exporters.line_file import Line
from flightlog_exporters.readers.foreign import to_spans

NAME: Final = "OTLP JSON lines"

_HEAD: Final = re.compile(rb'\s*\{\s*"resource_?[sS]pans"\s*:')


def recognises(head: bytes) -> bool:
    """Whether the first line begins as an export request does."""
    return _HEAD.match(head.removeprefix(BOM_UTF8)) is not None


def read(lines: Iterable[Line], reject: Callable[[int, str], None]) -> Iterator[Span]:
    """The spans of all lines, in the order of the file, which need not be that of time."""
    for offset, data, _ in lines:
        if data.isspace():
            continue
        broken = partial(reject, offset)
        try:
            spans = otlp_json.decode(data.removeprefix(BOM_UTF8), broken)
        except UnreadableError as error:
            broken(str(error))
        else:
            yield from to_spans(spans, broken)
