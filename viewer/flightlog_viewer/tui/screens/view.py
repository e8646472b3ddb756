"""What the six screens have in common: the session, work in the background, ways to a trace, Back and Copy."""

from collections.abc import Awaitable, Callable
from datetime import tzinfo
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from textual.containers import Vertical
from textual.message import Message

from flightlog_viewer.tui.copying import CopyChoice
from flightlog_viewer.tui.faults import Guarded
from flightlog_viewer.tui.glyphs import Glyphs
from flightlog_viewer.tui.widgets.virtual import VirtualRows

if TYPE_CHECKING:
    from flightlog_viewer.analysis.filter import Filter
    from flightlog_viewer.tui.app import FlightlogApp
    from flightlog_viewer.tui.session import Session

T = TypeVar("T")
_MOMENT_S = 3.0
"""A question older than this takes long by its nature, as a query in SQL may: keys no longer wait for its answer."""
READING: Final = "reading"
"""What an empty list says until its rows are there."""


class Answered(Message):
    """A result from a thread; the handler drops it when something newer was asked."""

    def __init__(
        self, token: tuple[str, int], result: Any, error: Exception | None, then: Callable[[Any], Any]
    ) -> None:
        super().__init__()
        self.token = token
        self.result = result
        self.error = error
        self.then = then


class TraceOpened(Message):
    """A trace is to be shown."""

    def __init__(self, trace_id: str, row_id: int | None = None, found_by: "Filter | None" = None) -> None:
        super().__init__()
        self.trace_id = trace_id
        self.row_id = row_id
        """The span to stand on; None for the beginning of what it is opened for."""
        self.found_by = found_by
        """What the list of traces was filtered by, as a filter over spans."""


class View(Guarded, Vertical):
    """One of the numbered screens."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._tokens: dict[str, int] = {}
        self._unanswered: set[str] = set()
        """Topics whose last question is not answered yet."""
        self._for_keys: dict[str, float] = {}
        """When those of them were asked that a key has asked for, and not new data."""
        self._once_more: dict[str, Callable[[], Any]] = {}
        """What is to be done once they are."""

    @property
    def viewer(self) -> "FlightlogApp":
        return cast("FlightlogApp", self.app)

    @property
    def session(self) -> "Session":
        return self.viewer.session

    @property
    def glyphs(self) -> Glyphs:
        return self.viewer.glyphs

    @property
    def zone(self) -> tzinfo:
        """Of every time that is shown."""
        return self.viewer.zone

    @property
    def asked(self) -> bool:
        """Whether what a key has asked for a moment ago is not answered yet."""
        return any(monotonic() - since < _MOMENT_S for since in self._for_keys.values())

    def shown(self) -> None:
        """The view has come to the front: put the focus where keys are expected."""

    def back(self) -> bool:
        """Go one level up inside the view; False when there is none."""
        return False

    def data_changed(self, *, appended: bool) -> None:
        """The store has been loaded, or (``appended``) has new rows."""

    def zone_changed(self) -> None:
        """Times are to be shown in another zone."""
        self.data_changed(appended=False)

    @property
    def waiting(self) -> str:
        """What an empty screen says before the store is there; nothing afterwards."""
        if self.session.loaded:
            return ""
        return "not loaded; r tries again" if self.viewer.settled else "loading: this screen fills when all is read"

    def tell_problems(self) -> None:
        """Say what cannot be read of the databases, once."""
        if news := self.session.threads.news():
            self.notify("\n".join(news[:5]), severity="warning", markup=False, timeout=15)

    def copy_choices(self) -> list[CopyChoice]:
        """What can be copied here."""
        return []

    def body_text(self) -> str:
        """What pager and editor are given."""
        return ""

    def ask(
        self, topic: str, work: Callable[[], T], then: Callable[[T], Any], *, again: Callable[[], Any] | None = None
    ) -> None:
        """Run ``work`` in a thread, then ``then`` here, unless the same topic was asked again meanwhile.

        With ``again`` what was asked last is only to be brought up to date: if that still runs, ``again`` is called
        once it is answered, because data that changes faster than it is read would else never be shown.
        """
        if again is not None and topic in self._unanswered:
            self._once_more[topic] = again
            return
        self._once_more.pop(topic, None)
        self._unanswered.add(topic)
        if again is None or topic not in self._tokens:  # the first rows of a screen are what its key has asked for
            self._for_keys[topic] = monotonic()
        number = self._tokens.get(topic, 0) + 1
        self._tokens[topic] = number
        self.session.cursors.interrupt(topic)

        def run() -> None:
            try:
                with self.session.cursors.topic(topic):
                    result: T | None = work()
                error = None
            except Exception as caught:  # handed to the interface, which decides
                result, error = None, caught
            self.post_message(Answered((topic, number), result, error, then))

        self.run_worker(run, thread=True, group=f"{self.id}.{topic}", exclusive=True, exit_on_error=False)

    async def on_answered(self, event: Answered) -> None:
        event.stop()
        topic, number = event.token
        if self._tokens.get(topic) != number:
            return
        self._unanswered.discard(topic)
        self._for_keys.pop(topic, None)
        if (once_more := self._once_more.pop(topic, None)) is not None:
            once_more()
        if event.error is None:
            done = event.then(event.result)
            if isinstance(done, Awaitable):
                await done
        elif not self.asked_failed(topic, event.error):
            for rows in self.query(VirtualRows):
                if rows.nothing == READING:
                    rows.nothing = "this could not be read"
                    rows.refresh()
            self.viewer.fault(event.error)

    def asked_failed(self, topic: str, error: Exception) -> bool:
        """What was asked has failed; True when the view has said so itself."""
        return False
