"""The list that draws only what is in view."""

from typing import ClassVar

from textual.app import App, ComposeResult

from flightlog_viewer.tui.widgets.row_list import Cell, Column, RowList, TableRows


class OneList(App[None]):
    """A list and nothing else."""

    CSS: ClassVar[str] = "RowList { height: 1fr; }"

    def compose(self) -> ComposeResult:
        yield RowList((Column("n", "n", 5),))


async def test_the_bar_stands_where_the_rows_do() -> None:
    """The scroll bar tells of a cursor that was put far down before there was a bar."""
    async with OneList().run_test(size=(40, 10)) as pilot:
        rows = pilot.app.query_one(RowList)
        rows.show_rows(TableRows([[Cell(str(n))] for n in range(100)], list(range(100))))
        rows.move_to(80)
        assert rows.scroll_y
        assert not rows.show_vertical_scrollbar
        await pilot.pause()
        assert rows.vertical_scrollbar.position == rows.scroll_y
