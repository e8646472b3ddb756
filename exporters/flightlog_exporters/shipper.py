"""Span files -> an OTLP server, every span at least once.

Lines are read from a saved offset, sent in batches, and the offset moves only when the server has confirmed a batch.
Ids are made from run ids, so what is sent twice (after a crash between the answer and the save) is the same span
twice.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from flightlog.errors import UnreadableError
from flightlog.span import Span
from flightlog_exporters import otlp_protobuf, semconv
from flightlog_exporters.delivery.answer import Answer, Sender, Verdict
from flightlog_exporters.line_file import LineFile, size_of
from flightlog_exporters.otel_span import OtelSpan
from flightlog_exporters.readers import reader_of
from flightlog_exporters.resume_links import ResumeLinks
from flightlog_exporters.semconv import Conventions
from flightlog_exporters.ship_state import TAIL_BYTES, Place, ShipState
from flightlog_exporters.span_source import Tick

BATCH_SPANS: Final = 512
BATCH_BYTES: Final = 4 * 1024 * 1024
"""Of span file. Servers commonly take 4 to 20 MB at once; one that takes less is sent halves."""
_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 30.0
_POLL_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Wording:
    """What the spans that are sent say."""

    conventions: Conventions = "both"
    content: bool = False
    cache_write: bool = False
    resource: Mapping[str, str] = field(default_factory=dict)
    """What to say of the process where a span does not say it."""


@dataclass(slots=True)
class Shipped:
    """What became of an export."""

    delivered: int = 0
    """Spans whose delivery was confirmed."""
    rejected: int = 0
    """Lines that hold no span."""
    refused: list[str] = field(default_factory=list)
    """Spans that the server would not take and that were passed over, with its reason."""
    failure: str | None = None
    """Why not everything was delivered; None when it was."""


class _Item(NamedTuple):
    span: OtelSpan | None
    """None for a line without a span."""
    end: int | None
    """Where the file has been delivered up to with this span; None when more spans of its line follow."""
    tail: bytes
    """The bytes before ``end``."""


class _Failed(Exception):
    """The server would not have it."""


class Shipper:
    """Sends what is new in span files to one server.

    ``retry_for_s`` bounds how long one batch is tried while the server is away or busy; None is for ever.
    ``skip_refused`` passes over single spans that the server will not take; without it the first one ends the export.
    """

    def __init__(
        self,
        sender: Sender,
        state: ShipState,
        *,
        wording: Wording | None = None,
        retry_for_s: float | None = 300.0,
        skip_refused: bool = False,
        tick: Tick | None = None,
        note: Callable[[str], None] | None = None,
        first_wait_s: float = _FIRST_WAIT_S,
    ) -> None:
        self.result = Shipped()
        self._sender = sender
        self._state = state
        self._wording = wording or Wording()
        self._retry_for_s = retry_for_s
        self._skip_refused = skip_refused
        self._tick = tick
        self._note = note or (lambda text: None)
        self._first_wait_s = first_wait_s
        self._links = ResumeLinks()
        self._files: Sequence[Path] = ()
        self._searched = False
        self._sending = False
        self._done = self._total = 0

    def ship(self, files: Sequence[Path]) -> Shipped:
        """Send everything that is new in the files. Raises UnreadableError when one cannot be read."""
        self._files = files
        self._total = sum(map(size_of, files))
        self._done = 0
        try:
            for path in files:
                self._ship_file(path)
        except _Failed as failure:
            self.result.failure = str(failure)
        return self.result

    def follow(self, files: Callable[[], Sequence[Path]]) -> Shipped:
        """Go on sending what comes, also into files that are new, until the server refuses or Ctrl-C.

        Raises KeyboardInterrupt when that comes while a batch is being sent.
        """
        try:
            while self.ship(files()).failure is None:
                time.sleep(_POLL_S)
        except KeyboardInterrupt:
            if self._sending:
                raise
        return self.result

    def _ship_file(self, path: Path) -> None:
        try:
            file = LineFile(path)
        except UnreadableError:
            if not path.exists():
                # Rotation may have taken it away since it was listed; its new name comes with the next listing.
                return
            raise
        with file:
            first = next(file.lines(torn=file.is_packed), None)
            if first is None:
                return
            place = self._state.place(file, first.data)
            batch: list[_Item] = []
            for item in self._items(file, place):
                batch.append(item)
                if len(batch) >= BATCH_SPANS or (item.end or 0) - place.offset >= BATCH_BYTES:
                    self._deliver(batch, place)
                    batch = []
                    self._show(file)
            if batch:
                self._deliver(batch, place)
            self._done += file.stat.st_size

    def _items(self, file: LineFile, place: Place) -> Iterator[_Item]:
        """Spans with the offset that is reached once they are delivered."""
        reader = reader_of(file)
        tail = file.bytes_before(place.offset, TAIL_BYTES)
        for line in file.lines(place.offset, torn=file.is_packed):
            tail = (tail + line.data)[-TAIL_BYTES:]
            spans: list[Span] = []
            if reader is not None:
                spans = list(reader.read([line], self._reject))
            elif not line.data.isspace():
                try:
                    spans = [Span.from_json(line.data)]
                except UnreadableError as error:
                    self._reject(line.offset, str(error))
            if not spans:
                yield _Item(None, line.end, tail)
            for index, span in enumerate(spans):
                is_last = index == len(spans) - 1
                yield _Item(self._describe(span), line.end if is_last else None, tail)

    def _describe(self, span: Span) -> OtelSpan:
        links = self._links.of(span)
        if span.resumes and not links and not self._searched:
            self._search(span.start_ns)
            links = self._links.of(span)
        self._links.remember(span)  # last: it may have asked anew
        wording = self._wording
        described = semconv.describe(
            span,
            conventions=wording.conventions,
            content=wording.content,
            cache_write=wording.cache_write,
            links=links,
        )
        described.resource = {**wording.resource, **described.resource}
        return described

    def _search(self, before_ns: int) -> None:
        """Look for the questions in what an earlier export has sent already, once; only those asked before a moment."""
        self._searched = True
        for path in self._files:
            if not path.exists():
                continue
            with LineFile(path) as file:
                for line in file.lines():
                    if b'"interrupts"' in line.data:
                        try:
                            span = Span.from_json(line.data)
                        except UnreadableError:
                            continue
                        if (span.end_ns or 0) <= before_ns:
                            self._links.remember(span)

    def _reject(self, offset: int, reason: str) -> None:
        self.result.rejected += 1

    def _deliver(self, batch: list[_Item], place: Place) -> None:
        """Send a batch, in halves when it is too large or something in it is refused; save how far it came."""
        spans = [item.span for item in batch if item.span is not None]
        answer = self._send(otlp_protobuf.encode(spans)) if spans else Answer(Verdict.DELIVERED)
        if answer.verdict is Verdict.DELIVERED:
            if answer.warning:
                self._note(f"the server says: {answer.warning}")
            self.result.delivered += len(spans)
        elif len(spans) > 1 and (answer.verdict is Verdict.TOO_LARGE or self._skip_refused):
            middle = len(batch) // 2
            self._deliver(batch[:middle], place)
            self._deliver(batch[middle:], place)
            return
        elif self._skip_refused:
            self.result.refused.append(f"{spans[0].name} (span {spans[0].span_id.hex()}): {answer.reason}")
        else:
            raise _Failed(answer.reason)
        for item in reversed(batch):
            if item.end is not None:
                self._state.advance(place, item.end, item.tail)
                break

    def _send(self, request: bytes) -> Answer:
        """Send until the answer is final: a server that is busy or away is waited for."""
        self._sending = True
        wait = self._first_wait_s
        started = time.monotonic()
        told = False
        while (answer := self._sender.send(request)).verdict is Verdict.RETRY:
            # A server that asks for less than our own pause, zero say, would be asked thousands of times a second.
            pause = max(answer.retry_after_s or 0.0, wait * random.uniform(0.5, 1.0))
            waited = time.monotonic() - started
            if self._retry_for_s is not None and waited + pause > self._retry_for_s:
                asked = f", it asks for {answer.retry_after_s:.0f} s more" if pause == answer.retry_after_s else ""
                raise _Failed(f"{answer.reason} (tried for {waited:.0f} s{asked})")
            if not told:
                patience = "" if self._retry_for_s is None else f" for {self._retry_for_s:g} s (--retry-for)"
                self._note(f"{answer.reason}; trying {self._sender.target} again{patience}")
                told = True
            time.sleep(pause)
            wait = min(wait * 2, _LONGEST_WAIT_S)
        self._sending = False
        return answer

    def _show(self, file: LineFile) -> None:
        if self._tick is not None:
            self._tick(self._done + file.position(), self._total, self.result.delivered)
