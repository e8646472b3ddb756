"""What each key does, screen by screen."""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from zoneinfo import ZoneInfo

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph

import flightlog_viewer.tui
from flightlog_viewer.tui.screens.compare import CompareScreen
from flightlog_viewer.tui.screens.rejects import RejectsScreen
from flightlog_viewer.tui.screens.threads import ThreadsView
from flightlog_viewer.tui.screens.trace import TraceView
from flightlog_viewer.tui.screens.traces import TracesView
from tests.viewer.tui.driving import Driven, driven
from tests.viewer.tui.recordings import support_trace, write
from tests.viewer.tui.threads import Writer


def traces(viewer: Driven) -> TracesView:
    """The list screen."""
    view = viewer.app.main.view("traces")
    assert isinstance(view, TracesView)
    return view


def trace(viewer: Driven) -> TraceView:
    """The trace screen."""
    view = viewer.app.main.view("trace")
    assert isinstance(view, TraceView)
    return view


async def test_moving_in_the_list(spans: Path) -> None:
    """j k g G ^d ^u and the arrows move; nothing runs over an end."""
    async with driven([spans]) as viewer:
        table = traces(viewer).table
        places = []
        for key in ("j", "down", "k", "G", "j", "up", "ctrl+u", "g", "k", "ctrl+d", "pagedown", "home", "end"):
            await viewer.press(key)
            places.append(table.cursor)
        half = round(table.page_rows * 0.5)
        assert places[:7] == [1, 2, 1, 29, 29, 28, 28 - half]
        assert places[7:] == [0, 0, half, half + table.page_rows, 0, 29]


async def test_another_order_shows_its_top(spans: Path) -> None:
    """Whoever has not moved sees the longest after sorting by duration, and the newest after a filter is cleared."""
    async with driven([spans]) as viewer:
        table = traces(viewer).table
        await viewer.press("S")
        assert (table.cursor, table.scroll_offset.y) == (0, 0)
        await viewer.press("slash")
        await viewer.write("status:error")
        await viewer.press("enter", "escape")
        assert (table.cursor, table.scroll_offset.y) == (0, 0)


@pytest.mark.slow
async def test_the_list_sorts_marks_compares_and_shows_bad_lines(spans: Path, home: Path, tmp_path: Path) -> None:
    """s sorts, B marks for good, c twice compares, R lists what was left out, : finds any of it by name."""
    async with driven([spans], size=(120, 40)) as viewer:
        await viewer.press("s", "j", "enter")
        assert traces(viewer).sort == "duration"
        await viewer.press("g", "B")
        assert "* support" in viewer.text()
        await viewer.press("c", "j", "c")
        assert isinstance(viewer.app.screen, CompareScreen)
        assert "B - A" in viewer.text()
        await viewer.press("escape", "R")
        assert isinstance(viewer.app.screen, RejectsScreen)
        assert "at byte" in viewer.text()
        await viewer.press("escape", "colon")
        await viewer.write("bad lin")
        await viewer.press("enter", "enter")
        assert isinstance(viewer.app.screen, RejectsScreen)
    async with driven([spans]) as viewer:
        await viewer.press("apostrophe", "enter")
        assert trace(viewer).trace_id is not None
        assert "support" in viewer.text()
    async with driven([write(tmp_path / "other.jsonl", support_trace(40))], size=(120, 40)) as viewer:
        await viewer.press("enter", "apostrophe", "enter")
        assert "this trace is not in the files that are open" in viewer.text()
        assert "messages" not in viewer.text()
        await viewer.press("1", "enter")
        assert "9 spans" in viewer.text()


