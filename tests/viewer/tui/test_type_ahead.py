"""Keys that come in a bunch, as over a slow line: each is for what the one before has led to."""

import asyncio
import random
import shutil
import threading
import time
from pathlib import Path

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from textual import events

from flightlog_viewer.tui.questions.threads import ThreadEntry, ThreadQuestions, ThreadSteps
from flightlog_viewer.tui.screens.sql import SqlView
from flightlog_viewer.tui.screens.threads import ThreadsView
from flightlog_viewer.tui.screens.trace import TraceView
from flightlog_viewer.tui.screens.traces import TracesView
from tests.viewer.tui.driving import driven
from tests.viewer.tui.recordings import support_file
from tests.viewer.tui.threads import Writer, checkpoint_file


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six support traces, the second and the fifth of them failed."""
    return support_file(tmp_path_factory.mktemp("flights") / "support.jsonl", 6, failing=(1, 4))


async def test_a_filter_typed_ahead_is_a_filter(spans: Path) -> None:
    """What comes right behind / is typed, Enter applies it, and the next Enter opens what it has left."""
    async with driven([spans]) as viewer:
        await viewer.type("/", *"status:error", "enter", "j", "enter")
        view = viewer.app.main.view("traces")
        assert isinstance(view, TracesView)
        assert view.filter_line.text == "status:error"
        assert len(view.table.rows) == 2
        await viewer.until("[2 Trace]")
        await viewer.until("✗2")


async def test_enter_waits_for_the_next_error(spans: Path) -> None:
    """e and Enter in one bunch open the trace that e leads to."""
    async with driven([spans]) as viewer:
        await viewer.type("e", "enter")
        view = viewer.app.main.view("traces")
        assert isinstance(view, TracesView)
        assert view.table.cursor == 1
        await viewer.until("✗2")


@pytest.mark.parametrize("in_a_bunch", [True, False])
async def test_the_next_failed_thread_waits_for_the_threads(
    spans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_a_bunch: bool
) -> None:
    """3, e and Enter lead to the thread that failed, however long its database is read."""
    with SqliteSaver.from_conn_string(str(tmp_path / "checkpoints.sqlite")) as saver:
        writer = Writer(saver)
        failed = writer.put("failed", -1, {"topic": "x"}, parent=None, due="plan", source="input")
        writer.write("failed", failed, "task", [("__error__", "no room")])
        writer.put("fine", -1, {"topic": "x"}, parent=None, due=None, source="input")
    listed = ThreadQuestions.listed

    def slowly(questions: ThreadQuestions) -> list[ThreadEntry]:
        time.sleep(0.3)
        return listed(questions)

    monkeypatch.setattr(ThreadQuestions, "listed", slowly)
    async with driven([spans], [tmp_path / "checkpoints.sqlite"], size=(80, 24)) as viewer:
        if in_a_bunch:
            await viewer.type("3", "e", "enter")
        else:
            await viewer.pilot.press("3")
            await viewer.press("e")
            await viewer.press("enter")
        await viewer.until("failed  <")
        view = viewer.app.main.view("threads")
        assert isinstance(view, ThreadsView)
        assert view.body.has_focus
        assert not viewer.toasts()


async def test_a_move_waits_for_the_rows_it_is_over(
    spans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """j while the threads are read moves over them as soon as they are there, and Enter opens the second one."""
    listed, read = ThreadQuestions.listed, threading.Event()

    def later(questions: ThreadQuestions) -> list[ThreadEntry]:
        assert read.wait(30)
        return listed(questions)

    async with driven([spans], [checkpoint_file(tmp_path / "checkpoints.sqlite")], size=(80, 24)) as viewer:
        monkeypatch.setattr(ThreadQuestions, "listed", later)
        viewer.app.post_message(events.Key("3", "3"))
        while getattr(viewer.app.focused, "id", None) != "thread-rows" or not viewer.app.typed.is_quiet(answered=False):
            await asyncio.sleep(0.01)
        viewer.app.post_message(events.Key("j", "j"))
        await asyncio.sleep(0.05)  # that much of the second it waits
        read.set()
        await viewer.press("enter")
        await viewer.until("t-1  <")


async def test_what_is_asked_of_a_thread_waits_for_it(
    spans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next namespace and the other branch are those of the thread that was gone to, not of the one before."""
    steps = ThreadQuestions.steps

    def slowly(questions: ThreadQuestions, thread_id: str) -> ThreadSteps:
        time.sleep(0.3)
        return steps(questions, thread_id)

    async with driven([spans], [checkpoint_file(tmp_path / "checkpoints.sqlite")], size=(120, 40)) as viewer:
        await viewer.press("3")
        monkeypatch.setattr(ThreadQuestions, "steps", slowly)
        for way, key in (("j", "n"), ("G", "f")):
            await viewer.pilot.press(way)
            await viewer.press(key)
        assert not viewer.toasts()


