"""Compressed inputs of exports and import, and files that were made to fill a disk."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from flightlog.errors import UnreadableError
from flightlog_exporters import line_file
from flightlog_exporters.line_file import LineFile
from flightlog_viewer.cli.app import main
from tests.viewer.span_lines import story

Pack = Callable[[bytes], bytes]
FIXTURE = Path(__file__).parent / "fixtures" / "openinference.jsonl"


def zstd(data: bytes) -> bytes:
    """One frame."""
    return zstandard.ZstdCompressor().compress(data)


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_lines_of_a_packed_file(tmp_path: Path, pack: Pack) -> None:
    """They come from any offset, forwards and backwards, over members and frames."""
    path = tmp_path / "lines"
    path.write_bytes(pack(b"one\ntwo\n") + pack(b"three\nfour"))
    with LineFile(path) as file:
        assert [line.data for line in file.lines()] == [b"one\n", b"two\n", b"three\n", b"four"]
        assert [line.data for line in file.lines(8)] == [b"three\n", b"four"]
        assert file.bytes_before(7, 5) == b"e\ntwo"
        assert [line.data for line in file.lines(4, torn=False)] == [b"two\n", b"three\n"]
        assert file.bytes_before(100, 50) == b""


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_commands_take_packed_files(tmp_path: Path, capsys: pytest.CaptureFixture[str], pack: Pack) -> None:
    """`import` and the exports read both packings."""
    foreign, own = tmp_path / "foreign", tmp_path / "own.jsonl.packed"
    foreign.write_bytes(pack(FIXTURE.read_bytes()))
    own.write_bytes(pack(story().write(tmp_path / "s.jsonl").read_bytes()))
    assert main(["import", str(foreign), "-o", str(tmp_path / "imported")]) == 0
    for kind in ("otlp-json", "perfetto", "parquet"):
        assert main(["export", kind, str(own), "-o", str(tmp_path / kind)]) == 0
    assert capsys.readouterr().err.count(" 10 spans in ") == 3


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
@pytest.mark.parametrize("content", [b" " * (1 << 20), b"{}\n" * (1 << 19), b'{"resourceSpans":[]}\n' * (1 << 16)])
def test_a_bomb_is_not_unpacked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, pack: Pack, content: bytes
) -> None:
    """What unpacks to a hundred times its size and fills a disk is refused, by what reads and by what unpacks."""
    monkeypatch.setattr(line_file, "_BOMB_BYTES", 1 << 18)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "bomb.jsonl.packed"
    path.write_bytes(pack(content))
    out = ["-o", str(tmp_path / "out")]
    for command in (["summary"], ["doctor"], ["tail"], ["import", *out]):
        assert main([*command, str(path)]) == 2
        # No reader of `import` knows `{}`, and none is asked to go on.
        expected = "is of no format" if "import" in command and content[:2] == b"{}" else "unpacks to more than 100"
        assert f"{path} {expected}" in capsys.readouterr().err
    assert list((tmp_path / "cache").rglob("*.*")) == []


def test_a_large_file_that_packs_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the bound of bytes the ratio says nothing."""
    path = tmp_path / "s"
    path.write_bytes(gzip.compress(b"{}\n" * 100_000))
    with LineFile(path) as file:
        assert sum(1 for _ in file.lines()) == 100_000
    monkeypatch.setattr(line_file, "_BOMB_BYTES", 100_000)
    with LineFile(path) as file, pytest.raises(UnreadableError, match="unpacks to more"):
        list(file.lines())
