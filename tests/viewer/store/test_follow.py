import errno
import os
import tempfile
from pathlib import Path

import orjson
import pytest

from flightlog.errors import UnreadableError
from flightlog.writing.span_file import SpanFile
from flightlog_viewer import Store, open_store
from tests.viewer.store.records import llm, span, write


def ids(store: Store) -> list[str]:
    """The run ids in the order of their rows."""
    return [run_id for (run_id,) in store.sql("SELECT run_id FROM spans ORDER BY row_id").fetchall()]


def append(path: Path, text: bytes) -> None:
    """Append bytes as they are."""
    with path.open("ab") as file:
        file.write(text)


def test_growth_keeps_row_ids(tmp_path: Path) -> None:
    """New lines become new rows behind the old ones, and computed columns follow."""
    path = write(tmp_path / "a.jsonl", span("r", duration_ms=100), llm("a", "r", duration_ms=40))
    with open_store(path) as store:
        assert store.sql("SELECT self_ms FROM spans WHERE run_id = 'r'").fetchall() == [(60,)]
        assert store.query("trace_rows")[0]["total_tokens"] == 15
        assert store.refresh() == 0
        late = llm("b", "r", duration_ms=20, start_time="2026-11-20T12:01:07.060001Z", inputs={"n": 1})
        append(path, orjson.dumps(late) + b"\n")
        assert store.refresh() == 1
        assert ids(store) == ["r", "a", "b"]
        assert store.sql("SELECT self_ms FROM spans WHERE run_id = 'r'").fetchall() == [(40,)]
        assert store.query("trace_rows")[0]["total_tokens"] == 30
        assert store.query("trace_rows")[0]["span_count"] == 3
        assert store.payload(2) == {"inputs": {"n": 1}}


@pytest.mark.parametrize("order", [("root", "outer", "inner"), ("root", "inner", "outer"), ("inner", "outer", "root")])
def test_a_call_within_a_call_is_counted_once_however_they_come(tmp_path: Path, order: tuple[str, ...]) -> None:
    """Of two model calls around one another the inner one counts, whichever is written first."""
    records = {"root": span("root"), "outer": llm("outer", "root"), "inner": llm("inner", "outer")}
    path = write(tmp_path / "a.jsonl", span("before"))
    with open_store(path) as store:
        for name in order:
            append(path, orjson.dumps(records[name]) + b"\n")
            store.refresh()
            store.prepare("SELECT cost_usd FROM spans")
        assert store.sql("SELECT run_id FROM spans WHERE counted").fetchall() == [("inner",)]


