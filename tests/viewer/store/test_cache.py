import gzip
import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import orjson
import pytest

from flightlog.errors import UsageError
from flightlog.writing.span_file import SpanFile
from flightlog_viewer import Store, open_store
from flightlog_viewer.analysis.filter import Filter
from flightlog_viewer.store import rows
from flightlog_viewer.store.files import cache
from tests.viewer.store.records import llm, span, write


@pytest.fixture(autouse=True)
def cache_small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cache files of any size."""
    monkeypatch.setattr(rows, "CACHED_BYTES", 1)


def kept(tmp_path: Path) -> list[Path]:
    """The bases in the cache."""
    return sorted((tmp_path / "cache").rglob("*.duckdb"))


def state(store: Store) -> list[object]:
    """What a store answers."""
    return [
        store.sql("SELECT * EXCLUDE (payload_gone) FROM spans ORDER BY row_id").fetchall(),
        store.query("overview"),
        store.query("summary"),
        store.query("trace_rows"),
        store.sql("SELECT * FROM llm_calls ORDER BY row_id").fetchall(),
        store.rejects,
        store.duplicates,
        [store.payload(row) for row in range(store.span_count)],
    ]


def test_reopened_the_same(tmp_path: Path) -> None:
    """A store from the cache answers as the one that was loaded, and as one without a cache."""
    path = write(
        tmp_path / "a.jsonl",
        span("r", inputs={"n": 1}),
        llm("a", "r", provider="openai", duration_ms=7),
        b"{bad",
        span("s", "r", step="x", metadata={"n": "x" * 2000}),
        span("t", "r", writer_id="w", seq=1),
        span("t", "r", writer_id="w", seq=1),
    )
    with open_store(path, cache=False) as store:
        expected = state(store)
    assert kept(tmp_path) == []
    for _ in range(2):
        with open_store(path) as store:
            assert state(store) == expected
        assert len(kept(tmp_path)) == 1
    assert stat.S_IMODE(kept(tmp_path)[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(kept(tmp_path)[0].parent.stat().st_mode) == 0o700


def test_kept_answers_know_of_no_span_in_flight(tmp_path: Path) -> None:
    """Sums that the cache keeps are not those of a file of which a run has started and not ended."""
    path = write(tmp_path / "a.jsonl", span("r"))
    with open_store(path):
        pass
    writer = SpanFile(path)
    start = {name: value for name, value in span("s").items() if name not in ("status", "duration_ms")}
    writer.open_span(1, orjson.dumps(start | {"writer_id": writer.writer_id, "seq": 1}))
    with open_store(path) as store:
        assert len(kept(tmp_path)) == 1
        (total,) = store.query("overview")
        assert (total["spans"], total["unfinished"]) == (2, 1)
        assert {group["key"] for group in store.query("summary")} == {"r", "s"}
    writer.close()


def test_kept_answers_end_with_new_rows(tmp_path: Path) -> None:
    """Sums that the cache keeps hold for its own rows alone: rows that came since and filters are counted anew."""
    path = write(tmp_path / "a.jsonl", span("r"), llm("a", "r"))
    with open_store(path):
        pass
    with open_store(path) as store:
        assert store.query("overview")[0]["spans"] == 2
        assert store.query("overview", where=Filter("run_id = ?", ["a"]))[0]["spans"] == 1
        assert [row["count"] for row in store.query("summary", where=Filter("type = 'llm'", []))] == [1]
        with path.open("ab") as file:
            file.write(orjson.dumps(llm("b", "r")) + b"\n")
        store.refresh()
        assert store.query("overview")[0]["llm_calls"] == 2
        assert sum(row["count"] for row in store.query("summary")) == 3
    with open_store(path) as store:
        assert store.query("overview")[0]["llm_calls"] == 2


def test_grown_and_rotated(tmp_path: Path) -> None:
    """A file that grew or was rotated keeps its base; only what is new is read."""
    path = write(tmp_path / "a.jsonl", span("r"), llm("a", "r"))
    with open_store(path):
        pass
    (base,) = kept(tmp_path)
    before = base.stat().st_ino
    with path.open("ab") as file:
        file.write(orjson.dumps(llm("b", "r")) + b"\n")
    path.rename(tmp_path / "a.20261120T120000.000001Z.jsonl")
    write(path, llm("c", "r"))
    with open_store(path) as store:
        assert store.sql("SELECT run_id FROM spans ORDER BY row_id").fetchall() == [("r",), ("a",), ("b",), ("c",)]
        assert store.query("trace_rows")[0]["total_tokens"] == 45
        assert {Path(file).name for (file,) in store.sql("SELECT DISTINCT file FROM spans").fetchall()} == {
            "a.20261120T120000.000001Z.jsonl",
            "a.jsonl",
        }
    assert kept(tmp_path)[0].stat().st_ino == before


@pytest.mark.parametrize("how", ["rewritten", "truncated", "deleted part", "damaged cache", "other prices"])
def test_rebuilt_when_anything_changed(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A base whose files changed under it, or that is damaged, is not used."""
    write(tmp_path / "a.jsonl", span("r", name="one"), span("s", "r", name="two"))
    write(tmp_path / "b.jsonl", span("b", name="one"))
    with open_store(tmp_path):
        pass
    expected = [("one",), ("one",), ("two",)]
    if how == "rewritten":
        write(tmp_path / "a.jsonl", span("r", name="six"), span("s", "r", name="two"))
        expected = [("one",), ("six",), ("two",)]
    elif how == "truncated":
        write(tmp_path / "a.jsonl", span("r", name="one"))
        expected = [("one",), ("one",)]
    elif how == "deleted part":
        (tmp_path / "b.jsonl").unlink()
        expected = [("one",), ("two",)]
    elif how == "damaged cache":
        kept(tmp_path)[0].write_bytes(b"no database")
    else:
        own = tmp_path / "prices.toml"
        own.write_text('[[price]]\nmodel = "x"\ninput_mtok = 1\n')
        monkeypatch.setenv("FLIGHTLOG_PRICES", str(own))
    with open_store(tmp_path) as store:
        assert sorted(store.sql("SELECT name FROM spans").fetchall()) == expected


