"""A store that is followed without an end, and lets go of what is behind it."""

import gzip
import os
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from flightlog.errors import UnreadableError
from flightlog.writing.span_file import SpanFile
from flightlog_viewer import Store, open_store
from flightlog_viewer.store import rows as store_rows
from flightlog_viewer.store.files import opened_files
from tests.viewer.store.records import llm, span, write

STAMP = "20261120T120000.00000{}Z"


def line(number: int, **fields: Any) -> bytes:
    """The line of a trace of one span."""
    return orjson.dumps(span(f"r{number}", trace=f"r{number}", inputs={"n": number}, **fields)) + b"\n"


def append(path: Path, *numbers: int) -> None:
    """More traces at the end of a file."""
    with path.open("ab") as file:
        file.write(b"".join(line(number) for number in numbers))


def ids(store: Store) -> list[int]:
    """The numbers of the spans, in the order of their rows."""
    return [int(run_id[1:]) for (run_id,) in store.sql("SELECT run_id FROM spans ORDER BY row_id").fetchall()]


def descriptors() -> int:
    """How many this process has."""
    return len(os.listdir("/dev/fd"))


def held(store: Store) -> int:
    """Rows of all tables that grow with what comes."""
    tables = ("span_rows", "open_rows", "reject_rows", "sources", "trace_rows", "llm_wrappers", "prices")
    with store.cursor() as cursor:
        counts = [cursor.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0] for table in tables]
    assert len(store.sources) <= store.span_count + 4
    return sum(counts)


@pytest.mark.slow
def test_who_follows_without_an_end_has_the_newest_spans_alone(tmp_path: Path) -> None:
    """Their number, that of files and of rejects stay bounded, through rotation; what is kept is whole."""
    path = tmp_path / "s.jsonl"
    writer = SpanFile(path, max_bytes=4_000, max_total_bytes=16_000)
    writer.write(line(0))
    start = {name: value for name, value in span("r0").items() if name not in ("status", "duration_ms")}
    writer.open_span(1, orjson.dumps(start | {"writer_id": writer.writer_id, "seq": 1}))
    opened = descriptors()
    with open_store(path, cache=False) as store:
        for number in range(1, 301, 30):
            for one in range(number, number + 30):
                writer.write(line(one))
            writer.write(b'{"v":1,"no":"span of any kind, though it is long enough for one to be in it"}')
            store.refresh()
            store.query("newest_spans")
            store.query("trace_rows")
            store.forget(20)
            assert held(store) < 200
            assert descriptors() < opened + 40
        store.refresh()
        assert store.in_flight == 1
        kept = ids(store)
        assert kept[-1] == 300
        assert kept[1:] == list(range(302 - len(kept), 301))
        for row, number in enumerate(kept[1:]):
            assert store.payload(row) == {"inputs": {"n": number}}
        for run_id, file in store.sql("SELECT run_id, file FROM spans WHERE row_id >= 0").fetchall():
            assert f'"{run_id}"'.encode() in Path(file).read_bytes()
        assert len(store.query("trace_rows")) == len(kept)
    writer.close()


def test_own_times_and_costs_are_those_of_what_is_kept(tmp_path: Path) -> None:
    """Computed columns are worked out anew, and go on with what comes."""
    path = write(tmp_path / "s.jsonl", *(span(f"r{number}") for number in range(40)))
    with open_store(path, cache=False) as store:
        store.query("trace_rows")
        store.sql("SELECT self_ms, cost_usd FROM spans").fetchall()
        assert store.forget(20)
        assert not store.forget(20)
        late = [llm("a", "b", duration_ms=40), span("b", duration_ms=100)]
        with path.open("ab") as file:
            file.write(b"".join(orjson.dumps(record) + b"\n" for record in late))
        assert store.refresh() == 2
        found = store.sql("SELECT row_id, self_ms, cost_usd > 0 FROM spans ORDER BY row_id DESC LIMIT 3").fetchall()
        assert found == [(21, 60, None), (20, 40, True), (19, 100, None)]
        assert store.query("trace_rows")[0]["span_count"] == 22


@pytest.mark.parametrize("way", ["packed", "copied and emptied", "packed later"])
def test_what_was_forgotten_does_not_come_again(tmp_path: Path, way: str) -> None:
    """A rotated file that is packed, or a copy of it, brings what it has beyond what was read, and nothing else."""
    path = tmp_path / "s.jsonl"
    rotated = tmp_path / f"s.{STAMP.format(1)}.jsonl"
    append(path, *range(50))
    with open_store(tmp_path, cache=False) as store:
        assert store.forget(10)
        append(path, 50, 51)
        if way == "copied and emptied":
            shutil.copyfile(path, rotated)
            os.truncate(path, 0)
        else:
            path.rename(rotated)
            if way == "packed later":
                assert store.refresh() == 2
                append(path, *range(60, 100))
                assert store.refresh() == 40
                assert store.forget(10)
            Path(f"{rotated}.gz").write_bytes(gzip.compress(rotated.read_bytes()))
            rotated.unlink()
        append(path, 100)
        assert store.refresh() == (1 if way == "packed later" else 3)
        assert store.refresh() == 0
        assert ids(store)[-1] == 100
        assert len(set(ids(store))) == store.span_count


