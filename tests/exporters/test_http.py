"""What an answer of an OTLP server over HTTP means."""

from flightlog_exporters.delivery.http import judge


def test_the_wait_a_server_asks_for_is_read() -> None:
    """Retry-After as seconds or as a date, bounded, and nothing when it makes no sense."""
    assert judge(429, {"retry-after": "7"}, b"").retry_after_s == 7
    assert judge(503, {"retry-after": "1e9"}, b"").retry_after_s == 600
    assert judge(503, {"retry-after": "Fri, 01 Jan 2100 00:00:00 GMT"}, b"").retry_after_s == 600
    assert judge(503, {"retry-after": "Fri, 01 Jan 2010 00:00:00 GMT"}, b"").retry_after_s == 0
    assert judge(503, {"retry-after": "soon"}, b"").retry_after_s is None
    assert judge(503, {"retry-after": "nan"}, b"").retry_after_s is None
