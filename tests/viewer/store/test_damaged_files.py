"""Compressed files that are cut short or damaged: what can be read of them is, and the rest is said to be missing."""

import gzip
import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import zstandard

from flightlog.errors import UnreadableError
from flightlog_exporters import zstd_frames
from flightlog_exporters.line_file import LineFile
from flightlog_viewer import open_store
from flightlog_viewer.cli.app import main
from flightlog_viewer.store.files import source_file
from flightlog_viewer.store.files.unpacking import DamagedError, Unpack, gunzip, unzstd
from tests.viewer.store.records import span

Pack = Callable[[bytes], bytes]


def with_checksum(data: bytes) -> bytes:
    """A zstd frame that ends with one."""
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


PACKINGS = [
    pytest.param(gzip.compress, gunzip, id="gzip"),
    pytest.param(zstandard.compress, unzstd, id="zstd"),
    pytest.param(with_checksum, unzstd, id="zstd-checksum"),
]


def unpacked(unpack: Unpack, packed: bytes) -> tuple[bytes, str | None]:
    """What is found, and what is said of the rest."""
    found = bytearray()
    with tempfile.TemporaryFile() as file:
        file.write(packed)
        file.flush()
        try:
            for block in unpack(file):
                found += block
        except DamagedError as error:
            return bytes(found), str(error)
    return bytes(found), None


def recording(count: int, first: int = 0) -> bytes:
    """Lines that do not pack well."""
    spans = [span(f"r{n}", trace="r", inputs=os.urandom(900).hex()) for n in range(first, first + count)]
    return b"".join(orjson.dumps(one) + b"\n" for one in spans)


@pytest.mark.parametrize(("pack", "unpack"), PACKINGS)
def test_what_is_whole_comes_whole(pack: Pack, unpack: Unpack) -> None:
    """One part, several, and empty ones."""
    data = recording(200)
    assert unpacked(unpack, pack(data)) == (data, None)
    assert unpacked(unpack, pack(data) + pack(b"") + pack(data)) == (data + data, None)


def test_what_stands_between_parts_is_passed_over() -> None:
    """Padding behind a gzip member, and zstd frames that are to be skipped."""
    member, frame = gzip.compress(b"one\n"), zstandard.compress(b"one\n")
    assert unpacked(gunzip, member + bytes(600) + member + bytes(9)) == (b"one\none\n", None)
    skipped = (0x184D2A53).to_bytes(4, "little") + (5).to_bytes(4, "little") + b"notes"
    assert unpacked(unzstd, frame + skipped + frame) == (b"one\none\n", None)


