"""OTLP that is no line a request: documents that people save from an API or a formatter."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from flightlog.errors import UnreadableError
from flightlog.span import Span
from flightlog_exporters import otlp_json, semconv
from flightlog_exporters.readers.files import read_file

SPAN = Span.from_record(
    {
        **{"v": 1, "type": "tool", "name": "search", "run_id": "a", "trace_id": "a", "status": "ok"},
        **{"start_time": "2026-11-20T10:00:00.000000Z", "duration_ms": 1.0},
    }
)
REQUEST: dict[str, Any] = json.loads(otlp_json.encode([semconv.describe(SPAN)]))
DOCUMENTS = {
    "pretty": json.dumps(REQUEST, indent=2),
    "list": json.dumps([REQUEST]),
    "pretty list": "\n" + json.dumps([REQUEST], indent=1),
    "jaeger": json.dumps({"result": REQUEST}),
    "tempo": json.dumps({"trace": REQUEST}, indent=4),
    "older tempo": json.dumps({"batches": REQUEST["resourceSpans"]}),
}


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("packed", [False, True])
def test_a_document_is_read_as_its_requests(name: str, packed: bool, tmp_path: Path) -> None:
    """Pretty-printed, in a list, or as Jaeger and Tempo wrap it, compressed or not: the spans are those of lines."""
    content = DOCUMENTS[name].encode()
    (tmp_path / "x.json").write_bytes(gzip.compress(content) if packed else content)
    rejects: list[tuple[int, str]] = []
    spans = list(read_file(tmp_path / "x.json", lambda offset, reason: rejects.append((offset, reason))))
    assert [(span.name, span.run_id) for span in spans] == [("search", "a")]
    assert rejects == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{\n", "not JSON"),
        ("[\n" * 2000 + "]" * 2000, "not JSON"),
        ("[\n" * 1000 + "7" + "]" * 1000, "no `resourceSpans`"),
        ('[\n{"id": "a"}]', "no `resourceSpans`"),
        ('{"result": {"result": 1}}', "no `resourceSpans`"),
        ('{"batches": 7}', "no `resourceSpans`"),
        ('{"batches": [7]}', "broken OTLP: a value of a wrong type"),
    ],
)
def test_a_document_of_something_else_is_refused_with_a_reason(content: str, reason: str, tmp_path: Path) -> None:
    """Nothing is read, and one reject says why."""
    (tmp_path / "x.json").write_text(content)
    rejects: list[str] = []
    assert list(read_file(tmp_path / "x.json", lambda offset, reason: rejects.append(reason))) == []
    assert [text[: len(reason)] for text in rejects] == [reason]


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_file_is_called_empty(content: str, tmp_path: Path) -> None:
    """It is not of an unknown format."""
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(UnreadableError, match="is empty"):
        list(read_file(tmp_path / "x.json", lambda offset, reason: None))
