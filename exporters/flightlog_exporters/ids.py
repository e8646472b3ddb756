"""Ids of spans and traces that come out the same every time a span is exported.

A run id cannot be used as it is: a uuid7 begins with the time, so its first eight bytes repeat within one graph, and
as a trace id it defeats samplers that expect randomness. Hashes are uniform, and a repeated export is the same span.
"""

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

from flightlog.span import Span

TRACE_ID_BYTES: Final = 16
SPAN_ID_BYTES: Final = 8


class Context(NamedTuple):
    """The place of a span in its OpenTelemetry trace."""

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    """Empty for a root."""


def trace_id(root_run_id: str) -> bytes:
    """16 bytes."""
    return _hash(root_run_id, TRACE_ID_BYTES)


def span_id(run_id: str) -> bytes:
    """8 bytes."""
    return _hash(run_id, SPAN_ID_BYTES)


def context_of(span: Span) -> Context:
    """The ids a live bridge or a foreign instrumentation gave the span, else those made from its run ids."""
    parent = span_id(span.parent_run_id) if span.parent_run_id else b""
    otel = span.otel
    if otel:
        given_trace, given_span = otel.get("trace_id"), otel.get("span_id")
        if _is_id(given_trace, _TRACE_ID) and _is_id(given_span, _SPAN_ID):
            given_parent = otel.get("parent_span_id")
            if _is_id(given_parent, _SPAN_ID):
                parent = bytes.fromhex(str(given_parent))
            return Context(bytes.fromhex(str(given_trace)), bytes.fromhex(str(given_span)), parent)
    return Context(trace_id(span.trace_id), span_id(span.run_id), parent)


@lru_cache(4096)
def _hash(text: str, size: int) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest()


def _is_id(text: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None and text.strip("0") != ""


_TRACE_ID = re.compile("[0-9a-fA-F]{32}")
_SPAN_ID = re.compile("[0-9a-fA-F]{16}")
