"""Rows of a long result: a vector of row ids, and pages of 128 rows fetched in a thread and kept for a while."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor, Future, wait
from typing import TYPE_CHECKING

from flightlog_viewer.tui.widgets.row_list import Cell, Rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PAGE_ROWS = 128
KEPT_PAGES = 64
_PATIENCE_S = 0.02
"""A page that comes this soon is drawn at once, instead of placeholders and then again."""

Page = Sequence[tuple[Hashable, Sequence[Cell]]]
"""Key and cells of every row, in the order of the ids."""


class PagedRows(Rows):
    """``fetch`` is called in ``pool``; ``arrived`` from there when a late page has come."""

    def __init__(
        self,
        ids: "NDArray[np.int64]",
        fetch: Callable[[list[int]], Page],
        pool: Executor,
        arrived: Callable[[], None],
    ) -> None:
        self.ids = ids
        self._fetch = fetch
        self._pool = pool
        self._arrived = arrived
        self._pages: OrderedDict[int, Future[Page]] = OrderedDict()
        self._missed: set[int] = set()
        """Pages that were drawn as placeholders."""
        self._ends_asked = False

    def __len__(self) -> int:
        return len(self.ids)

    def cells(self, row: int) -> Sequence[Cell] | None:
        number, offset = divmod(row, PAGE_ROWS)
        page = self._page(number)
        found = page[offset][1] if page is not None and offset < len(page) else None
        # The neighbours are fetched ahead: the next key press will want one of them.
        if offset > PAGE_ROWS // 2:
            self._request(number + 1)
        elif number:
            self._request(number - 1)
        if found is not None and not self._ends_asked:
            self._ends_asked = True
            # Once something is on the screen: a key goes to either end.
            for end in (len(self.ids) - 1, len(self.ids) - PAGE_ROWS // 2, 0):
                self._request(max(0, end) // PAGE_ROWS)
        return found

    def have(self, row: int) -> None:
        """Fetch the page of a row and wait for it: to be called elsewhere, before anybody draws."""
        if (future := self._request(row // PAGE_ROWS)) is not None:
            wait([future])

    def key(self, row: int) -> Hashable:
        return int(self.ids[row])

    def find(self, key: Hashable) -> int | None:
        import numpy as np

        found = np.flatnonzero(self.ids == key)
        return int(found[0]) if len(found) else None

    def name(self, row: int) -> Hashable | None:
        """What the page says the row is called (a trace id); None while it is being fetched."""
        number, offset = divmod(row, PAGE_ROWS)
        page = self._page(number)
        return page[offset][0] if page is not None and offset < len(page) else None

    def _page(self, number: int) -> Page | None:
        future = self._request(number)
        if future is None:
            return None
        if not future.done():
            # Waited for once a page, not once for each of its rows: a screen of rows would add up to a second.
            first = number not in self._missed
            self._missed.add(number)
            if first:
                wait([future], _PATIENCE_S)
            if not future.done():
                return None
        self._missed.discard(number)
        try:
            return future.result()
        except Exception:  # the fetch was interrupted or the store closed: ask again when it is next drawn
            self._pages.pop(number, None)
            return None

    def _came(self, number: int) -> None:
        """A page is here; one that nobody has looked for yet is no reason to draw again."""
        if number in self._missed:
            self._arrived()

    def _request(self, number: int) -> "Future[Page] | None":
        if not 0 <= number * PAGE_ROWS < len(self.ids):
            return None
        future = self._pages.get(number)
        if future is None:
            ids = self.ids[number * PAGE_ROWS : (number + 1) * PAGE_ROWS].tolist()
            future = self._pool.submit(self._fetch, ids)
            future.add_done_callback(lambda _: self._came(number))
            self._pages[number] = future
            while len(self._pages) > KEPT_PAGES:
                self._pages.popitem(last=False)[1].cancel()
        else:
            self._pages.move_to_end(number)
        return future
