"""Reading span files back, whatever has become of them."""

import gzip
import random
from pathlib import Path

import pytest

from flightlog import Span, UnreadableError, read_open_spans, read_spans

ROTATED = "trace.20260101T000000.000000Z.jsonl"


def _line(name: str, seq: int) -> bytes:
    span = Span(
        type="tool",
        name=name,
        run_id=f"r{seq}",
        trace_id="t",
        writer_id="w",
        seq=seq,
        start_ns=0,
        duration_ms=1.0,
        status="ok",
        output=random.Random(seq).randbytes(20).hex(),
    )
    return span.to_json() + b"\n"


def test_a_damaged_rotated_file_gives_what_lies_before_the_damage(tmp_path: Path) -> None:
    """Damage in the middle of a compressed file ends that file and nothing else, wherever it is."""
    (tmp_path / "trace.jsonl").write_bytes(_line("last", 5000))
    whole = gzip.compress(b"".join(_line("first", seq) for seq in range(300)))
    chance = random.Random(7)
    for _ in range(60):
        damaged = bytearray(whole)
        at = chance.randrange(20, len(whole) - 20)
        damaged[at : at + 8] = chance.randbytes(8)
        (tmp_path / f"{ROTATED}.gz").write_bytes(damaged)
        names = [span.name for span in read_spans(tmp_path / "trace.jsonl")]
        assert names[-1] == "last"
        assert read_open_spans(tmp_path / "trace.jsonl") == []


def test_a_folder_with_a_rotated_name_is_passed_over(tmp_path: Path) -> None:
    """What is not a file is none of the span file's parts."""
    (tmp_path / ROTATED).mkdir()
    (tmp_path / "trace.jsonl").write_bytes(_line("only", 0))
    assert [span.name for span in read_spans(tmp_path / "trace.jsonl")] == ["only"]


def test_what_cannot_be_read_is_said_in_a_sentence(tmp_path: Path) -> None:
    """A refusal of the system is an UnreadableError, as a missing file is."""
    with pytest.raises(UnreadableError, match="no span file"):
        list(read_spans(tmp_path / "none.jsonl"))
    (tmp_path / "self.jsonl").symlink_to("self.jsonl")
    (tmp_path / "self.20260101T000000.000000Z.jsonl").write_bytes(_line("old", 0))
    with pytest.raises(UnreadableError, match=r"self\.jsonl cannot be read: "):
        list(read_spans(tmp_path / "self.jsonl"))