async def test_a_screen_is_there_before_the_keys_for_it(spans: Path, tmp_path: Path) -> None:
    """The first keys of a screen reach it although it is made only now; Esc before it is there leads back."""
    async with driven([spans], [checkpoint_file(tmp_path / "checkpoints.sqlite")]) as viewer:
        await viewer.type("2", "escape", "j")
        await viewer.until("[1 Traces]")
        await viewer.type("5", "v", "v", "Z")
        await viewer.until("[Node]")
        await viewer.type("6", *"-- ", "escape", "4", "v")
        sql = viewer.app.main.view("sql")
        assert isinstance(sql, SqlView)
        assert sql.editor.text.startswith("-- SELECT")
        await viewer.until("[Answered]")


async def test_a_key_held_down_is_not_held_up(spans: Path) -> None:
    """Equal keys in a bunch all count."""
    async with driven([spans]) as viewer:
        await viewer.type(*"jjjj", "k")
        view = viewer.app.main.view("traces")
        assert isinstance(view, TracesView)
        assert view.table.cursor == 3


async def test_equal_keys_that_lead_on_wait_for_each_other(spans: Path) -> None:
    """q q leaves the detail and then the trace, e e goes to the second failed trace, Down Down is one row below."""
    async with driven([spans], size=(120, 40)) as viewer:
        view = viewer.app.main.view("traces")
        assert isinstance(view, TracesView)
        await viewer.type("enter", "enter", "q", "q")
        assert viewer.app.main._front == "traces"
        await viewer.type("e", "e")
        assert view.table.cursor == 4
        await viewer.type("g", "/", "down", "down")
        assert view.table.cursor == 1
        await viewer.type("enter", "tab", "tab", "j")
        tree = viewer.app.main.view("trace")
        assert isinstance(tree, TraceView)
        assert tree.waterfall.cursor == 1


SEEDS = [seed if seed < 2 else pytest.param(seed, marks=pytest.mark.soak) for seed in range(100)]
KEYS = [*"jjkhlgGnxtsvVzeE123456/BcRZQ[].dfiwbmay? ", *("enter", "enter", "escape", "q", "tab", "down")]


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_bunch_does_what_its_keys_do_one_by_one(seed: int, spans: Path, tmp_path: Path, home: Path) -> None:
    """However fast any keys come, the screen is the same in the end."""
    chance = random.Random(seed)
    keys = [chance.choice(KEYS) for _ in range(chance.randint(3, 12))]
    database = checkpoint_file(tmp_path / "checkpoints.sqlite")
    screens = []
    for in_a_bunch in (False, True):
        shutil.rmtree(home)  # bookmarks and what was filtered lately
        async with driven([spans], [database], size=(120, 40)) as viewer:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(viewer.app, "exit", lambda *_, **__: None)
                await (viewer.type if in_a_bunch else viewer.press)(*keys)
            viewer.app.clear_notifications()
            await viewer.settle()
            screens.append((viewer.text(), str(viewer.app.focused)))
    assert screens[0] == screens[1], keys
