import contextlib
import gzip
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from flightlog import read_open_spans, read_spans
from flightlog.errors import UnreadableError, UsageError
from flightlog.file_lock import try_lock, unlock
from flightlog.rotation import prune, rotate, rotated_files
from flightlog.writing.in_flight import LINE_END
from flightlog.writing.span_file import LOSS_NAME, SpanFile
from tests.faults.lines import line, numbers


def test_lines_come_back_in_order(tmp_path: Path) -> None:
    """What was written is read back, one line a span and nothing else in the file."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path)
    assert [file.write(line(n)) for n in range(3)] == [True] * 3
    assert path.read_bytes() == b"".join(line(n) + b"\n" for n in range(3))
    assert numbers(path) == [0, 1, 2]
    assert file.stats()["written"] == 3
    file.close()


def test_file_and_folder_are_private(tmp_path: Path) -> None:
    """The file is created 0600, in folders that are created for it."""
    path = tmp_path / "deep" / "er" / "trace.jsonl"
    SpanFile(path).write(b"{}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_constructing_touches_no_disk(tmp_path: Path) -> None:
    """A file that nothing was written to is not created."""
    SpanFile(tmp_path / "trace.jsonl").close()
    assert list(tmp_path.iterdir()) == []


def test_torn_tail_takes_no_line_along(tmp_path: Path) -> None:
    """After a torn tail the next line stands by itself."""
    path = tmp_path / "trace.jsonl"
    path.write_bytes(line(0) + b"\n" + line(1)[:40])
    SpanFile(path).write(line(2))
    assert numbers(path) == [0, 2]


def test_symlink_is_not_followed(tmp_path: Path) -> None:
    """A symbolic link at the path is refused and counted, and its target stays as it was."""
    target = tmp_path / "precious"
    target.write_text("mine")
    (tmp_path / "trace.jsonl").symlink_to(target)
    file = SpanFile(tmp_path / "trace.jsonl")
    assert not file.write(b"{}")
    assert target.read_text() == "mine"
    assert file.stats()["lost"] == 1


def test_pipe_at_the_path_does_not_block(tmp_path: Path) -> None:
    """A path that is not a regular file loses the line at once instead of blocking."""
    os.mkfifo(tmp_path / "trace.jsonl")
    file = SpanFile(tmp_path / "trace.jsonl")
    assert not file.write(b"{}")
    assert file.stats()["last_error"] is not None


def test_loss_is_recorded_once_writing_works(tmp_path: Path) -> None:
    """The first line that lands after losses is followed by a record of how many were lost and why."""
    path = tmp_path / "trace.jsonl"
    path.mkdir()
    file = SpanFile(path)
    assert [file.write(line(n)) for n in range(2)] == [False, False]
    path.rmdir()
    assert file.write(line(2))
    assert file.write(line(3))
    first, loss, last = read_spans(path)
    assert (first.seq, loss.name, last.seq) == (2, LOSS_NAME, 3)
    assert loss.metadata == {"lost": 2, "lost_bytes": len(line(0) + line(1))}
    assert loss.error is not None
    assert "IsADirectoryError" in loss.error["message"]
    assert file.stats()["lost"] == 2


def test_renamed_file_keeps_its_lines_and_a_new_one_starts(tmp_path: Path) -> None:
    """After a rename from outside the next line, a moment later, goes to a new file at the path."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path)
    file.write(line(0))
    path.rename(tmp_path / "trace.jsonl.1")
    time.sleep(0.002)
    file.write(line(1))
    assert numbers(path) == [1]
    assert numbers(tmp_path / "trace.jsonl.1") == [0]


def test_lines_in_quick_succession_around_a_rename_are_there_once(tmp_path: Path) -> None:
    """A line that follows a rename at once is in the renamed file or in the new one, and those behind it in the new."""
    path, renamed = tmp_path / "trace.jsonl", tmp_path / "trace.jsonl.1"
    file = SpanFile(path)
    file.write(line(0))
    path.rename(renamed)
    for seq in range(1, 4):
        file.write(line(seq))
    assert numbers(renamed) + numbers(path) == [0, 1, 2, 3]
    assert set(numbers(path)) >= {2, 3}


@pytest.mark.parametrize("what", ["file", "folder"])
def test_deleted_file_is_created_again(tmp_path: Path, what: str) -> None:
    """A file or folder deleted from outside loses what was in it and nothing after."""
    path = tmp_path / "logs" / "trace.jsonl"
    file = SpanFile(path)
    file.write(line(0))
    path.unlink()
    if what == "folder":
        path.parent.rmdir()
    assert file.write(line(1))
    assert numbers(path) == [1]
    assert file.stats()["lost"] == 0