def test_a_base_is_let_go_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of spans that are held in a file, of the cache or of our own, the newest are taken over."""
    monkeypatch.setattr(store_rows, "CACHED_BYTES", 1)
    monkeypatch.setattr(store_rows, "FILE_BACKED_BYTES", 1)
    path = tmp_path / "s.jsonl"
    append(path, *range(50))
    for cache in (False, True, True):
        with open_store(path, cache=cache) as store:
            assert store.forget(10)
            assert ids(store) == list(range(40, 50))
            assert store.payload(0) == {"inputs": {"n": 40}}
            assert store.refresh() == 0
            with store.cursor() as cursor:
                assert "base" not in [
                    name for (name,) in cursor.execute("SELECT database_name FROM duckdb_databases()").fetchall()
                ]


def test_a_long_backlog_comes_in_parts(tmp_path: Path) -> None:
    """Each part ends with a whole line, and a line longer than a part comes by itself."""
    path = tmp_path / "s.jsonl"
    append(path, 0)
    with open_store(path) as store:
        append(path, *range(1, 40))
        with path.open("ab") as file:
            file.write(line(40, name="x" * 5000) + line(41)[:50])
        append(tmp_path / f"s.{STAMP.format(1)}.jsonl", 42, 43)
        new: list[int] = []
        while not new or store.has_more:
            new.append(store.refresh(1000))
            assert all("unfinished" in reject["reason"] for reject in store.rejects)
        assert len(new) > 6
        assert max(new[1:-2]) < 10
        assert sorted(ids(store)) == [*range(41), 42, 43]
        assert len(store.rejects) == 1


def test_deleted_files_are_held_only_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk gets the bytes of all but the newest deleted files back; spans stay, their payloads go."""
    path = tmp_path / "s.jsonl"
    append(path, *range(5))
    monkeypatch.setattr(opened_files, "DELETED_BYTES", 3 * path.stat().st_size)
    with open_store(path, cache=False) as store:
        before = descriptors()
        for number in range(1, 6):
            rotated = tmp_path / f"s.{STAMP.format(number)}.jsonl"
            path.rename(rotated)
            append(path, *range(number * 5, number * 5 + 5))
            store.refresh()
            rotated.unlink()
        store.refresh()
        assert descriptors() == before + 2
        assert len(ids(store)) == 30
        gone = [store.payload(row).get("payload_gone", False) for row in range(30)]
        assert gone == [*[True] * 15, *[False] * 15]


def test_a_file_that_is_emptied_again_and_again_is_held_once(tmp_path: Path) -> None:
    """Each time it is read from its start, by one descriptor."""
    path = tmp_path / "s.jsonl"
    append(path, 0, 1)
    with open_store(path) as store:
        before = descriptors()
        for number in range(2, 12):
            os.truncate(path, 0)
            store.refresh()
            append(path, number)
            assert store.refresh() == 1
        assert descriptors() == before
        assert len(ids(store)) == 12


def test_the_newest_file_is_held_however_many_there_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that were let go leave their room to those that come, which are then followed through any rename."""
    monkeypatch.setattr(opened_files, "_MOST_HELD", 2)
    monkeypatch.setattr(opened_files, "DELETED_BYTES", 0)
    path = tmp_path / "s.jsonl"
    append(path, 0)
    with open_store(path, cache=False) as store:
        for number in range(1, 10):
            moved = tmp_path / "away"
            path.rename(moved)
            append(moved, number)
            append(path, 100 + number)
            assert store.refresh() == 2
            moved.unlink()
            store.refresh()
        assert ids(store) == [0, *(number + extra for number in range(1, 10) for extra in (0, 100))]


@pytest.mark.slow
def test_a_full_memory_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there stays whole, nothing is half there, and nothing more is read."""
    monkeypatch.setattr("flightlog_viewer.store.instance.MOST_BYTES", 100 << 20)
    path = tmp_path / "s.jsonl"
    append(path, 0)
    said = []
    with open_store(path, cache=False) as opened:
        for number in range(1, 20_001, 1_000):
            with path.open("ab") as file:
                file.writelines(line(one, model=os.urandom(4_000).hex()) for one in range(number, number + 1_000))
            try:
                opened.refresh()
            except UnreadableError as error:
                said.append(str(error))
        assert said == [store_rows._FULL]
        assert 1_000 < opened.span_count < 20_000
        assert ids(opened) == list(range(opened.span_count))
        assert opened.payload(opened.span_count - 1) == {"inputs": {"n": opened.span_count - 1}}
