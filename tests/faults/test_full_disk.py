"""A full disk and a limit on file size: lines are lost whole, counted, and the count is written down afterwards."""

from pathlib import Path

from flightlog.writing.span_file import SpanFile
from tests.faults.children import run
from tests.faults.lines import broken, line, losses, numbers


def test_full_disk_and_recovery(small_disk: Path) -> None:
    """What fits is whole, what does not is counted, and writing goes on once there is room."""
    path = small_disk / "trace.jsonl"
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 128 * 1024)
    file = SpanFile(path)
    written = []
    for seq in range(400):
        file.open_span(seq, line(seq))
        if file.write(line(seq, size=777)):
            written.append(seq)
        file.close_span(seq)
    assert 0 < len(written) < 400
    assert file.stats()["lost"] == 400 - len(written)
    assert losses(path) == 0
    ballast.unlink()
    assert all(file.write(line(seq)) for seq in range(400, 420))
    assert numbers(path) == [*written, *range(400, 420)]
    assert losses(path) == 400 - len(written)
    assert len(broken(path)) <= 2
    file.close()
    assert [one.name for one in small_disk.iterdir()] == ["trace.jsonl"]


def test_loss_is_written_down_at_close(small_disk: Path) -> None:
    """When nothing more is written after the disk has room again, close() records the loss."""
    path = small_disk / "trace.jsonl"
    ballast = small_disk / "ballast"
    path.touch()
    ballast.write_bytes(b"x" * 256 * 1024)
    file = SpanFile(path)
    assert not file.write(line(0))
    ballast.unlink()
    file.close()
    assert losses(path) == 1


def test_limit_on_file_size(tmp_path: Path) -> None:
    """RLIMIT_FSIZE gives a short write and then errors: no exception, whole lines, a count."""
    path = tmp_path / "trace.jsonl"
    script = """
        import resource, sys
        from flightlog.writing.span_file import SpanFile
        from tests.faults.lines import line
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit[1]))
        file = SpanFile(sys.argv[1])
        written = []
        for seq in range(100):
            file.open_span(seq, line(seq, size=700))
            if file.write(line(seq, size=700)):
                written.append(seq)
        stats = file.stats()
        assert stats["lost"] == 100 - len(written) > 50, stats
        assert stats["in_flight_lost"] > 50, stats
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        assert file.write(line(100))
        print(written[-1])
        file.close()
    """
    last = int(run(script, path))
    assert numbers(path) == [*range(last + 1), 100]
    assert losses(path) == 99 - last
    assert len(broken(path)) == 1