def test_what_could_not_be_read_comes_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a mount is gone nothing is read, and nothing is passed over; an opening says what is wrong."""

    def gone(*_: object) -> bytes:
        raise OSError(errno.ESTALE, "Stale file handle")

    path = write(tmp_path / "a.jsonl", span("r"))
    with open_store(path) as store:
        append(path, orjson.dumps(span("b", "r")) + b"\n")
        with monkeypatch.context() as broken:
            broken.setattr(os, "pread", gone)
            assert store.refresh() == 0
            with pytest.raises(UnreadableError, match="cannot be read: Stale file handle"):
                open_store(path)
        assert store.refresh() == 1
        assert ids(store) == ["r", "b"]


def test_partial_last_line(tmp_path: Path) -> None:
    """A line cut inside a character waits as a reject, and is a span once the rest has come."""
    path = write(tmp_path / "a.jsonl", span("r"))
    line = orjson.dumps(span("b", "r", name="é" * 3)) + b"\n"
    middle = line.index("é".encode()) + 1
    append(path, line[:middle])
    with open_store(path) as store:
        assert ids(store) == ["r"]
        assert store.rejects[0]["reason"].startswith("unfinished line")
        append(path, line[middle:-10])
        assert store.refresh() == 0
        append(path, line[-10:])
        assert store.refresh() == 1
        assert ids(store) == ["r", "b"]
        assert store.rejects == []


def test_rotation(tmp_path: Path) -> None:
    """A renamed file is read to its end, its successor from the start, and old payloads stay readable."""
    path = write(tmp_path / "a.jsonl", span("r", inputs={"n": 1}))
    rotated = tmp_path / "a.20261120T120000.000001Z.jsonl"
    with open_store(path) as store:
        append(path, orjson.dumps(span("late", "r")) + b"\n")
        path.rename(rotated)
        write(path, span("new", "r"))
        assert store.refresh() == 2
        assert store.refresh() == 0
        assert sorted(ids(store)) == ["late", "new", "r"]
        assert store.payload(0) == {"inputs": {"n": 1}}
        files = store.sql("SELECT run_id, file FROM spans ORDER BY run_id").fetchall()
        assert [Path(file).name for _, file in files] == [rotated.name, path.name, rotated.name]
        append(path, orjson.dumps(span("newer", "r")) + b"\n")
        assert store.refresh() == 1


def test_truncation(tmp_path: Path) -> None:
    """A file that was emptied in place is read anew; payloads of the spans it held are gone, not wrong."""
    path = write(tmp_path / "a.jsonl", span("r", inputs={"n": 1}), span("s", "r"))
    with open_store(path) as store:
        os.truncate(path, 0)
        store.refresh()
        append(path, orjson.dumps(span("n")) + b"\n")
        store.refresh()
        assert sorted(ids(store)) == ["n", "r", "s"]
        assert store.payload(0) == {"payload_gone": True}
        assert store.sql("SELECT inputs, payload_gone FROM spans WHERE run_id = 'r'").fetchall() == [(None, True)]


@pytest.mark.parametrize("refreshed", [False, True])
def test_truncation_between_two_looks(tmp_path: Path, refreshed: bool) -> None:
    """A file that was emptied and has grown beyond what was read of it is read anew, from its first line."""
    path = write(tmp_path / "a.jsonl", span("r", inputs={"n": 1}))
    with open_store(path) as store:
        if refreshed:
            append(path, orjson.dumps(span("s", "r")) + b"\n")
            assert store.refresh() == 1
        os.truncate(path, 0)
        for name in ("first", "second", "third", "fourth"):
            append(path, orjson.dumps(span(name)) + b"\n")
        assert store.refresh() == 4
        assert store.rejects == []
        assert sorted(ids(store))[:3] == ["first", "fourth", "r"]
        append(path, orjson.dumps(span("fifth")) + b"\n")
        assert store.refresh() == 1
        assert store.payload(0) == {"payload_gone": True}


def test_deleted_file(tmp_path: Path) -> None:
    """A deleted file keeps its spans and payloads while the store is open."""
    path = write(tmp_path / "a.jsonl", span("r", inputs={"n": 1}))
    with open_store(tmp_path) as store:
        path.unlink()
        assert store.refresh() == 0
        assert store.payload(0) == {"inputs": {"n": 1}}


def test_new_file_in_folder(tmp_path: Path) -> None:
    """A file that appears in a folder is loaded."""
    write(tmp_path / "a.jsonl", span("r"))
    with open_store(tmp_path) as store:
        write(tmp_path / "b.jsonl", span("b", "r"))
        assert store.refresh() == 1
        assert ids(store) == ["r", "b"]


def test_duplicates(tmp_path: Path) -> None:
    """A record that is there twice counts once, and a record of the same run that differs is kept."""
    twice = span("r", writer_id="w", seq=1)
    write(tmp_path / "a.jsonl", twice, twice, span("r", writer_id="w", seq=2))
    write(tmp_path / "b.jsonl", twice)
    with open_store(tmp_path) as store:
        assert (store.span_count, store.duplicates) == (2, 2)
        append(tmp_path / "b.jsonl", orjson.dumps(twice) + b"\n")
        assert store.refresh() == 0
        assert store.duplicates == 3


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_compressed(tmp_path: Path, kind: str) -> None:
    """A compressed file is read like a plain one, payloads too, and keeps its name."""
    import gzip

    import zstandard

    plain = write(tmp_path / "plain", span("r", inputs={"n": 1})).read_bytes()
    packed = gzip.compress(plain) if kind == "gz" else zstandard.compress(plain)
    path = tmp_path / f"a.jsonl.{kind}"
    path.write_bytes(packed)
    with open_store(tmp_path) as store:
        assert store.payload(0) == {"inputs": {"n": 1}}
        assert store.sql("SELECT file FROM spans").fetchall() == [(str(path),)]
        assert store.refresh() == 0


def test_in_flight(tmp_path: Path) -> None:
    """What has started shows without a duration, outside percentiles, until it ends."""
    path = tmp_path / "a.jsonl"
    writer = SpanFile(path)
    start = {k: v for k, v in span("r", inputs={"n": 1}).items() if k not in ("status", "duration_ms")}
    start |= {"writer_id": writer.writer_id, "seq": 1}
    child = start | {"run_id": "c", "parent_run_id": "r", "seq": 2, "name": "child"}
    writer.open_span(1, orjson.dumps(start))
    writer.open_span(2, orjson.dumps(child))
    done = child | {"status": "ok", "duration_ms": 5.0}
    writer.write(orjson.dumps(done))
    with open_store(path) as store:
        rows = store.sql("SELECT row_id, run_id, status, duration_ms, end_time FROM spans ORDER BY 1").fetchall()
        assert [row[:4] for row in rows] == [(-1, "r", "running", None), (0, "c", "ok", 5.0)]
        assert rows[0][4] is None
        assert store.payload(-1) == {"inputs": {"n": 1}}
        (trace,) = store.query("trace_rows")
        assert (trace["status"], trace["span_count"], trace["open_count"], trace["row_id"]) == ("running", 2, 1, -1)
        groups = {group["key"]: group["p50_ms"] for group in store.query("summary")}
        assert groups == {"r": None, "child": 5.0}
        writer.write(orjson.dumps(start | {"status": "ok", "duration_ms": 9.0}))
        writer.close_span(1)
        writer.close_span(2)
        assert store.refresh() == 1
        (trace,) = store.query("trace_rows")
        assert (trace["status"], trace["open_count"], trace["row_id"]) == ("ok", 0, 1)
    writer.close()


def test_progress_and_cancel(tmp_path: Path) -> None:
    """The progress callback is told the end, and an answer of False cancels."""
    from flightlog_viewer.store.watch import LoadCancelledError

    path = write(tmp_path / "a.jsonl", span("r"))
    told: list[tuple[int, int, int]] = []
    with open_store(path, progress=lambda *numbers: told.append(numbers)):
        size = path.stat().st_size
        assert told[-1] == (size, size, 1)
    write(tmp_path / "b.jsonl", *(span(f"r{n}") for n in range(20_000)))
    with pytest.raises(LoadCancelledError):
        open_store([tmp_path / "b.jsonl"] * 1, progress=lambda *_: False)


@pytest.mark.parametrize("kind", ["gz", "zst", "otlp"])
def test_growth_of_what_is_read_by_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A compressed file or one of another format is read anew when it has grown: only its new spans are new, and only
    its newest copy is kept."""
    import gzip

    import zstandard

    from flightlog_viewer.store.files import source_file

    monkeypatch.setattr(source_file, "_REST", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    if kind == "otlp":
        fixture = Path(__file__).parents[2] / "exporters/fixtures/openinference.jsonl"
        parts = fixture.read_bytes().splitlines(keepends=True)[:2]
        parts[1] = b'{"resourceSpans":5}\n' + parts[1]
    else:
        pack = gzip.compress if kind == "gz" else zstandard.compress
        parts = [pack(orjson.dumps(span(run_id, inputs={"n": run_id})) + b"\n") for run_id in ("r", "s")]
    path = tmp_path / f"a.jsonl.{kind}"
    path.write_bytes(parts[0])
    with open_store(path, cache=False) as store:
        before = ids(store)
        payload = store.payload(0)
        assert not store.is_behind()
        append(path, parts[1])
        assert store.is_behind()
        assert store.refresh() > 0
        assert not store.is_behind()
        assert store.refresh() == 0
        assert len([found for found in (tmp_path / "tmp").rglob("*") if found.is_file()]) == 1
        assert ids(store)[: len(before)] == before
        assert store.payload(0) == payload
        assert store.payload(len(before))["inputs"] != payload["inputs"]
        assert store.duplicates == 0
        assert len(store.rejects) == (kind == "otlp")
        path.write_bytes(parts[1])
        store.refresh()
        store.refresh()
        assert store.payload(0) == payload


def test_what_is_in_flight_is_seen_between_a_rename_and_the_next_span(tmp_path: Path) -> None:
    """After logrotate there is no file of that name for a while; a process may die then, in the middle of a call."""
    path = tmp_path / "a.jsonl"
    writer = SpanFile(path)
    writer.write(orjson.dumps(span("done")))
    writer.open_span(1, orjson.dumps({**span("call"), "writer_id": writer.writer_id, "seq": 1}) + b"\n\0")
    with open_store(path) as store:
        path.rename(tmp_path / "a.20261121T020000Z.jsonl")
        store.refresh()
        assert (ids(store), store.in_flight) == (["call", "done"], 1)
        for paths in (tmp_path, path, f"{tmp_path}/*.jsonl"):
            with open_store(paths) as opened:
                assert (ids(opened), opened.in_flight) == (["call", "done"], 1)
        writer.write(orjson.dumps(span("next")))
        store.refresh()
        assert (ids(store), store.in_flight) == (["call", "done", "next"], 1)
    writer.close()


def test_what_is_in_flight_is_seen_when_its_span_file_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody moved or deleted it: what was running is still told, and what comes later joins it."""
    path = tmp_path / "a.jsonl"
    writer = SpanFile(path)
    start = {name: value for name, value in span("call").items() if name not in ("status", "duration_ms")}
    writer.open_span(1, orjson.dumps(start | {"writer_id": writer.writer_id, "seq": 1}))
    path.unlink()
    monkeypatch.chdir(tmp_path)
    for paths in (tmp_path, path, ()):
        with open_store(paths) as store:
            assert (ids(store), store.in_flight) == (["call"], 1)
            assert store.refresh() == 0
            writer.write(orjson.dumps(span("next")))
            store.refresh()
            assert (sorted(ids(store)), store.in_flight) == (["call", "next"], 1)
        path.unlink()
    writer.close_span(1)
    writer.close()
    with pytest.raises(UnreadableError, match="does not exist"):
        open_store(path)
