from dataclasses import replace
from datetime import UTC, datetime

import pytest

from flightlog_viewer.analysis.filter_syntax import FilterError
from flightlog_viewer.analysis.thread_filter import FIELDS, compile_thread_filter, complete, hint
from flightlog_viewer.checkpoints.model import Pending, ThreadSummary

NOW = datetime(2026, 11, 20, 13, tzinfo=UTC)
DONE = ThreadSummary("chat-1", "finished", 9, 7, "2026-11-20T10:00:00+00:00", (), ())
FAILED = ThreadSummary(
    "chat-2", "errored", 3, 1, "2026-11-20T12:30:00+00:00", (), ["pay"], error="ValueError('no card')"
)
QUESTION = Pending("i", "approve", {"question": "Refund order 9?"}, "", "c")
WAITS = ThreadSummary("desk*", "interrupted", 4, 2, "2026-11-20T12:59:00+00:00", [QUESTION], ["approve"])
DIED = replace(FAILED, thread_id="x[1]", status="crashed", error=None, in_flight=["gpt-4o"], updated_at=None)
THREADS = (DONE, FAILED, WAITS, DIED)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [DONE, FAILED, WAITS, DIED]),
        ("chat", [DONE, FAILED]),
        ("CHAT-?", [DONE, FAILED]),
        ("thread:chat", []),
        ("thread:chat-*", [DONE, FAILED]),
        ("thread:x[1]", [DIED]),
        ("thread:*[1]", [DIED]),
        ('thread:"desk*"', [WAITS]),
        ("status:errored", [FAILED]),
        ("status:error,crashed", [FAILED, DIED]),
        ("status:failed OR status:unfinished", [FAILED, DIED]),
        ("-status:ok", [FAILED, WAITS, DIED]),
        ("node:pay -status:crashed", [FAILED]),
        ("node:approve", [WAITS]),
        ("refund", [WAITS]),
        ("asks:order", [WAITS]),
        ("asks:*", [WAITS]),
        ("open:card", [FAILED]),
        ("error:card", [FAILED]),
        ("gpt", [DIED]),
        ("step>=2 root:step<7", [WAITS]),
        ("steps:7", [DONE]),
        ("updated>45m", [FAILED, WAITS]),
        ("updated<12:00", [DONE]),
        ("-updated:*", [DIED]),
        ("(chat OR desk) updated>=2026-11-20", [DONE, FAILED, WAITS]),
    ],
)
def test_threads_that_pass(text: str, found: list[ThreadSummary]) -> None:
    """Names are globs, questions and failures are searched, numbers and times compared; words look everywhere."""
    passes = compile_thread_filter(text, now=NOW)
    assert [thread.thread_id for thread in THREADS if passes(thread)] == [thread.thread_id for thread in found]


@pytest.mark.parametrize(
    ("text", "position", "said"),
    [
        ("chat stauts:x", 5, "did you mean `status`?"),
        ("zzz:x", 0, "there are thread, status"),
        ("step:many", 5, "not a number"),
        ("updated>soon", 8, "not a point in time"),
        ("status>errored", 0, "is compared with `:`"),
        ("step:~1", 0, "is not text"),
        ("thread:~.*", 0, "is compared with `:`"),
        ("(chat", 0, "never closed"),
    ],
)
def test_what_cannot_be_meant(text: str, position: int, said: str) -> None:
    """A mistake is told with its place."""
    with pytest.raises(FilterError, match=said.replace("?", "[?]")) as caught:
        compile_thread_filter(text, now=NOW)
    assert caught.value.position == position


def test_a_status_that_there_is_not_is_told() -> None:
    """A filter that leaves nothing may name a status of something else; one that may be meant is no mistake."""
    assert hint("chat status:done") == "; a status is one of " + FIELDS["status"]
    assert [hint(text) for text in ("chat", "status:err*", "status:error", "status:crashed,errored")] == [""] * 4


def test_fields_are_completed() -> None:
    """The beginning of a name gives those that begin so."""
    assert complete("st") == ["status", "step"]
    assert complete("") == list(FIELDS)
