"""The list of threads: its filter, and what leads past it."""

from pathlib import Path

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver

from flightlog.errors import UnreadableError
from flightlog_viewer.tui.questions.threads import ThreadQuestions
from tests.viewer.tui.driving import Driven, driven
from tests.viewer.tui.recordings import support_file
from tests.viewer.tui.threads import Writer, checkpoint_file


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("threads")
    return support_file(folder / "s.jsonl"), checkpoint_file(folder / "c.sqlite")


def listed(viewer: Driven) -> set[str]:
    """The threads that stand in the list."""
    lines = [line.split() for line in viewer.text().splitlines()[4:14]]
    return {word for line in lines for word in line[1:2] if word.startswith("t-")}


async def test_a_filter_leaves_the_threads_that_match(files: tuple[Path, Path]) -> None:
    """/ filters the threads by the same language as traces, says how many are left, and Esc brings all back."""
    async with driven([files[0]], [files[1]], size=(80, 24)) as viewer:
        await viewer.press("3")
        assert "3 threads  ‖1" in viewer.text()
        await viewer.press("slash")
        await viewer.write("status:interrupted refund")
        await viewer.press("enter")
        assert listed(viewer) == {"t-1"}
        assert "1 of 3" in viewer.text()
        await viewer.press("enter")
        assert "t-1  < step 0, 2 of 2 >" in viewer.text()
        await viewer.press("escape", "escape")
        assert listed(viewer) == {"t-0", "t-1", "t-2"}


async def test_a_mistake_keeps_the_threads(files: tuple[Path, Path]) -> None:
    """What cannot be meant is marked under the line, and a filter that leaves nothing says how to go on."""
    async with driven([files[0]], [files[1]], size=(80, 24)) as viewer:
        await viewer.press("3", "slash")
        await viewer.write("stauts:x")
        await viewer.press("enter")
        assert "^ threads have no field 'stauts': did you mean `status`?" in viewer.text()
        assert "t-2" in viewer.text()
        await viewer.press("escape", "slash")
        await viewer.write("nowhere")
        await viewer.press("enter")
        assert "no thread matches this filter: Esc clears it" in viewer.text()


async def test_a_thread_that_is_asked_for_is_shown_through_a_filter(files: tuple[Path, Path]) -> None:
    """Whoever comes from the inbox to a thread that the filter hides finds it, and the filter is gone."""
    async with driven([files[0]], [files[1]], size=(120, 40)) as viewer:
        await viewer.press("3", "slash")
        await viewer.write("thread:t-2")
        await viewer.press("enter", "4", "t")
        assert "t-1  < step 0, 2 of 2 >" in viewer.text()
        assert listed(viewer) == {"t-0", "t-1", "t-2"}


async def test_keys_are_for_the_thread_under_the_cursor(files: tuple[Path, Path]) -> None:
    """Where only the list has room too: the copied id is that of its row, and a step brings it to the front."""
    async with driven([files[0]], [files[1]], size=(80, 24)) as viewer:
        await viewer.press("3", "G", "y", *["j"] * 4)
        names = [line.split("│ ")[1].strip(" │") for line in viewer.text().splitlines() if "│ " in line]
        await viewer.press("escape", "y", *["j"] * (names.index("thread id") - 1), "enter")
        last = viewer.app.clipboard
        assert last == viewer.text().splitlines()[6].split()[1]
        await viewer.type("g", "j", "left_square_bracket")
        assert "  < step -1, 1 of 2 >" in viewer.text() or " < step in, 1 of 2 >" in viewer.text()
        await viewer.press("escape")
        assert "3 threads" in viewer.text()
        await viewer.press("v")
        assert "[Writes]" in viewer.text()


async def test_a_database_that_goes_bad_takes_nothing_away(tmp_path: Path) -> None:
    """What was read of it stays, the other one is followed, the inbox has both, and what is wrong is said once."""
    first, second = checkpoint_file(tmp_path / "a.sqlite"), tmp_path / "b.sqlite"
    with SqliteSaver.from_conn_string(str(second)) as saver:
        saver.setup()
        writer = Writer(saver)
        writer.put("u-1", -1, {"topic": "x"}, parent=None, due=None, source="input")
        async with driven([], [first, second], size=(120, 40)) as viewer:
            assert "4 threads  ‖1" in viewer.text()
            first.write_bytes(b"")
            await viewer.until("a.sqlite is empty")
            writer.put("u-2", -1, {"topic": "x"}, parent=None, due=None, source="input")
            await viewer.until("5 threads  ‖1")
            await viewer.press("4")
            assert "1 pending" in viewer.text()
            assert "could not be read" not in viewer.text()


async def test_what_cannot_be_read_is_not_being_read(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """An inbox that could not be read says so instead of reading for ever."""

    def fails(_self: ThreadQuestions) -> None:
        raise UnreadableError("c.sqlite is locked")

    monkeypatch.setattr(ThreadQuestions, "approvals", fails)
    async with driven([], [files[1]], size=(120, 40)) as viewer:
        await viewer.press("4")
        viewer.app.faults.clear()
        assert "c.sqlite is locked" in viewer.text()
        assert "this could not be read" in viewer.text()