@pytest.mark.parametrize(("pack", "unpack"), PACKINGS)
def test_a_file_that_ends_too_early_gives_what_it_has(pack: Pack, unpack: Unpack) -> None:
    """At whatever byte it ends: what came before, but for a block of zstd's, and that it ends too early."""
    data = recording(200)
    packed = pack(data)
    sizes = [1, 4, 6, 9, 12, 18, len(packed) // 3, len(packed) // 2, len(packed) - 100_000, len(packed) - 1]
    for size in sizes:
        found, said = unpacked(unpack, packed[:size])
        assert said is not None, size
        assert "ends too early" in said
        assert data.startswith(found)
        assert len(found) > len(data) * size / len(packed) - (1 << 17) - 1000


@pytest.mark.parametrize(("pack", "unpack"), PACKINGS)
def test_a_damaged_file_gives_what_stands_before(pack: Pack, unpack: Unpack) -> None:
    """Bytes that were zeroed on the disk: nothing in front of them is lost, but for a block of zstd's."""
    data = recording(200)
    packed = pack(data)
    chance = random.Random(7)
    said = []
    for _ in range(6):
        at = chance.randrange(len(packed) - 40)
        found, why = unpacked(unpack, packed[:at] + bytes(40) + packed[at + 40 :])
        said.append(why)
        least = int(len(data) * at / len(packed)) - (1 << 17) - 1000
        assert found[: max(0, least)] == data[: max(0, least)]
        assert len(found) >= least
    assert any(why is not None and "is damaged" in why for why in said)
    if unpack is gunzip or pack is with_checksum:
        assert None not in said


@pytest.mark.parametrize(
    ("pack", "unpack"), [*PACKINGS[:2], pytest.param(with_checksum, unzstd, id="zstd-checksum", marks=pytest.mark.soak)]
)
def test_spans_before_the_damage_and_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], pack: Pack, unpack: Unpack
) -> None:
    """Every command says which file lacks its end, the doctor what to do; also when the file has been read before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "a.jsonl.packed"
    packed = pack(recording(200))
    path.write_bytes(packed[: len(packed) * 2 // 3])
    said = f"{path} at byte "
    for _ in range(2):
        with open_store(path) as store:
            assert 60 < store.span_count < 140
            (reject,) = store.rejects
            assert reject["reason"].startswith("the compressed file ends too early")
            assert store.damaged_files == [f"{said}{reject['byte_offset']:,}: {reject['reason']}"]
        assert main(["summary", str(path)]) == 0
        err = capsys.readouterr().err
        assert said in err
        assert "line is not a span" not in err
    assert main(["doctor", str(path)]) == 1
    assert "problem: 1 compressed file lacks its end" in capsys.readouterr().out
    path.write_bytes(packed[:20])
    assert main(["traces", str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"flightlog: {path} at byte 0: the compressed file ends too early")


def test_many_damaged_files_are_named_in_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three by name, the others by their number."""
    (tmp_path / "a.jsonl").write_bytes(recording(1))
    for number in range(5):
        (tmp_path / f"b{number}.jsonl.gz").write_bytes(gzip.compress(recording(2, number))[:-400])
    assert main(["summary", str(tmp_path)]) == 0
    err = capsys.readouterr().err
    assert err.count("ends too early") == 3
    assert "2 more compressed files lack their end" in err


def test_a_file_that_is_still_being_packed_becomes_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once its end is there nothing is said to be missing any more."""
    monkeypatch.setattr(source_file, "_REST", 0)
    packed = gzip.compress(recording(50))
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(packed[: len(packed) // 3])
    with open_store(path, cache=False) as store:
        assert len(store.damaged_files) == 1
        for share in (0.6, 0.9):
            path.write_bytes(packed[: int(len(packed) * share)])
            store.refresh()
            store.refresh()
            (reject,) = store.rejects
            assert store.span_count < 50
            assert reject["byte_offset"] > share * 40_000
        path.write_bytes(packed[:-1])
        store.refresh()
        assert (store.span_count, len(store.rejects)) == (50, 1)
        path.write_bytes(packed)
        store.refresh()
        assert (store.span_count, store.rejects, store.damaged_files) == (50, [], [])


def test_a_file_of_empty_blocks_is_not_gone_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three bytes a block: a hostile file would be walked for minutes; of such a one the end is not known."""
    monkeypatch.setattr(zstd_frames, "_MOST", 10)
    head = zstandard.compress(b"x")[:5] + bytes(1)
    for count, said in ((5, "ends too early"), (20, None)):
        found, why = unpacked(unzstd, head + bytes(3 * count))
        assert found == b""
        assert said in (why or "") if said else why is None


def test_a_file_that_asks_for_much_memory_does_not_get_it() -> None:
    """A zstd file of a kilobyte can ask for 2 GB: what stands before that comes, and what to do is said."""
    wide = zstandard.ZstdCompressionParameters.from_level(1, window_log=31, write_content_size=0)
    packing = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    asking = packing.compress(b"two\n") + packing.flush()
    found, why = unpacked(unzstd, zstandard.compress(b"one\n") + asking)
    assert found == b"one\n"
    assert "more than 128 MB of memory" in (why or "")


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, with_checksum])
def test_exports_refuse_a_file_that_ends_too_early(tmp_path: Path, pack: Pack) -> None:
    """What goes out is all of a file, or the file is named."""
    path = tmp_path / "a.jsonl.packed"
    path.write_bytes(pack(recording(200))[:-9])
    with LineFile(path) as file, pytest.raises(UnreadableError, match=r"a\.jsonl\.packed: .*ended before"):
        list(file.lines())
