"""The way of a first look: the list, one trace, one span, one thread."""

import contextlib
import os
from functools import partial
from pathlib import Path
from time import sleep
from types import SimpleNamespace
from typing import Any, cast

import pytest
from textual.app import App
from textual.css.stylesheet import Stylesheet

from flightlog.errors import UsageError
from flightlog_viewer.databases import is_database
from flightlog_viewer.tui import handover, recent
from tests.viewer.tui.driving import application, driven
from tests.viewer.tui.recordings import span, support_file, write
from tests.viewer.tui.threads import checkpoint_file


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty support traces, two of them failed."""
    return support_file(tmp_path_factory.mktemp("flights") / "support.jsonl")


async def test_a_trace_is_found_opened_and_read(spans: Path) -> None:
    """From the list to a model's messages with three keys, and back with two."""
    async with driven([spans]) as viewer:
        assert "support.jsonl  270 spans" in viewer.text()
        assert "30 traces" in viewer.text()
        await viewer.press("enter")
        assert "G support" in viewer.text()
        assert "search x4" in viewer.text()
        await viewer.press("j", "j", "enter")
        assert "Where is my order?" in viewer.text()
        assert "call search(q: order 9)" in viewer.text()
        await viewer.press("escape", "escape")
        assert "30 traces" in viewer.text()


async def test_the_next_error_is_where_it_began(spans: Path) -> None:
    """`e` in the list finds a failed trace, `e` in the trace the span that failed first."""
    async with driven([spans], size=(120, 40)) as viewer:
        await viewer.press("e", "enter", "e")
        assert "ValueError: no such order" in viewer.text()
        assert "✗T refund" in viewer.text()


@pytest.mark.slow
async def test_a_filter_leaves_what_it_names(spans: Path) -> None:
    """The filter line narrows the list; Esc gives it back; a mistake gets a caret and leaves the rows."""
    async with driven([spans]) as viewer:
        await viewer.press("slash")
        await viewer.write("status:error")
        await viewer.press("enter")
        assert "2 of 30" in viewer.text()
        await viewer.press("escape")
        assert "30 traces" in viewer.text()
        await viewer.press("slash")
        await viewer.write("status:error")
        await viewer.press("enter", "slash")
        await viewer.write(" :sql")
        await viewer.press("enter")
        assert "status ILIKE 'error'" in viewer.toasts()
        await viewer.press("escape", "slash")
        await viewer.write("status:eror")
        await viewer.press("down", "j")
        assert "a status is one of ok, error" in viewer.text()
        await viewer.press("escape", "slash")
        await viewer.write("tokens>5k")
        await viewer.press("down", "j")
        assert "tokens is that of one span, root:tokens that of the trace" in " ".join(viewer.text().split())
        await viewer.press("escape", "slash")
        await viewer.write("dur>x")
        await viewer.press("enter")
        assert "^" in viewer.text()
        assert "30 traces" in viewer.text()


async def test_sorting_keeps_the_row_under_the_cursor(spans: Path) -> None:
    """Another order moves the row, and the cursor with it."""
    async with driven([spans]) as viewer:
        await viewer.press("j", "j", "j")
        before = viewer.app.main.view("traces").selected()  # type: ignore[attr-defined]
        await viewer.press("S")
        assert viewer.app.main.view("traces").selected() == before  # type: ignore[attr-defined]
        assert "Start ^" in viewer.text()


