"""A hostile file, opened in every screen of a real terminal: nothing foreign comes out, and nothing dies."""

import re
from pathlib import Path

import pytest

from flightlog.errors import UnreadableError
from flightlog_viewer.tui.session import Session
from tests.viewer.tui.driving import driven
from tests.viewer.tui.hostile import hostile_database, hostile_file
from tests.viewer.tui.recordings import support_file
from tests.viewer.tui.terminal import Terminal, flightlog
from tests.viewer.tui.threads import checkpoint_file

_OWN = re.compile(
    rb"\x1b\[[0-9;:]*[mHJK]"  # colours, places, clearing
    rb"|\x1b\[\??[0-9;]*[hlu]|\x1b\[[<>=][0-9;]*u"  # modes, keyboard protocol
    rb"|\x1b\]22;[a-z-]*\x07"  # shape of the mouse pointer
    rb"|\x1b\[\?[0-9]+\$p|\x1b\[c|\x1b\[[0-9]*n|\x1b\[[0-9;]*t|\x1b\[\?[0-9;]*[Sc]"  # questions
)
"""The sequences that Textual itself writes."""
TOUR = [
    *("j", "\r", "e", "j", "j", "v", "v", "v", "v", "\t", "jj", "G", "\x1b", "c", "w", "f"),
    *("1", "j", "\r", "v", "\t", "j l", "\x1b", "1", "G", "\r", "G", "g", "\x1b", "?", "j", "\x1b"),
    *("3", "\r", "[", "v", "v", "v", "v", "v", "]", "n", "4", "\r", "jjj", "\x1b", "v", "v"),
    *("5", "w", "x", "\x1b", "\x1b", "v", "e", "\x1b", "\x1b", "Q", "5", "v", "v", "v", "v", "Q", "Z"),
    *("6", "\x12", "\r", "\x1b", "R", "j", "\x1b", "1", "B", "'", "\x1b", "y", "\x1b"),
    *("G", "Q", "1", "g", "\r", "Q", "1", "c", "j", "c", "\t", "\x1b", ":", "sort", "\x1b", "/", "name:x[/", "\r"),
]
"""Keys that lead through every screen, tab and menu."""


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Span file and database."""
    folder = tmp_path_factory.mktemp("evil")
    return hostile_file(folder / "evil.jsonl"), hostile_database(folder / "evil.sqlite")


def foreign(output: bytes) -> list[bytes]:
    """Escape sequences and C1 characters that are not Textual's own."""
    rest = _OWN.sub(b"", output)
    found = [rest[i : i + 30] for i in (match.start() for match in re.finditer(rb"\x1b", rest))]
    text = rest.decode("utf-8", "replace")
    found += [
        text[i - 5 : i + 20].encode()
        for i in (m.start() for m in re.finditer("[\x80-\x9f\u202a-\u202e\u2066-\u2069]", text))
    ]
    return found


@pytest.mark.slow
@pytest.mark.uncounted
@pytest.mark.parametrize(
    "extra", [{}, pytest.param({"NO_COLOR": "1"}, marks=pytest.mark.soak)], ids=["colour", "no-colour"]
)
def test_nothing_foreign_reaches_the_terminal(evil: tuple[Path, Path], extra: dict[str, str], home: Path) -> None:
    """Through every screen no escape sequence of the data's comes out, and the program is alive at the end."""
    command = flightlog("view", str(evil[0]), "--checkpoints", str(evil[1]), "--no-cache")
    with Terminal(command, size=(100, 30), env={"HOME": str(home), **extra}) as terminal:
        terminal.wait_for("bad lines")
        for keys in TOUR:
            terminal.send(keys)
            # Whatever comes within a tenth of a second after Esc is taken for one key with it.
            terminal.settle(0.2 if keys == "\x1b" else 0.05, 5)
        assert foreign(bytes(terminal.output)) == []
        assert terminal.running(), terminal.text()
        assert b"Traceback" not in bytes(terminal.output)
        terminal.send("\x11")
        terminal.settle(0.5, 5)
    log = home / ".local" / "state" / "flightlog" / "log" / "viewer.log"
    assert not log.exists(), log.read_text()


def test_the_check_sees_what_is_foreign() -> None:
    """What must not come out is found when it does."""
    assert foreign(b"\x1b[31mred\x1b[0m\x1b[?25l") == []
    for bad in (b"\x1b]52;c;eA==\x07", b"\x1b]8;;x\x1b\\", b"\x1bP1\x1b\\", b"\xc2\x9b31m", b"\xe2\x80\xae"):
        assert foreign(bad), bad


async def test_an_unexpected_error_is_a_banner_and_a_log_line(tmp_path: Path, home: Path) -> None:
    """A handler that fails leaves the program running, says what happened, and where the traceback is."""
    async with driven([support_file(tmp_path / "s.jsonl", 2)]) as viewer:

        def broken() -> None:
            raise ZeroDivisionError("made for\x1b[2J this test")

        viewer.app.main.view("traces").call_later(broken)
        await viewer.settle()
        assert "ZeroDivisionError: made for" in viewer.text()
        assert "viewer.log" in viewer.text().replace("\n", "")
        await viewer.press("escape")
        assert "ZeroDivisionError" not in viewer.text()
        await viewer.press("j", "enter")
        assert "G support" in viewer.text()
        assert len(viewer.app.faults) == 1
        viewer.app.faults.clear()
    (log,) = home.rglob("viewer.log")
    assert "ZeroDivisionError" in log.read_text()
    assert "\x1b" not in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


async def test_a_database_that_is_none_is_said_and_the_traces_stay(tmp_path: Path) -> None:
    """A wrong checkpoint database gets a banner; everything else works."""
    wrong = tmp_path / "wrong.sqlite"
    wrong.write_bytes(b"no database at all" * 100)
    async with driven([support_file(tmp_path / "s.jsonl", 2)], [wrong]) as viewer:
        assert "wrong.sqlite" in viewer.text().replace("\n ", "")  # a long path is wrapped
        await viewer.press("escape")
        assert "2 traces" in viewer.text()


async def test_checkpoints_alone_open_the_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a span file anywhere the screen of threads is what there is to see."""
    monkeypatch.chdir(tmp_path)
    async with driven([], [checkpoint_file(tmp_path / "c.sqlite")], size=(120, 30)) as viewer:
        assert "[3 Threads]" in viewer.text()
        assert "t-1" in viewer.text()


def test_a_wrong_database_is_a_sentence_before_anything_is_drawn(tmp_path: Path) -> None:
    """`flightlog view` ends with a sentence when a database is missing or none."""
    wrong = tmp_path / "wrong.sqlite"
    for made, said in ((False, "cannot be read"), (True, "is not a SQLite database")):
        if made:
            wrong.write_bytes(b"no database at all")
        with pytest.raises(UnreadableError, match=said):
            Session([], [str(wrong)]).check_checkpoints()
