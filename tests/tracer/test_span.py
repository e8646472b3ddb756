"""The span record."""

import pytest

from flightlog.errors import UnreadableError
from flightlog.span import Span

LINE = (
    b'{"v":1,"type":"llm","name":"gpt","run_id":"a","trace_id":"a","start_time":"2026-11-20T12:01:07.000001Z",'
    b'"duration_ms":12.5,"status":"ok","model":"gpt","future":{"x":1},"inputs":{"q":1},"output":"hi"}'
)


def test_a_line_survives_reading_and_writing_with_fields_we_do_not_know() -> None:
    """A record of a newer writer is written back unchanged."""
    span = Span.from_json(LINE)
    assert span.to_json() == LINE
    assert span.extra == {"future": {"x": 1}}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"v":1', b'"v":"1"'),
        (b'"type":"llm"', b'"type":"x"'),
        (b'"name":"gpt"', b'"name":1'),
        (b'"duration_ms":12.5', b'"duration_ms":"1"'),
        (b'"duration_ms":12.5', b'"duration_ms":true'),
        (b'"status":"ok"', b'"status":[]'),
        (b"2026-11-20T12:01:07.000001Z", b"yesterday"),
        (b"}", b""),
        (b"}", b',"x":NaN,"y":"\xed\xa0\x80"}'),  # half a surrogate pair, behind what Python's own reader is for
    ],
)
def test_a_line_without_a_required_field_is_no_span(old: bytes, new: bytes) -> None:
    """A wrong required field is an UnreadableError, never another exception."""
    with pytest.raises(UnreadableError):
        Span.from_json(LINE.replace(old, new, 1))


def test_a_wrong_optional_field_becomes_unknown() -> None:
    """An optional field of a wrong type is None and the span still loads."""
    assert Span.from_json(LINE.replace(b'"model":"gpt"', b'"model":7')).model is None
