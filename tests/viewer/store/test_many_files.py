import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from flightlog_viewer import open_store
from flightlog_viewer.store.files import opened_files, sources
from flightlog_viewer.store.loading import stretch
from tests.viewer.store.records import span, write


def folder_of(tmp_path: Path, count: int) -> Path:
    """A folder of small files, of which each third ends in a torn line and each fifth has a line that is not a span."""
    folder = tmp_path / "spans"
    folder.mkdir()
    for number in range(count):
        lines: list[dict[str, object] | bytes] = [span(f"r{number}", trace=f"r{number}", inputs={"n": number})]
        if number % 5 == 0:
            lines.append(b"{bad")
        if number % 7 == 0:
            lines.append(
                span(f"s{number}", trace=f"r{number}", start_time="2026-11-20T13:01:07+01:00", inputs={"n": 1})
            )
        path = write(folder / f"{number:03}.jsonl", *lines)
        if number % 3 == 0:
            path.write_bytes(path.read_bytes() + b'{"v":1,"torn')
    return folder


def test_small_files_are_read_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, rejects and payloads of files that were read together are each of their own file."""
    folder = folder_of(tmp_path, 40)
    monkeypatch.setattr(stretch, "JOINED_BYTES", 2000)
    with open_store(folder, cache=False) as store:
        rows = store.sql("SELECT run_id, file, row_id FROM spans WHERE run_id LIKE 'r%' ORDER BY row_id").fetchall()
        assert [(run_id, Path(file).name) for run_id, file, _ in rows] == [
            (f"r{n}", f"{n:03}.jsonl") for n in range(40)
        ]
        assert [store.payload(row)["inputs"]["n"] for _, _, row in rows] == list(range(40))
        late = store.sql(
            "SELECT run_id, file, inputs->>'n' FROM spans WHERE run_id LIKE 's%' ORDER BY row_id"
        ).fetchall()
        assert [(run_id, Path(file).name, n) for run_id, file, n in late] == [
            (f"s{number}", f"{number:03}.jsonl", "1") for number in range(0, 40, 7)
        ]
        for reject in store.rejects:
            content = Path(reject["file"]).read_bytes()[reject["byte_offset"] :]
            assert content.startswith(b'{"v":1,"torn' if "unfinished" in reject["reason"] else b"{bad")
        assert len(store.rejects) == 8 + 14
        torn = folder / "003.jsonl"
        torn.write_bytes(torn.read_bytes().replace(b'{"v":1,"torn', orjson.dumps(span("late", "r3", "r3")) + b"\n"))
        assert store.refresh() == 1
        assert len(store.rejects) == 8 + 13


def test_more_files_than_descriptors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files beyond those held open are read by their path, as long as the same file is there, and are followed."""
    monkeypatch.setattr(opened_files, "_MOST_HELD", 1)
    for number in range(4):
        write(tmp_path / f"{number}.jsonl", span(f"r{number}", trace=f"r{number}", inputs={"n": number}))
    with open_store(tmp_path, cache=False) as store:
        assert [store.payload(row) for row in range(4)] == [{"inputs": {"n": row}} for row in range(4)]
        with (tmp_path / "2.jsonl").open("ab") as file:
            file.write(orjson.dumps(span("new", "r2", "r2", inputs={"n": 9})) + b"\n")
        (tmp_path / "1.jsonl").rename(tmp_path / "1.20261120T120000.000001Z.jsonl")
        write(tmp_path / "other", span("r3"))
        (tmp_path / "other").replace(tmp_path / "3.jsonl")
        assert store.refresh() == 2
        assert store.payload(1) == {"inputs": {"n": 1}}
        assert store.payload(3) == {"payload_gone": True}
        assert sorted(store.payload(row).get("inputs", {}).get("n", 0) for row in (4, 5)) == [0, 9]


def test_small_limit_of_descriptors(tmp_path: Path) -> None:
    """A command over more files than the process may have descriptors works."""
    folder = folder_of(tmp_path, 300)
    query = "SELECT count(*), sum((inputs->>'n')::INTEGER) FROM spans"
    command = [sys.executable, "-m", "flightlog", "sql", "--no-cache", "--format", "csv", query, str(folder)]
    done = subprocess.run(
        ["sh", "-c", 'ulimit -n 128; exec "$@"', "sh", *command], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[1] == f"343,{sum(range(300)) + 43}"


def test_a_file_that_is_deleted_while_the_newest_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rotation deletes the oldest parts at any moment: the newest of those that are left is meant."""
    kept = write(tmp_path / "a.jsonl", span("r"))
    monkeypatch.setattr(sources, "_span_files", lambda folder: [tmp_path / "gone.jsonl", kept])
    assert sources.newest(tmp_path) == kept
