"""Files and databases that are being written while they are looked at."""

import fcntl
from pathlib import Path
from time import sleep
from typing import Any, TypedDict

import orjson
import psycopg
import pytest
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from psycopg.conninfo import conninfo_to_dict

from flightlog.errors import UnreadableError
from flightlog.writing.span_file import SpanFile
from flightlog_viewer.tui import server_watch
from flightlog_viewer.tui.screens.traces import TracesView
from tests.viewer.tui.driving import driven
from tests.viewer.tui.recordings import support_file, support_trace
from tests.viewer.tui.threads import checkpoint_file


def append(path: Path, number: int) -> None:
    """One more trace at the end of the file."""
    with path.open("ab") as file:
        file.write(b"".join(span.to_json() + b"\n" for span in reversed(support_trace(number))))


async def test_new_rows_wait_while_the_cursor_is_elsewhere(tmp_path: Path) -> None:
    """Rows never move under the cursor: what is new is counted, `a` shows it, and F keeps the newest in view."""
    path = support_file(tmp_path / "s.jsonl", 5)
    async with driven([path]) as viewer:
        view = viewer.app.main.view("traces")
        assert isinstance(view, TracesView)
        await viewer.press("j", "j")
        before = view.selected()
        append(path, 40)
        await viewer.until("1 newer (a)")
        await viewer.settle()
        assert view.selected() == before
        assert view.table.row_count == 5
        await viewer.press("a")
        assert view.table.row_count == 6
        assert view.selected() == before
        await viewer.press("g", "F")
        assert "LIVE" in viewer.text()
        append(path, 50)
        await viewer.until("63 spans")
        await viewer.until("7 traces")
        assert view.table.cursor == 0
        assert view.table.row_count == 7


async def test_following_is_of_the_newest(tmp_path: Path) -> None:
    """F puts the newest first, whatever the order was; above a cursor that has left the top they are counted till g."""
    path = support_file(tmp_path / "s.jsonl", 5)
    async with driven([path]) as viewer:
        view = viewer.app.main.view("traces")
        assert isinstance(view, TracesView)
        await viewer.press("j", "j", "s", "j", "enter")
        assert view.sort == "duration"
        await viewer.press("F")
        assert (view.sort, view.descending, view.table.cursor) == ("start", True, 0)
        await viewer.press("j")
        stands = view.selected()
        append(path, 40)
        await viewer.until("1 newer (g)")
        append(path, 41)
        await viewer.until("2 newer (g)")
        assert view.selected() == stands
        await viewer.press("g")
        assert "newer" not in viewer.text()
        assert view.table.cursor == 0


async def test_an_empty_file_fills_and_a_torn_line_waits(tmp_path: Path) -> None:
    """The viewer waits for the first span, and for the rest of a line of which only a part is there."""
    path = tmp_path / "s.jsonl"
    path.touch()
    async with driven([path]) as viewer:
        assert "waiting for the file" in viewer.text()
        line = support_trace(1)[0].to_json() + b"\n"
        with path.open("ab") as file:
            file.write(line[:100])
        await viewer.pilot.pause(0.6)
        assert "0 spans" in viewer.text()
        with path.open("ab") as file:
            file.write(line[100:])
        await viewer.until("1 trace ")
        assert "bad line" not in viewer.text()
        assert "support" in viewer.text()


async def test_an_open_trace_grows_and_keeps_its_place(tmp_path: Path) -> None:
    """Spans that come to the trace on the screen appear; cursor and folds stay."""
    path = tmp_path / "s.jsonl"
    spans = support_trace(1)
    path.write_bytes(b"".join(span.to_json() + b"\n" for span in spans[:-1]))
    async with driven([path], size=(120, 40)) as viewer:
        await viewer.press("enter", "j", "space", "j")
        assert "refund" not in viewer.text()
        with path.open("ab") as file:
            file.write(spans[-1].to_json() + b"\n")
        await viewer.until("refund")
        assert "gpt-4o" not in viewer.text().split("[Messages]")[0].split("filter the spans")[1]


