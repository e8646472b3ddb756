"""Files of other formats: loading and exporting find the same spans in them, and miss the same lines."""

from pathlib import Path

import pytest

from flightlog.span import Span
from flightlog_exporters import line_file, otlp_json, semconv
from flightlog_exporters.span_source import SpanSource
from flightlog_viewer import open_store
from tests.viewer.store.records import span

TORN = b'{"resourceSpans":[{"x'


def otlp(run_id: str) -> bytes:
    """A span as a line of OTLP, with an attribute that is called like a field of ours."""
    described = semconv.describe(Span.from_record(span(run_id)))
    described.attributes["run_id"] = "theirs"
    return otlp_json.encode([described]) + b"\n"


@pytest.mark.parametrize(
    ("head", "rejected"),
    [(b"", []), (b"\n  \n", []), (otlp("b") + TORN + b"\n" + b" " * 9000 + b"\n", [0, len(TORN) + 1])],
)
def test_loads_and_exports_agree(
    head: bytes, rejected: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also behind blank lines, broken ones and such as are too long, whose places are told."""
    monkeypatch.setattr(line_file, "MAX_LINE_BYTES", 8000)
    path = tmp_path / "a.jsonl"
    path.write_bytes(head + otlp("a"))
    source = SpanSource([path])
    exported = sorted(one.run_id for one in source)
    with open_store(path, cache=False) as store:
        loaded = store.sql("SELECT run_id FROM spans ORDER BY ALL").fetchall()
        offsets = [reject["byte_offset"] for reject in store.rejects]
    assert loaded == [(run_id,) for run_id in exported]
    assert "a" in exported
    assert offsets == [len(otlp("b")) + offset for offset in rejected]
    assert source.rejected == len(rejected)