def test_rotation_loses_nothing(tmp_path: Path) -> None:
    """Rotated files never exceed the limit, sort by time, and read back as one."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path, max_bytes=2000)
    for n in range(50):
        assert file.write(line(n))
    rotated = rotated_files(path)
    assert len(rotated) == file.stats()["rotations"] > 3
    assert all(one.stat().st_size <= 2000 for one in [*rotated, path])
    assert all(one.name.startswith("trace.2") and one.suffix == ".jsonl" for one in rotated)
    assert numbers(path) == list(range(50))


def test_a_file_that_cannot_be_renamed_grows(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No span is lost because a rename is refused; one warning says so, and a bound on the disk still holds."""
    path = tmp_path / f"{'n' * 240}.jsonl"  # with a time in it the name is too long
    file = SpanFile(path, max_bytes=2000)
    for n in range(50):
        assert file.write(line(n))
    assert numbers(path) == list(range(50))
    [warning] = [record.message for record in caplog.records]
    assert "grows beyond its size: it cannot be renamed" in warning
    assert "File name too long" in warning
    assert "File name too long" in str(file.stats()["last_error"])
    bounded = SpanFile(path, max_bytes=2000, max_total_bytes=path.stat().st_size + 1000)
    written = sum(bounded.write(line(n)) for n in range(50, 100))
    assert 0 < written < 50
    assert path.stat().st_size <= (bounded.max_total_bytes or 0)


def test_rotation_by_two_writers_loses_nothing(tmp_path: Path) -> None:
    """Two writers with the same limit rotate the file once each time, and no line is lost."""
    path = tmp_path / "trace.jsonl"
    files = [SpanFile(path, max_bytes=2000) for _ in range(2)]
    for n in range(60):
        assert files[n % 2].write(line(n))
    assert numbers(path) == list(range(60))
    assert sum(file.stats()["rotations"] for file in files) == len(rotated_files(path))


def test_a_file_is_rotated_by_one_writer_at_a_time(tmp_path: Path) -> None:
    """Whoever finds another one at it leaves the file where it is, and does not wait."""
    path = tmp_path / "trace.jsonl"
    path.write_bytes(line(1))
    with path.open("rb") as one, path.open("rb") as other:
        assert try_lock(other.fileno())
        assert rotate(one.fileno(), str(path)) is None
        unlock(other.fileno())
        rotated = rotate(one.fileno(), str(path))
    assert [str(file) for file in rotated_files(path)] == [rotated]
    assert rotated_files(tmp_path / "gone" / "trace.jsonl") == []


def test_no_more_is_deleted_than_the_bound_asks_for(tmp_path: Path) -> None:
    """The oldest files go until what is left is as large as may be, and not one more."""
    path = tmp_path / "trace.jsonl"
    stamps = ["20261120T101502Z", "20261121T101502Z", "20261122T101502Z"]
    for stamp in reversed(stamps):
        (tmp_path / f"trace.{stamp}.jsonl").write_bytes(b"x" * 10)
    assert prune(str(path), 30) == 0
    assert prune(str(path), 29) == 1
    assert [file.name for file in rotated_files(path)] == [f"trace.{stamp}.jsonl" for stamp in stamps[1:]]


def test_total_is_bounded_oldest_first(tmp_path: Path) -> None:
    """`max_total_bytes` holds over the file and its rotated ones, and what goes is the oldest."""
    path = tmp_path / "trace.jsonl"
    other = tmp_path / "trace.other.jsonl"
    other.write_bytes(b"x" * 10_000)
    file = SpanFile(path, max_bytes=1000, max_total_bytes=5000)
    for n in range(200):
        assert file.write(line(n))
        assert sum(one.stat().st_size for one in [*rotated_files(path), path]) <= 5000
    kept = numbers(path)
    assert kept == list(range(200 - len(kept), 200))
    assert other.exists()


def test_compressed_rotated_files_are_read(tmp_path: Path) -> None:
    """Rotated files that were compressed with gzip, or named by logrotate, are taken along."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path, max_bytes=500)
    for n in range(12):
        file.write(line(n))
    oldest = rotated_files(path)[0]
    oldest.with_suffix(".jsonl.gz").write_bytes(gzip.compress(oldest.read_bytes()))
    oldest.unlink()
    next_oldest = rotated_files(path)[1]
    next_oldest.rename(tmp_path / "trace.20240101T000000Z.jsonl")
    assert sorted(numbers(path)) == list(range(12))


def test_reader_passes_over_what_is_no_span(tmp_path: Path) -> None:
    """Broken lines and exact repeats are passed over, and a last line without a newline counts if it is whole."""
    path = tmp_path / "trace.jsonl"
    path.write_bytes(b"\n".join([line(0), b"{", b"", b"[" * 5000, b"\xff", line(0), line(1)]))
    assert numbers(path) == [0, 1]


def test_reader_names_a_missing_file(tmp_path: Path) -> None:
    """Reading what is not there raises UnreadableError."""
    with pytest.raises(UnreadableError, match="no span file"):
        list(read_spans(tmp_path / "absent.jsonl"))


def test_write_after_close_still_lands(tmp_path: Path) -> None:
    """A span that ends after close() is in the file, and no descriptor stays open for it."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path)
    file.write(line(0))
    file.close()
    file.close()
    before = len(os.listdir("/dev/fd"))
    assert file.write(line(1))
    assert len(os.listdir("/dev/fd")) == before
    assert numbers(path) == [0, 1]
    assert file.stats()["written"] == 2


