"""Which run a resumed run continues: a question is remembered when asked, and linked to when answered."""

from collections import OrderedDict
from typing import Final

from flightlog.span import Span
from flightlog_exporters.ids import context_of
from flightlog_exporters.otel_span import Link
from flightlog_exporters.semconv import names

_KEPT: Final = 10_000


class ResumeLinks:
    """The runs that wait for a human, by interrupt and by thread; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[tuple[str, str], tuple[bytes, bytes]] = OrderedDict()

    def remember(self, span: Span) -> None:
        """Take note of a root span that ended with questions."""
        if span.parent_run_id is not None or span.status != "interrupted":
            return
        context = context_of(span)
        keys = [("interrupt", interrupt["id"]) for interrupt in span.interrupts or () if _has(interrupt, "id")]
        if span.thread_id is not None:
            keys.append(("thread", span.thread_id))
        for key in keys:
            self._waiting[key] = (context.trace_id, context.span_id)
            self._waiting.move_to_end(key)
        while len(self._waiting) > _KEPT:
            self._waiting.popitem(last=False)

    def of(self, span: Span) -> list[Link]:
        """Links to the runs whose questions this one answers."""
        if not span.resumes:
            return []
        found: dict[tuple[bytes, bytes], Link] = {}
        for resume in span.resumes:
            key = ("interrupt", resume["interrupt_id"]) if _has(resume, "interrupt_id") else None
            context = self._waiting.get(key) if key is not None else None
            if context is None and span.thread_id is not None:
                context = self._waiting.get(("thread", span.thread_id))
            if context is not None:
                found[context] = Link(*context, {names.RESUME_LINK: True})
        return list(found.values())


def _has(item: object, key: str) -> bool:
    return isinstance(item, dict) and isinstance(item.get(key), str)