def test_many_files_in_one_base(tmp_path: Path) -> None:
    """Each is known by what it holds: of files that were reopened, only the one that changed counts for new."""
    for number in range(300):
        write(tmp_path / f"{number:03}.jsonl", span(f"r{number}"))
    with open_store(tmp_path):
        pass
    with open_store(tmp_path) as store:
        assert len(store.sql("FROM base.files").fetchall()) == 300
        assert [source.file_id for source in store.sources if source.path.name == "007.jsonl"] == [7]
        assert store.span_count == 300


def test_what_is_no_damage(tmp_path: Path) -> None:
    """A mistake in a query costs no base, and neither does damage of one that another process has replaced."""
    path = write(tmp_path / "a.jsonl", span("r"))
    with open_store(path):
        pass
    with open_store(path) as store:
        (base,) = kept(tmp_path)
        assert not store.drop_damaged_cache(UsageError("Conversion Error: 'Corrupt database file: ' is not a number"))
        other = tmp_path / "other"
        other.write_bytes(b"another's")
        other.replace(base)
        assert store.drop_damaged_cache(duckdb.Error("Corrupt database file: computed checksum"))
        assert base.read_bytes() == b"another's"


def test_a_locked_base(tmp_path: Path) -> None:
    """A base that somebody writes to is not damaged: another one takes its place."""
    path = write(tmp_path / "a.jsonl", span("r"))
    with open_store(path):
        pass
    (base,) = kept(tmp_path)
    program = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(base)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with open_store(path) as store:
            assert not store.cache_was_damaged
            assert store.span_count == 1
        other.communicate(b"", timeout=30)


def test_two_at_once(tmp_path: Path) -> None:
    """Two viewers share a base, and the one that builds a new base does not disturb the other."""
    path = write(tmp_path / "a.jsonl", span("r"))
    with open_store(path), open_store(path) as first:
        write(path, span("n"))
        with open_store(path) as second:
            assert second.sql("SELECT run_id FROM spans").fetchall() == [("n",)]
            assert first.sql("SELECT run_id FROM spans").fetchall() == [("r",)]


