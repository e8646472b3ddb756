"""What a server answers to an export, and what becomes of the spans then."""

from itertools import repeat
from pathlib import Path

import pytest

from flightlog_exporters.delivery.settings import resolve
from tests.exporters import receiver as answers
from tests.exporters.receiver import Receiver
from tests.exporters.shipping import ship, write_spans


def test_what_a_server_warns_of_is_said(server: Receiver, tmp_path: Path) -> None:
    """A warning of a server that took everything is passed on, and everything counts as delivered."""
    path = tmp_path / "spans.jsonl"
    write_spans(path, 3)
    notes: list[str] = []
    server.script = iter([answers.partial(0, "slow down")])
    assert ship(server.url, path, note=notes.append).delivered == 3
    assert notes == ["the server says: slow down"]


def test_busy_servers_are_waited_for(server: Receiver, tmp_path: Path) -> None:
    """503, 429 with Retry-After, a cut connection and a slow answer are tried again until it works."""
    path = tmp_path / "spans.jsonl"
    ids = write_spans(path, 10)
    notes: list[str] = []
    server.script = iter(
        (
            answers.status(503),
            answers.status(429, retry_after="0.2"),
            answers.reset,
            answers.status(502),
            answers.slow(0.6),
        )
    )
    result = ship(server.url, path, timeout_s=0.3, note=notes.append)
    assert (result.delivered, result.failure) == (10, None)
    assert set(server.span_ids()) == set(ids)
    assert notes == [f"the server answered 503; trying {resolve(server.url).endpoint} again for 300 s (--retry-for)"]


def test_no_server_makes_us_hurry(server: Receiver, tmp_path: Path) -> None:
    """A server that answers "again, at once" for ever is asked less and less often."""
    path = tmp_path / "spans.jsonl"
    write_spans(path, 1)
    server.script = repeat(answers.status(429, retry_after="0"))
    assert ship(server.url, path, retry_for_s=0.5).failure is not None
    assert 2 <= server.tries < 20


def test_a_server_that_asks_for_more_time_than_there_is_is_left(server: Receiver, tmp_path: Path) -> None:
    """The reason says how long the server wants to be left alone, since we give up long before --retry-for is over."""
    path = tmp_path / "spans.jsonl"
    write_spans(path, 1)
    server.script = iter((answers.status(429, retry_after="400"),))
    assert ship(server.url, path).failure == "the server answered 429 (tried for 0 s, it asks for 400 s more)"


def test_what_broke_a_connection_is_said_in_words(server: Receiver, tmp_path: Path) -> None:
    """Nothing of how Python shows an error reaches whoever reads of it."""
    path = tmp_path / "spans.jsonl"
    write_spans(path, 1)
    server.script = repeat(answers.reset)
    failure = ship(server.url, path, retry_for_s=0).failure
    assert failure is not None
    assert failure.startswith("the connection broke: ")
    assert not set(failure) & set("'[{")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (answers.html, "answered 200 with text/html, not an OTLP response"),
        (answers.status(302, location="http://user:pw@127.0.0.1/x?token=1"), "redirects (302) to http://127.0.0.1/x:"),
        (answers.partial(3), "rejected 3 spans: too old"),
        (answers.status(404), "answered 404"),
        (answers.status(401), "answered 401"),
        (answers.status(500), "answered 500"),
    ],
)
def test_what_is_no_success_is_not_taken_for_one(
    answer: answers.Action, reason: str, server: Receiver, tmp_path: Path
) -> None:
    """A page, a redirect, a partial success and a plain refusal end the export, and the next one sends all again."""
    path = tmp_path / "spans.jsonl"
    write_spans(path, 5)
    server.script = iter((answer,))
    result = ship(server.url, path)
    assert result.delivered == 0
    assert result.failure is not None
    assert reason in result.failure
    assert ship(server.url, path).delivered == 5


def test_giving_up_has_a_reason(tmp_path: Path) -> None:
    """A server that is away for too long is named as the cause, and nothing counts as delivered."""
    path = tmp_path / "spans.jsonl"
    write_spans(path, 5)
    result = ship("http://127.0.0.1:9", path, retry_for_s=0.05)
    assert result.delivered == 0
    assert result.failure is not None
    assert "no connection: Connection refused" in result.failure


def test_requests_that_are_too_large_are_halved(server: Receiver, tmp_path: Path) -> None:
    """413 makes the batch smaller until it fits."""
    path = tmp_path / "spans.jsonl"
    ids = write_spans(path, 40)
    sizes: list[int] = []

    def at_most_10_kb(handler: answers.Handler) -> None:
        if len(handler.body) > 10_000:
            answers.status(413)(handler)
        else:
            sizes.append(len(handler.body))
            answers.accept(handler)

    server.script = repeat(at_most_10_kb)
    assert ship(server.url, path).delivered == 40
    assert set(server.span_ids()) == set(ids)
    assert len(sizes) > 1


def test_a_span_nobody_takes_can_be_passed_over(server: Receiver, tmp_path: Path) -> None:
    """With skip_refused the one span that is refused is found and named, and the others arrive."""
    path = tmp_path / "spans.jsonl"
    ids = write_spans(path, 20)
    poison = ids[7]

    def refuse_poison(handler: answers.Handler) -> None:
        (answers.status(400) if poison in handler.body else answers.accept)(handler)

    server.script = repeat(refuse_poison)
    result = ship(server.url, path, skip_refused=True)
    assert result.delivered == 19
    assert len(result.refused) == 1
    assert poison.hex() in result.refused[0]
    assert set(server.span_ids()) == set(ids) - {poison}