@pytest.mark.slow
async def test_times_are_shown_in_the_zone_asked_for(
    spans: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every screen shows the wall times of one zone, the filter means them, Z turns to UTC and to this machine's."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    async with driven([spans], [database], zone=ZoneInfo("Pacific/Auckland"), size=(120, 40)) as viewer:
        assert "11-21 01:04:50" in viewer.text()
        await viewer.press("enter", "V")
        assert "at 01:04:50.000" in viewer.text()
        assert "2025-11-21 01:04:50.000000+1300" in viewer.text()
        for key, shown in (("3", "2025-11-21 01:04:"), ("4", "2025-11-21 01:04:"), ("5", "01:04:50")):
            await viewer.press(key)
            assert shown in viewer.text()
        await viewer.press("V", "V")
        assert "2025-11-21  " in viewer.text()
        await viewer.press("1", "slash")
        await viewer.write("start>=2025-11-20T13:00")
        await viewer.press("enter")
        for name, passing in (("Pacific/Auckland", 30), ("UTC", 0), ("Europe/Berlin", 30)):
            assert viewer.text().splitlines()[0].endswith(name)
            assert traces(viewer).table.row_count == passing
            await viewer.press("Z")
        await viewer.press("2", "Z", "Z", "3", "4", "5")
        assert "2025-11-20  " in viewer.text()
        await viewer.press("4")
        assert "2025-11-20 13:04:" in viewer.text()
        await viewer.press("slash")
        await viewer.write("asked>=2025-11-20T13:00 lag>1h")
        await viewer.press("enter")
        for counted in ("1 of 1", "1 of 1", "0 of 1"):
            assert counted in viewer.text()
            await viewer.press("Z")


async def test_moving_in_a_trace(spans: Path) -> None:
    """h l fold, . , go to siblings, w b zoom, f fits, H L pan, c marks the critical path, i unfolds idle time."""
    async with driven([spans], size=(120, 40)) as viewer:
        await viewer.press("enter")
        tree = trace(viewer).waterfall
        assert tree.row_count == 6
        await viewer.press("space")
        assert tree.row_count == 1
        await viewer.press("l", "j")
        assert tree.selected is not None
        assert tree.selected.name == "agent"
        await viewer.press("full_stop")
        assert tree.selected.name == "tools"
        await viewer.press("j", "l", "l", "l")
        assert tree.row_count == 10
        await viewer.press("h", "h")
        assert tree.row_count == 6
        await viewer.press("comma", "g", "w", "w", "L", "H", "b", "b")
        assert tree._window == tree._spread.whole
        await viewer.press("j", "f")
        assert tree._window != tree._spread.whole
        await viewer.press("f", "c", "i")
        assert tree._window == tree._spread.whole
        assert tree._critical is not None
        assert "≈" not in viewer.text()


async def test_a_filter_in_a_trace_keeps_ancestors(spans: Path) -> None:
    """/ narrows the tree to what matches and what stands above; n goes round the matches; Esc gives all back."""
    async with driven([spans], size=(120, 40)) as viewer:
        await viewer.press("enter", "slash")
        await viewer.write("name:refund OR type:llm")
        await viewer.press("enter")
        tree = trace(viewer).waterfall
        assert tree.row_count == 5
        await viewer.press("n", "n")
        assert tree.selected is not None
        assert tree.selected.name in ("refund", "gpt-4o")
        await viewer.press("slash", "end")
        await viewer.write(" :sql")
        await viewer.press("enter")
        assert "name ILIKE 'refund'" in viewer.toasts()
        await viewer.press("Z")
        assert tree.row_count == 5
        await viewer.press("escape")
        assert tree.row_count == 6


async def test_the_detail_shows_messages_raw_arguments_and_costs(spans: Path) -> None:
    """v goes through the tabs; the cost shows how it was reckoned; Tab and z change panes."""
    async with driven([spans], size=(120, 40)) as viewer:
        await viewer.press("enter", "j", "j")
        assert "call search(q: order 9)" in viewer.text()
        await viewer.press("v")
        assert "token_usage" in viewer.text()
        await viewer.press("v")
        assert "temperature" in viewer.text()
        await viewer.press("v")
        assert "1,200 x $2.5/M = $0.003000" in viewer.text()
        await viewer.press("tab", "z")
        assert trace(viewer).panes.alone
        await viewer.press("z", "V")
        assert not trace(viewer).panes.alone
        assert "temperature" in viewer.text()


async def test_the_pane_that_keys_go_to_is_in_view(spans: Path) -> None:
    """Who has come back from the detail stands in the tree, and in a terminal that is made small then, too."""
    async with driven([spans], size=(120, 40)) as viewer:
        await viewer.press("enter", "enter", "escape")
        await viewer.pilot.resize_terminal(60, 20)
        await viewer.settle()
        assert trace(viewer).waterfall.has_focus
        assert trace(viewer).waterfall.display


async def test_searching_in_a_text(spans: Path) -> None:
    """^f looks for words in the text with the focus, n and N go on; what is not there is said."""
    async with driven([spans], size=(120, 40)) as viewer:
        await viewer.press("enter", "j", "j", "tab", "ctrl+f")
        await viewer.write("ORDER")
        await viewer.press("enter")
        body = trace(viewer).body
        assert body.block is not None
        assert body.block.text == "Where is my order?"
        await viewer.press("n")
        assert body.block.text.startswith("search(q: order 9)")
        await viewer.press("N", "ctrl+f")
        assert body.block.text == "Where is my order?"
        await viewer.write("zebra")
        await viewer.press("enter")
        assert "'zebra' is not in what is unfolded" in viewer.toasts()


async def test_stepping_through_a_thread(spans: Path, database: Path) -> None:
    """[ ] step, { } jump, f changes the branch, d and m compare, n the namespace, P plays, v changes the tab."""
    async with driven([spans], [database], size=(120, 40)) as viewer:
        await viewer.press("3", "G", "enter")
        view = viewer.app.main.view("threads")
        assert isinstance(view, ThreadsView)
        assert "t-0  < step 1, 3 of 3 >  fork" in viewer.text()
        await viewer.press("f")
        assert "step 1, 3 of 4" in viewer.text()
        await viewer.press("left_square_bracket")
        assert "step 0, 2 of 4" in viewer.text()
        assert "fork 1'" in viewer.text()
        await viewer.press("right_square_bracket")
        assert "cart.total 40 -> 55" in viewer.text()
        await viewer.press("left_curly_bracket", "m", "right_square_bracket", "right_square_bracket", "d")
        assert "against the marked step" in viewer.text()
        assert "messages[2] bye   by (unknown)" in viewer.text(), "who wrote it since the mark is said too"
        await viewer.press("d", "v", "V", "P")
        assert "4 of 4" not in viewer.text(), "at the end of the branch it begins anew"
        await viewer.press("escape")
        assert not view._player.stop(), "Esc has stopped it"
        await viewer.press("escape", "k", "enter", "n")
        assert "ns: billing" in viewer.text()


async def test_the_list_of_threads_says_what_failed(spans: Path, tmp_path: Path) -> None:
    """A thread that stopped at an error has the error beside it in the list, and e goes there."""

    def fail(state: MessagesState) -> MessagesState:
        raise ValueError("no such [order]")

    path = tmp_path / "failed.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph = StateGraph(MessagesState).add_node("work", fail).add_edge(START, "work").compile(checkpointer=saver)
        with pytest.raises(ValueError, match="no such"):
            graph.invoke({"messages": []}, {"configurable": {"thread_id": "f-1"}})
        Writer(saver).put("fine", -1, {"topic": "x"}, parent=None, due=None, source="input")
    async with driven([spans], [path], size=(200, 40)) as viewer:
        await viewer.press("3")
        assert "failed: V" in viewer.text()
        await viewer.press("G", "e")
        assert "f-1  < step 0, 2 of 2 >" in viewer.text()


async def test_the_mouse_does_what_the_keys_do(spans: Path) -> None:
    """A click selects, a double click opens, a title sorts, a tab leads to its screen, the divider can be dragged."""
    async with driven([spans], size=(120, 40)) as viewer:
        table = traces(viewer).table
        await viewer.pilot.click("#traces-rows", offset=(20, 5))
        await viewer.settle()
        assert table.cursor == 4
        await viewer.pilot.click("#traces-rows", offset=(20, 0))
        await viewer.settle()
        assert traces(viewer).sort == "name"
        await viewer.pilot.click("#traces-rows", offset=(20, 3), times=2)
        await viewer.settle()
        assert viewer.app.main._front == "trace"
        panes = trace(viewer).panes
        await viewer.pilot.mouse_down("Divider")
        await viewer.pilot.hover("#trace-tree", offset=(30, 8))
        await viewer.pilot.mouse_up("#trace-tree", offset=(30, 8))
        await viewer.settle()
        assert panes._first.size.width < 50
        await viewer.pilot.click("#tabs", offset=(34, 0))
        await viewer.settle()
        assert viewer.app.main._front == "inbox"


async def test_help_lists_every_binding_and_keys_can_be_changed(spans: Path, home: Path) -> None:
    """Help is made from the bindings; a keymap file gives them other keys; a broken one is said and not used."""
    folder = home / ".config" / "flightlog"
    folder.mkdir(parents=True)
    (folder / "keymap.json").write_text('{"move.down": "w", "sort": "ctrl+s"}')
    async with driven([spans], size=(120, 60)) as viewer:
        await viewer.press("w")
        assert traces(viewer).table.cursor == 1
        await viewer.press("question_mark")
        assert "w" in viewer.text()
        assert "move.down" in viewer.text()
        assert "^s" in viewer.text()
    (folder / "keymap.json").write_text("[1")
    async with driven([spans]) as viewer:
        assert "not a JSON object" in viewer.toasts()


def test_every_binding_has_an_id_and_no_forbidden_key() -> None:
    """All can be remapped, and none needs a key that terminals keep for themselves; Ctrl+Z means what it does there."""
    forbidden = {"ctrl+s", "ctrl+j", "ctrl+i", "ctrl+m", "ctrl+z"} | {f"f{n}" for n in range(1, 25)}
    checked = 0
    for module in iter_modules(flightlog_viewer.tui.__path__, "flightlog_viewer.tui."):
        names = [module.name]
        if module.ispkg:
            package = import_module(module.name)
            names += [inner.name for inner in iter_modules(package.__path__, f"{module.name}.")]
        for made in (
            thing for name in names for thing in vars(import_module(name)).values() if isinstance(thing, type)
        ):
            for binding in vars(made).get("BINDINGS", ()) if made.__module__.startswith("flightlog_viewer") else ():
                assert binding.id, binding
                assert binding.id == "suspend" or forbidden.isdisjoint(binding.key.split(",")), binding
                checked += 1
    assert checked > 80


async def test_quitting_goes_back_first(spans: Path) -> None:
    """q leaves the detail, then the trace, then the program."""
    async with driven([spans]) as viewer:
        await viewer.press("enter", "enter", "q", "q")
        assert viewer.app.main._front == "traces"
        await viewer.press("q")
        assert viewer.app.return_code == 0


async def test_a_screen_by_its_number_is_a_way_back(spans: Path) -> None:
    """Whoever goes to a screen by its number where he was before leaves from there, not by the whole way again."""
    async with driven([spans]) as viewer:
        await viewer.press("5", "2", "5", "1", "2", "1")
        await viewer.press("q")
        assert viewer.app.return_code == 0
    async with driven([spans]) as viewer:
        await viewer.press("5", "3", "4", "3", "escape")
        assert viewer.app.main._front == "stats"