def test_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bases used longest ago go when the cache is over its limit."""
    monkeypatch.setattr(cache, "LIMIT_BYTES", 1)
    for name in ("a", "b"):
        with open_store(write(tmp_path / f"{name}.jsonl", span(name))):
            pass
        assert len(kept(tmp_path)) == 1


@pytest.mark.parametrize("kind", [duckdb.IOException, duckdb.TransactionException, duckdb.FatalException])
def test_no_room_for_a_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[duckdb.Error]) -> None:
    """Without room for a base the rows are held in memory; it shows while writing, or when that is made final."""

    def full(*_: object) -> None:
        raise kind("No space left on device")

    monkeypatch.setattr("flightlog_viewer.store.base.write_places", full)
    path = write(tmp_path / "a.jsonl", span("r"), b"{bad", llm("a", "r"))
    with open_store(path) as store:
        assert store.query("overview")[0]["spans"] == 2
        assert len(store.rejects) == 1
    assert kept(tmp_path) == []
    assert list((tmp_path / "cache").rglob("building")) == []


def test_a_base_that_cannot_be_put_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder that goes away at the very end of a load changes no answer."""
    path = write(tmp_path / "a.jsonl", span("r"), b"{bad", llm("a", "r", provider="openai"), span("b", "a"))
    with open_store(path, cache=False) as store:
        expected = state(store)

    def gone(*_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(cache.Cache, "publish", gone)
    with open_store(path) as store:
        assert state(store) == expected
        assert store.sql("SELECT count(*) FROM traces").fetchall() == [(1,)]


def test_file_backed_without_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too large for the memory goes to a private file, gone with the store."""
    monkeypatch.setattr(rows, "FILE_BACKED_BYTES", 1)
    path = write(tmp_path / "a.jsonl", span("r", duration_ms=30), llm("a", "r", duration_ms=10))
    with open_store(path, cache=False) as store:
        assert store.sql("SELECT database_name FROM duckdb_databases() WHERE database_name = 'base'").fetchall()
        assert store.sql("SELECT self_ms FROM spans WHERE run_id = 'r'").fetchall() == [(20,)]
        assert store.query("trace_rows")[0]["total_tokens"] == 15
    assert kept(tmp_path) == []


def test_unpacked_copies_count_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is over the limit goes at the next start, copies of compressed files among it, the one used last stays."""
    path = write(tmp_path / "a.jsonl", span("r"))
    packed = [tmp_path / f"{name}.jsonl.gz" for name in "abc"]
    for number, place in enumerate(packed):
        place.write_bytes(gzip.compress(path.read_bytes() * (number + 1)))
        with open_store(place):
            pass
    folder = tmp_path / "cache" / "flightlog" / "index"
    copies = sorted(folder.glob("*.jsonl"), key=lambda found: found.stat().st_mtime_ns)
    assert len(copies) == 3
    monkeypatch.setattr(cache, "LIMIT_BYTES", copies[2].stat().st_size)
    for found in kept(tmp_path):
        found.unlink()
    cache.Cache.open()
    assert list(folder.iterdir()) == [copies[2]]


def test_copies_of_what_is_followed_stay_within_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder whose files are packed one by one does not fill the cache of whoever follows it for days."""
    folder = tmp_path / "spans"
    folder.mkdir()
    write(folder / "0.jsonl", span("r0"))
    with open_store(folder) as store:
        for number in range(1, 5):
            line = orjson.dumps(span(f"r{number}", inputs={"n": number})) + b"\n"
            (folder / f"{number}.jsonl.gz").write_bytes(gzip.compress(line))
            monkeypatch.setattr(cache, "LIMIT_BYTES", 2 * len(line))
            assert store.refresh() == 1
        assert len(list((tmp_path / "cache" / "flightlog" / "index").glob("*.jsonl"))) == 2
        assert [store.payload(number) for number in range(1, 5)] == [{"inputs": {"n": n}} for n in range(1, 5)]