def test_descriptor_taken_by_the_application_is_left_alone(tmp_path: Path) -> None:
    """When the application closes our descriptor and its number becomes another file, that file is not written to."""
    path = tmp_path / "trace.jsonl"
    file = SpanFile(path)
    file.write(line(0))
    fd = file._appender._fd
    theirs = os.open(tmp_path / "theirs", os.O_RDWR | os.O_CREAT)
    os.dup2(theirs, fd)
    try:
        assert file.write(line(1))
        file.close()
        assert os.fstat(fd).st_size == 0
    finally:
        for one in (fd, theirs):
            with contextlib.suppress(OSError):
                os.close(one)
    assert numbers(path) == [0, 1]


def test_relative_path_survives_chdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path means what it meant when the file was made."""
    monkeypatch.chdir(tmp_path)
    file = SpanFile("trace.jsonl")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    file.write(line(0))
    assert numbers(tmp_path / "trace.jsonl") == [0]


def test_fsync_failure_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fsync a line is synced; a failing fsync is counted and raises nothing."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    file = SpanFile(tmp_path / "trace.jsonl", fsync=True)
    file.write(b"{}")
    assert len(synced) == 2, "the line, and the folder that names the new file"
    assert file.write(b"{}")
    assert len(synced) == 3

    def fail(fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    assert file.write(b"{}")
    assert file.stats()["unsynced"] == 1
    assert (tmp_path / "trace.jsonl").read_bytes() == b"{}\n" * 3


@pytest.mark.parametrize("path", ["a\0b", "\ud800", 3, ""])
def test_path_that_no_file_can_have(path: Any) -> None:
    """Such a path is refused when the file object is made, in a sentence."""
    with pytest.raises(UsageError, match="cannot be the path of a span file"):
        SpanFile(path)


def test_a_path_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is the home folder, to the writer and to the readers: no shell expands what an environment file says."""
    monkeypatch.setenv("HOME", str(tmp_path))
    file = SpanFile("~/traces/x.jsonl")
    assert file.write(line(0))
    file.open_span(1, line(1) + LINE_END)
    assert (tmp_path / "traces" / "x.jsonl").exists()
    assert [one.seq for one in read_spans("~/traces/x.jsonl")] == [0]
    assert [one.span.seq for one in read_open_spans("~/traces/x.jsonl")] == [1]
    file.close()


def test_relative_path_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path in a working directory that was deleted is refused in a sentence too."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(UsageError, match="cannot be the path of a span file"):
        SpanFile("trace.jsonl")


def test_the_first_loss_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A path that cannot be written to is one warning with the reason, and nothing more after it."""
    (tmp_path / "target").touch()
    (tmp_path / "trace.jsonl").symlink_to(tmp_path / "target")
    for path, reason in ((tmp_path, "IsADirectoryError"), (tmp_path / "trace.jsonl", "it is a symbolic link")):
        caplog.clear()
        file = SpanFile(path)
        assert not file.write(b"{}")
        assert not file.write(b"{}")
        (record,) = caplog.records
        assert record.name == "flightlog"
        assert reason in record.getMessage()
        assert str(path) in record.getMessage()


def test_name_that_is_not_text(tmp_path: Path) -> None:
    """A path of bytes, and a name that is no UTF-8, are paths like any other."""
    path = os.fsencode(tmp_path) + b"/\xff.jsonl"
    file = SpanFile(os.fsdecode(path))
    assert file.write(line(0))
    assert SpanFile(path).write(line(1))  # type: ignore[arg-type]  # what os.walk of bytes gives
    assert numbers(Path(os.fsdecode(path))) == [0, 1]


@pytest.mark.parametrize(
    ("name", "sentence"), [(".", "is a folder"), ("trace.jsonl.zst", "open_store"), ("x", "no span")]
)
def test_what_cannot_be_read_is_said_in_a_sentence(tmp_path: Path, name: str, sentence: str) -> None:
    """A folder, a file packed by zstd and a missing one are errors of ours, not of the system."""
    with pytest.raises(UnreadableError, match=sentence):
        list(read_spans(tmp_path / name))


def test_collected_after_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is collected last of all, once the names of its module are gone, says nothing."""
    file = SpanFile(tmp_path / "trace.jsonl")
    file.close()
    for name in ("contextlib", "os"):
        monkeypatch.setattr(f"flightlog.writing.span_file.{name}", None)
    del file  # what it raised would be a warning, and so an error
