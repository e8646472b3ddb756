"""Tables, JSON and CSV as commands print them."""

import csv
import io
import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from flightlog_viewer.cli.column_widths import fit
from flightlog_viewer.cli.output import Column, csv_rows, json_line, json_parts, json_rows, json_value, table
from tests.viewer.span_lines import story

ROWS = [
    {"name": "=HYPERLINK(1)", "ms": 12.5, "at": datetime(2026, 11, 20, 12)},
    {"name": "plain\x1b[2J", "ms": -3.0, "at": None},
]
COLUMNS = [Column("name"), Column("ms", right=True), Column("at")]


def test_a_spreadsheet_runs_nothing_from_our_csv(capsys: pytest.CaptureFixture[str]) -> None:
    """Text that begins like a formula gets an apostrophe, and a negative number stays a number."""
    table(COLUMNS, ROWS, "csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows[0]["name"] == "'=HYPERLINK(1)"
    assert rows[1] == {"name": "plain[2J", "ms": "-3.0", "at": ""}


def json_part(value: object) -> None:
    """A whole document in one part."""
    json_parts([json.dumps(value, ensure_ascii=False)])


def test_json_is_utf_8_or_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the locale has another encoding, what a program reads is the same value."""
    for encoding in ("ascii", "latin-1", "utf-8"):
        for write in (json_value, json_line, lambda value: json_rows(value, [value]), json_part):
            out = io.TextIOWrapper(io.BytesIO(), encoding, errors="backslashreplace")
            with monkeypatch.context() as patched:
                patched.setattr(sys, "stdout", out)
                write(["ö日🎉"])
            out.seek(0)
            assert "ö日🎉" in str(json.loads(out.buffer.read()))


@pytest.mark.parametrize("start", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "\x00=1", "\u200b=1"])
def test_no_disguise_of_a_formula_passes(start: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A formula behind a tab, a break or an invisible character is one too."""
    csv_rows(["a"], [[start]])
    cell = next(iter(list(csv.reader(io.StringIO(capsys.readouterr().out)))[1:]))[0]
    assert cell.lstrip()[:1] not in "=+-@"


def test_json_has_times_in_utc(capsys: pytest.CaptureFixture[str]) -> None:
    """A naive time of the store is UTC, and says so."""
    table(COLUMNS, ROWS, "json")
    shown = json.loads(capsys.readouterr().out)
    assert shown[0]["at"] == "2026-11-20T12:00:00Z"
    assert shown[1]["name"] == "plain\x1b[2J"


def test_plain_tables_align_wide_characters(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe a table is aligned text, also with characters two cells wide, and never cut."""
    table([Column("a"), Column("b", right=True)], [{"a": "日本", "b": 1}, {"a": "abcdef", "b": 22}])
    assert capsys.readouterr().out == "a        b\n日本     1\nabcdef  22\n"


def test_one_long_cell_does_not_widen_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe a name of any length is whole, and the rows beside it stay short."""
    table([Column("a"), Column("b")], [{"a": "x" * 100_000, "b": "y"}, *[{"a": "z", "b": "y"}] * 100])
    shown = capsys.readouterr().out
    assert "x" * 100_000 + "  y\n" in shown
    assert len(shown) < 200_000
    assert len({line.index("y") for line in shown.splitlines()[2:]}) == 1


def test_values_json_does_not_know_are_written_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    """Decimals are numbers and bytes are hexadecimal."""
    table([Column("a")], [{"a": Decimal("1.5")}, {"a": b"\x01"}, {"a": datetime(2026, 1, 1, tzinfo=UTC)}], "json")
    assert [row["a"] for row in json.loads(capsys.readouterr().out)] == [1.5, "01", "2026-01-01T00:00:00+00:00"]


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (20, ([13, 9, 13, -1, -1], [3, 4])),
        (52, ([26, 9, 13, -1, -1], [3, 4])),
        (60, ([20, 9, 13, 12, -1], [4])),
        (75, ([17, 9, 17, 12, 12], [])),
        (117, ([36, 9, 40, 12, 12], [])),
        (140, ([36, 9, 40, 12, 12], [])),
    ],
)
def test_a_table_fits_its_terminal(room: int, expected: tuple[list[int], list[int]]) -> None:
    """Numbers keep their width, text is cut before columns go, and what is free is used."""
    assert fit([36, 9, 40, 12, 12], [False, True, False, True, True], [0, 0, 0, 1, 2], room) == expected


@pytest.mark.uncounted
def test_a_reader_that_leaves_is_no_failure(tmp_path: Path) -> None:
    """With `| head` every command ends with status 0 and nothing on stderr."""
    source = str(story().write(tmp_path / "s.jsonl"))
    command = [sys.executable, "-m", "flightlog", "sql", "FROM range(3000000)", source, "--format", "csv"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "range\n"
        process.stdout.close()
        assert (process.stderr.read(), process.wait(60)) == ("", 0)


@pytest.mark.uncounted
def test_ctrl_c_cancels_a_query(tmp_path: Path) -> None:
    """A query that would run for a quarter of an hour ends with status 130 and one line."""
    source = str(story().write(tmp_path / "s.jsonl"))
    long = "SELECT max(hash(a.range + b.range)) FROM range(1000000) a, range(1000000) b"
    query = f"SELECT 1 UNION ALL SELECT * FROM ({long})"
    command = [sys.executable, "-c", _SAYS_WHEN, "sql", query, source]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "asking\n"
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=60) == ("", "flightlog: stopped\n")
            assert process.returncode == 130
        finally:
            process.kill()


_SAYS_WHEN = """
import sys
from flightlog_viewer.cli.app import main
from flightlog_viewer.store.store import Store
ask = Store.sql
def sql(self, query, params=None):
    if "hash" in query:
        print("asking", flush=True)
    return ask(self, query, params)
Store.sql = sql
sys.exit(main(sys.argv[1:]))
"""
"""The command line, telling when it puts its query, so that the signal comes neither before nor by chance."""
