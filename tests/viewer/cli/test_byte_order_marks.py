"""Files that went through an editor or a shell of Windows."""

from codecs import BOM_UTF8
from pathlib import Path

import pytest

from flightlog import read_spans
from flightlog_viewer import open_store
from flightlog_viewer.analysis.excerpt import excerpt
from flightlog_viewer.cli.app import main
from tests.viewer.span_lines import story


def test_a_mark_before_utf8_is_no_part_of_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything that reads spans passes over it: store, payloads, exports, the first look, and the reader."""
    plain = story().write(tmp_path / "plain.jsonl").read_bytes()
    count = plain.count(b"\n")
    path = tmp_path / "marked.jsonl"
    path.write_bytes(BOM_UTF8 + plain.replace(b"\n", b"\r\n"))
    with open_store(path, cache=False) as store:
        assert (store.span_count, store.reject_count) == (count, 0)
        assert store.sql("SELECT count(*) FROM spans WHERE payload_gone").fetchall() == [(0,)]
    assert len(list(read_spans(path))) == count
    assert excerpt([path]) == excerpt([tmp_path / "plain.jsonl"])
    assert main(["export", "otlp-json", str(path), "-o", str(tmp_path / "out")]) == 0
    assert f"{count} spans in" in capsys.readouterr().err
    assert main(["export", "parquet", str(path), "-o", str(tmp_path / "parquet")]) == 0
    assert f"{count} spans" in capsys.readouterr().err


@pytest.mark.parametrize("mark", ["utf-16-le", pytest.param("utf-16-be", marks=pytest.mark.soak)])
def test_utf16_is_said_to_be_that(tmp_path: Path, capsys: pytest.CaptureFixture[str], mark: str) -> None:
    """PowerShell's `>` writes it: the sentence says what to do."""
    path = tmp_path / "s.jsonl"
    path.write_bytes(("\ufeff" + story().write(path).read_text()).encode(mark))
    for command in (["summary"], ["tail"], ["import"], ["export", "otlp-json"], ["doctor"]):
        out = ["-o", str(tmp_path / "out")] if command[0] in ("import", "export") else []
        status = main([*command, str(path), *out])
        said = "".join(capsys.readouterr())
        assert status == (1 if command == ["doctor"] else 2)
        assert "UTF-16 text: convert " in said