@pytest.mark.slow
async def test_a_database_that_is_being_written_is_followed(tmp_path: Path) -> None:
    """A thread that comes to the database comes to the list."""
    database = tmp_path / "c.sqlite"
    checkpoint_file(tmp_path / "other.sqlite")
    path = support_file(tmp_path / "s.jsonl", 2)
    from langgraph.checkpoint.sqlite import SqliteSaver

    from tests.viewer.tui.threads import Writer

    with SqliteSaver.from_conn_string(str(database)) as saver:
        saver.setup()
        Writer(saver).put("first", -1, {"a": 1}, parent=None, due=None)
    async with driven([path], [database], size=(120, 40)) as viewer:
        await viewer.press("3")
        assert "first" in viewer.text()
        with SqliteSaver.from_conn_string(str(database)) as saver:
            Writer(saver).put("second", -1, {"a": 1}, parent=None, due=None)
        await viewer.until("second")


class Order(TypedDict, total=False):
    answer: str


@pytest.mark.slow
async def test_a_database_on_a_server_is_followed(
    postgres_url: str, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes to a server shows by itself, without any span file that grows; so does that it is gone, and back."""
    name = conninfo_to_dict(postgres_database)["dbname"]
    monkeypatch.setattr(server_watch, "_EVERY_S", 0.2)
    with PostgresSaver.from_conn_string(postgres_database) as saver:
        saver.setup()
        builder = StateGraph(Order).add_node("ask", lambda _: {"answer": interrupt("go on?")}).add_edge(START, "ask")
        graph = builder.compile(checkpointer=saver)
        graph.invoke({}, {"configurable": {"thread_id": "first"}})
        async with driven([], [postgres_database]) as viewer:
            await viewer.press("3")
            await viewer.until("1 pending")
            graph.invoke({}, {"configurable": {"thread_id": "second"}})
            await viewer.until("2 pending")
            await viewer.until("second")
            graph.invoke(Command(resume="yes"), {"configurable": {"thread_id": "second"}})
            await viewer.until("1 pending")
            with psycopg.connect(postgres_url, autocommit=True) as admin:
                admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
                await viewer.until("what was read of it before is shown")
                assert "second" in viewer.text()
                admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
            graph.invoke({}, {"configurable": {"thread_id": "third"}})
            await viewer.until("third")


@pytest.mark.slow
async def test_who_dies_leaves_spans_without_an_end(tmp_path: Path) -> None:
    """A writer that is killed changes no file; what it was doing is shown as unfinished all the same."""
    path = support_file(tmp_path / "s.jsonl", 1)
    writer = SpanFile(path)
    start = support_trace(9)[0].to_record() | {"writer_id": writer.writer_id, "seq": 1}
    writer.open_span(1, orjson.dumps({k: v for k, v in start.items() if k not in ("status", "duration_ms")}))
    (sidecar,) = tmp_path.glob("*.open")
    content = sidecar.read_bytes()
    writer.close()
    sidecar.write_bytes(content)
    with sidecar.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        async with driven([path]) as viewer:
            await viewer.until("running")
            fcntl.flock(held, fcntl.LOCK_UN)
            await viewer.until("no end")
            await viewer.press("g", "enter")
            assert "no end" in viewer.text()


async def test_what_runs_ends_on_its_row_while_newer_ones_wait(tmp_path: Path) -> None:
    """A run that ends is another row of the store; the list shows its end where it stood, under the cursor too."""
    path = support_file(tmp_path / "s.jsonl", 2)
    writer = SpanFile(path)
    root = support_trace(9)[0]
    start = root.to_record() | {"writer_id": writer.writer_id, "seq": 1}
    writer.open_span(1, orjson.dumps({k: v for k, v in start.items() if k not in ("status", "duration_ms")}))
    append(path, 10)
    async with driven([path]) as viewer:
        view = viewer.app.main.view("traces")
        assert isinstance(view, TracesView)
        await viewer.until("running")
        await viewer.press("j")
        assert (was := view.selected()) is not None
        assert was.status == "running"
        append(path, 11)
        await viewer.until("1 newer (a)")
        writer.write(orjson.dumps(start) + b"\n")
        for _ in range(200):
            selected = view.selected()
            if selected is not None and selected.status == "ok":
                break
            await viewer.pilot.pause(0.05)
        assert selected is not None
        assert (view.table.cursor, selected.trace_id, selected.status) == (1, root.trace_id, "ok")
        writer.close()


async def test_the_end_of_what_runs_reaches_the_open_trace(tmp_path: Path) -> None:
    """The last span of a trace ends: there are no more spans than before, but none is running any more."""
    path = tmp_path / "s.jsonl"
    spans = support_trace(9)
    path.write_bytes(b"".join(span.to_json() + b"\n" for span in spans[1:]))
    writer = SpanFile(path)
    start = spans[0].to_record() | {"writer_id": writer.writer_id, "seq": 1}
    writer.open_span(1, orjson.dumps({k: v for k, v in start.items() if k not in ("status", "duration_ms")}))
    async with driven([path], size=(120, 40)) as viewer:
        await viewer.until("running")
        await viewer.press("enter")
        await viewer.until("running")
        writer.write(orjson.dumps(start) + b"\n")
        for _ in range(200):
            if "running" not in viewer.text():
                break
            await viewer.pilot.pause(0.05)
        assert "running" not in viewer.text()
        writer.close()


async def test_what_changes_faster_than_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is shown all the same: one reading at a time is left to end, and the last one begins after the last change."""
    async with driven([support_file(tmp_path / "s.jsonl", 3)], [checkpoint_file(tmp_path / "c.sqlite")]) as viewer:
        await viewer.press("3")
        view = viewer.app.main.view("threads")
        threads = viewer.app.session.threads
        listed, running, begun, shown = threads.listed, [0], [0], [0]
        most = 0

        def slow() -> Any:
            nonlocal most
            running[0] += 1
            most = max(most, running[0])
            begun[0] = changes
            sleep(0.1)
            running[0] -= 1
            return listed()

        def show(*entries: Any) -> None:
            shown[0] += 1

        monkeypatch.setattr(threads, "listed", slow)
        monkeypatch.setattr(view, "_listed", show)
        changes = 0
        while shown[0] < 3 and changes < 500:
            changes += 1
            view.data_changed(appended=True)
            await viewer.pilot.pause(0.01)
        assert shown[0] == 3
        await viewer.settle()
        assert most == 1
        assert begun[0] == changes


async def test_a_view_behind_is_brought_up_to_date_when_it_comes_to_the_front(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody looks at is not read at every change, and shows everything as soon as somebody does."""
    path = support_file(tmp_path / "s.jsonl", 3)
    async with driven([path]) as viewer:
        await viewer.press("5", "1")
        asked: list[bool] = []
        stats = viewer.app.main.view("stats")
        told = stats.data_changed

        def tell(*, appended: bool) -> None:
            asked.append(appended)
            told(appended=appended)

        monkeypatch.setattr(stats, "data_changed", tell)
        for number in (40, 50):
            append(path, number)
            await viewer.until(f"{'36' if number == 40 else '45'} spans")
        await viewer.settle()
        assert asked == []
        await viewer.press("5")
        assert asked == [True]


async def test_what_fails_at_every_look_is_not_kept_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The banner says it, the last faults are kept, and what came meanwhile is read once it works again."""
    path = support_file(tmp_path / "s.jsonl", 2)
    async with driven([path]) as viewer:

        def fail(*_: object) -> int:
            raise UnreadableError("the disk is gone")

        with monkeypatch.context() as broken:
            broken.setattr(viewer.app.session.cursors.store, "refresh", fail)
            viewer.app.faults.clear()
            for number in range(25):
                append(path, 40 + number)
                viewer.app._read_on(grown=True)
                while viewer.app._follower.busy:
                    await viewer.pilot.pause(0.01)
            assert "the disk is gone" in viewer.text()
            assert len(viewer.app.faults) == 20
            viewer.app.faults.clear()
        await viewer.until("243 spans")
