"""Rows that are fetched page by page in a thread."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from flightlog_viewer.tui.widgets.paged_rows import KEPT_PAGES, PAGE_ROWS, Page, PagedRows
from flightlog_viewer.tui.widgets.row_list import Cell


class Source:
    """Counts what is fetched, and can be held."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.go_on.set()
        self.fetched: list[int] = []

    def fetch(self, ids: list[int]) -> Page:
        self.go_on.wait(10)
        self.fetched.append(ids[0])
        return [(f"name {i}", [Cell(str(i))]) for i in ids]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """One thread, as in the viewer."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


def test_a_late_page_is_awaited_once_and_not_for_every_row(pool: ThreadPoolExecutor) -> None:
    """Drawing a screen over a page that does not come costs one wait; when it comes, the list is told."""
    source, arrived = Source(), threading.Event()
    source.go_on.clear()
    rows = PagedRows(np.arange(1000), source.fetch, pool, arrived.set)
    waits: list[float] = []
    for row in range(60):
        begun = time.monotonic()
        assert rows.cells(row) is None
        waits.append(time.monotonic() - begun)
    assert sum(wait > 0.01 for wait in waits) <= 3
    source.go_on.set()
    assert arrived.wait(10)
    assert rows.cells(5) == [Cell("5")]
    assert rows.name(5) == "name 5"
    assert rows.find(999) == 999
    assert rows.find(5000) is None


def test_neighbours_come_ahead_and_old_pages_go(pool: ThreadPoolExecutor) -> None:
    """The page behind the middle of one is fetched before it is drawn, and no more pages are kept than fit."""
    source = Source()
    rows = PagedRows(np.arange(PAGE_ROWS * (KEPT_PAGES + 20)), source.fetch, pool, lambda: None)
    rows.cells(PAGE_ROWS // 2 + 1)
    pool.submit(int).result()
    assert source.fetched[:2] == [0, PAGE_ROWS]
    for page in range(KEPT_PAGES + 20):
        rows.cells(page * PAGE_ROWS)
    pool.submit(int).result()
    assert len(rows._pages) == KEPT_PAGES


def test_the_ends_come_ahead_once_something_is_shown(pool: ThreadPoolExecutor) -> None:
    """Both ends are fetched behind the first page that is drawn, wherever that is, and only that once."""
    source = Source()
    rows = PagedRows(np.arange(PAGE_ROWS * 20 + 3), source.fetch, pool, lambda: None)
    middle = PAGE_ROWS * 10 + PAGE_ROWS // 2
    while rows.cells(middle) is None:
        pass
    rows.cells(middle)
    pool.submit(int).result()
    assert source.fetched == [PAGE_ROWS * page for page in (10, 9, 20, 19, 0)]


def test_a_page_that_failed_is_asked_for_again(pool: ThreadPoolExecutor) -> None:
    """An interrupted fetch leaves a placeholder, not a hole for ever."""
    tries: list[int] = []

    def fetch(ids: list[int]) -> Page:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("interrupted")
        return [(i, [Cell(str(i))]) for i in ids]

    rows = PagedRows(np.arange(10), fetch, pool, lambda: None)
    assert rows.cells(0) is None
    assert rows.cells(0) == [Cell("0")]


def test_a_page_that_was_had_before_is_drawn_at_once(pool: ThreadPoolExecutor) -> None:
    """Whoever makes the rows elsewhere can wait there; the list is not told of a page that nobody missed."""
    source, told = Source(), threading.Event()
    rows = PagedRows(np.arange(1000), source.fetch, pool, told.set)
    rows.have(0)
    rows.have(5000)
    assert rows.cells(3) == [Cell("3")]
    assert not told.is_set()
