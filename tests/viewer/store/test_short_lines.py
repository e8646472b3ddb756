import os
import random
from pathlib import Path

import orjson
import pytest

from flightlog_viewer import open_store
from flightlog_viewer.store.files import rejects
from flightlog_viewer.store.loading import short_lines
from flightlog_viewer.store.loading.lines import find_lines
from tests.viewer.store.records import span


def test_chunks_have_all_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunk by chunk the same lines are found as in one go, and short ones beside them."""
    chance = random.Random(1)
    monkeypatch.setattr(short_lines, "_CHUNK", 64)
    path = tmp_path / "a"
    for _ in range(200):
        parts = [b"\n", b" ", b"a", b"\n\n", b"  \n", b"abc\n", b"\t\n", b"x" * chance.randrange(150) + b"\n"]
        path.write_bytes(b"".join(chance.choices(parts, k=chance.randrange(40))))
        descriptor = os.open(path, os.O_RDONLY)
        try:
            expected = find_lines(descriptor).starts.tolist()
            found = list(short_lines.chunks(descriptor, path.stat().st_size))
        finally:
            os.close(descriptor)
        assert (
            sorted(start for lines, short in found for start in (*lines.starts.tolist(), *short.tolist())) == expected
        )
        assert all((lines.sizes >= short_lines.SHORTEST).all() for lines, _ in found)


def test_spans_among_short_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans in a file of mostly short lines load with their payloads, and lines beyond the limit are only counted."""
    monkeypatch.setattr(rejects, "LISTED", 500)
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        for number in range(50):
            file.write(b"{}\n" * 5000 + b"\n" * 5000 + b" \n" * 500)
            file.write(orjson.dumps(span(f"r{number}", trace=f"r{number}", inputs={"n": number})) + b"\n")
        file.write(b'{"v":1,"type":"chain","name":"torn","run_id":"r","trace_id":"r","start_time":')
    with open_store(path, cache=False) as store:
        assert store.sql("SELECT run_id, inputs->>'n' FROM spans ORDER BY row_id").fetchall() == [
            (f"r{number}", str(number)) for number in range(50)
        ]
        found = store.rejects
        assert len(found) == 502
        assert found[501]["reason"].startswith("unfinished line")
        assert found[0] == {"file": str(path), "byte_offset": 0, "reason": "too short to be a span"}
        assert "249,501 more lines" in found[500]["reason"]
        with path.open("ab") as file:
            file.write(b'"2026-11-20T12:00:00Z","duration_ms":1,"status":"ok"}\n')
        assert store.refresh() == 1