async def test_colours_are_read_once(spans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A viewer reads its style sheets in its own theme only, and in another one once that is chosen."""
    again: list[Stylesheet] = []
    reparse = Stylesheet.reparse

    def counted(sheet: Stylesheet) -> None:
        again.append(sheet)
        reparse(sheet)

    monkeypatch.setattr(Stylesheet, "reparse", counted)
    async with driven([spans], theme="flightlog-light") as viewer:
        light = viewer.app.screen.styles.background
        assert not again
        viewer.app.theme = "flightlog-dark"
        await viewer.settle()
        assert again == [viewer.app.stylesheet]
        dark = viewer.app.screen.styles.background
        assert light.brightness > 0.5 > dark.brightness


def test_an_unknown_theme_is_a_sentence(spans: Path) -> None:
    """A theme that does not exist is said with those that do."""
    with pytest.raises(UsageError, match="flightlog-light"):
        application([spans], theme="nonsense")


@pytest.mark.parametrize("name", ["", "no_such_module", "os:no_such_driver", "os:path"])
def test_an_unknown_driver_is_a_sentence(spans: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What TEXTUAL_DRIVER names is not there, or is none."""
    monkeypatch.setattr("textual.constants.DRIVER", name)  # as Textual reads it from the environment
    with pytest.raises(UsageError, match="TEXTUAL_DRIVER names no driver"):
        application([spans])


def test_a_database_may_be_named_like_a_file(spans: Path, tmp_path: Path) -> None:
    """What SQLite has written, and a URL, are databases; a span file and what is not there are none."""
    assert is_database(str(checkpoint_file(tmp_path / "threads.db")))
    assert is_database("postgresql://localhost/graphs")
    assert not is_database(str(spans))
    assert not is_database(str(tmp_path / "missing"))


async def test_what_was_open_is_offered_again(spans: Path, tmp_path: Path) -> None:
    """The latest comes first, what is gone is left out, and a choice answers its paths."""
    other = support_file(tmp_path / "other.jsonl")
    async with driven([other]):
        pass
    async with driven([spans]):
        pass
    assert [found.paths for found in recent.load()] == [[str(spans)], [str(other)]]
    app = recent.RecentApp(recent.load(), "no span file here")
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("j", "enter")
    assert app.return_value == recent.Recent([str(other)], [])
    other.unlink()
    assert [found.paths for found in recent.load()] == [[str(spans)]]


def test_the_clipboard_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A local session copies through the platform's own program too, one over SSH does not."""
    target = tmp_path / "copied"
    program = tmp_path / "xclip"
    program.write_text(f"#!/bin/sh\nexec cat > {target}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("DISPLAY", ":0")
    for name in ("SSH_CONNECTION", "SSH_TTY", "TEXTUAL_DRIVER", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    terminal: list[str] = []
    app = SimpleNamespace(copy_to_clipboard=terminal.append)
    assert "xclip" in handover.copy(app, "a \x1b[31mspan")
    for _ in range(100):
        if target.exists() and target.read_text():
            break
        sleep(0.05)
    assert [target.read_text()] == terminal
    assert "\x1b" not in terminal[0]
    monkeypatch.setenv("SSH_TTY", "/dev/pts/1")
    assert handover.clipboard_command() is None


@pytest.mark.parametrize("named", ["", "  ", "'cat", "cat"])
def test_a_pager_is_run_however_it_is_named(named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty name is none, and a quote that is never closed is part of a name."""
    for name in ("cat", "'cat"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\ncp "$1" {tmp_path}/shown\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("PAGER", named)
    app = SimpleNamespace(suspend=contextlib.nullcontext, refresh=lambda layout: None)
    handover.show(app, "the text", "PAGER", "cat")
    assert (tmp_path / "shown").read_text() == "the text"


@pytest.mark.parametrize("pager", ["nowhere/less", "./interrupted"])
def test_the_viewer_comes_back_from_a_pager(pager: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From one that is not installed, and from one in which Ctrl-C was pressed, which the terminal tells both."""
    program = tmp_path / "interrupted"
    program.write_text("#!/bin/sh\nkill -INT $PPID\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAGER", pager)
    seen: list[str] = []
    driver = SimpleNamespace(
        can_suspend=True,
        no_automatic_restart=contextlib.nullcontext,
        suspend_application_mode=lambda: seen.append("away"),
        resume_application_mode=lambda: seen.append("back"),
    )
    app = SimpleNamespace(
        _driver=driver,
        _suspend_signal=lambda: None,
        _resume_signal=lambda: None,
        refresh=lambda layout: None,
        notify=lambda text, **options: seen.append(text),
    )
    app.suspend = partial(App.suspend, cast(Any, app))  # Textual's own
    handover.show(app, "the text", "PAGER", "less")
    said = (
        []
        if "interrupted" in pager
        else ["nowhere/less cannot be run: No such file or directory ($PAGER names another)"]
    )
    assert seen == ["away", "back", *said]


async def test_figures_in_the_smallest_terminal(spans: Path) -> None:
    """Names keep their room, plots give way, and of the tabs the active one is in view."""
    async with driven([spans], size=(40, 10)) as viewer:
        await viewer.press("5")
        assert "gpt-4o " in viewer.text()
        assert "by duration" not in viewer.text()
        await viewer.press("V")
        assert "[Approvals]" in viewer.text()
        await viewer.pilot.click("#stats-tabs", offset=(2, 0))
        await viewer.settle()
        assert "[Tool]" in viewer.text()


async def test_traces_without_models_have_no_tokens_to_count(tmp_path: Path) -> None:
    """Neither an unknown number nor a price is claimed for them."""
    plain = span("plain", "p", trace="p", at_ms=0, took_ms=5)
    async with driven([write(tmp_path / "plain.jsonl", [plain])], size=(120, 24)) as viewer:
        assert "1 trace  p95 5.0ms\n" in viewer.text()


async def test_the_help_begins_with_what_is_special_here(spans: Path) -> None:
    """First the keys of the screen, then those of every list, then those of every screen."""
    async with driven([spans], size=(120, 60)) as viewer:
        await viewer.press("5", "question_mark")
        text = viewer.text()
        places = [text.index(said) for said in ("Group by", "Half page down", "Time zone")]
        assert places == sorted(places)
        assert "Keys of every list, tree and text" in text


async def test_services_have_a_column_where_there_are_several(tmp_path: Path) -> None:
    """What is called alike can be told apart by who ran it; one service alone needs no column."""
    runs = [span("agent", f"r{n}", trace=f"r{n}", at_ms=n, took_ms=5, service=f"svc-{n}") for n in range(3)]
    async with driven([write(tmp_path / "many.jsonl", runs)], size=(120, 24)) as viewer:
        assert "Service" in viewer.text()
        assert "svc-2" in viewer.text()
        await viewer.press("slash")
        await viewer.write("service:svc-1")
        await viewer.press("enter")
        assert "1 of 3" in viewer.text()
        assert "Service" in viewer.text()
    async with driven([write(tmp_path / "one.jsonl", runs[:1])], size=(120, 24)) as viewer:
        assert "Service" not in viewer.text()


async def test_a_database_alone_and_with_the_newest_spans_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without span files the list of traces says how to open one; what is taken from this folder is named."""
    database = checkpoint_file(tmp_path / "c.sqlite")
    monkeypatch.chdir(tmp_path)
    async with driven([], [database], size=(100, 24)) as viewer:
        assert "[3 Threads]" in viewer.text()
        await viewer.press("1")
        assert "no span file is open: flightlog view FILE --checkpoints DB" in viewer.text()
    support_file(tmp_path / "support.jsonl")
    async with driven([], [database], size=(100, 24)) as viewer:
        assert "flightlog support.jsonl, c.sqlite  270 spans" in viewer.text()
