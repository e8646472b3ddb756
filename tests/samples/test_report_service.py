"""The report service, over real HTTP."""

import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.messages import BaseMessage

from flightlog import read_spans
from flightlog_samples.decision_log import Decision, DecisionLog
from flightlog_samples.http_server import served
from flightlog_samples.recording import sqlite_saver
from flightlog_samples.report_service import writer
from flightlog_samples.report_service.api import create_app
from flightlog_samples.scripted_model import Reply
from tests.samples.served_process import service_process


@contextmanager
def service(database: Path, ttl_s: float | None = None) -> Iterator[httpx.Client]:
    """A running server over a database, and a client of it."""
    with served(create_app(database, ttl_s=ttl_s)) as url, client_of(url) as client:
        yield client


def client_of(url: str) -> httpx.Client:
    """A client of the API at a server."""
    return httpx.Client(base_url=f"{url}/api/v1", timeout=60)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a fresh service."""
    with service(tmp_path / "reports.sqlite") as client:
        yield client


def generate(client: httpx.Client, theme: str = "Model Context Protocol (MCP)") -> str:
    """Start a report and return its thread."""
    response = client.post("/reports/generate", params={"theme": theme})
    assert response.status_code == 201
    thread: str = response.json()["thread_id"]
    return thread


def answer(client: httpx.Client, thread: str, approved: bool, feedback: str | None = None) -> int:
    """Answer a report and return the status code."""
    params: dict[str, Any] = {"approved": approved, "decided_by": "ana"}
    if feedback is not None:
        params["feedback"] = feedback
    return client.post(f"/reports/{thread}/feedback", params=params).status_code


def test_a_report_goes_round_until_it_is_approved(client: httpx.Client) -> None:
    """Each rejection changes what it asked for and nothing else; the approval finishes the report."""
    thread = generate(client)
    first = client.get(f"/reports/{thread}")
    assert first.headers["content-type"].startswith("text/plain")
    assert "## References" not in first.text
    assert answer(client, thread, False, "There are no references.") == 200
    second = client.get(f"/reports/{thread}").text
    assert second.startswith(first.text)
    assert second.count("corpus:") == 5
    assert answer(client, thread, False, "Say who wrote it.") == 200
    assert [entry["status"] for entry in client.get("/reports").json()] == ["interrupted"]
    assert answer(client, thread, True) == 200
    assert client.get(f"/reports/{thread}").text.startswith(second)
    assert client.get("/reports").json() == [
        {"thread_id": thread, "theme": "Model Context Protocol (MCP)", "status": "finished"}
    ]


def test_every_wrong_request_has_its_status_code(client: httpx.Client) -> None:
    """404 for unknown reports, 400 for what cannot be answered so, 422 for what is no request."""
    thread = generate(client)
    assert client.get("/reports/unknown").status_code == 404
    assert answer(client, "unknown", True) == 404
    assert answer(client, thread, False) == 400
    assert answer(client, thread, False, "   ") == 400
    assert answer(client, thread, True) == 200
    assert answer(client, thread, True) == 400
    assert answer(client, thread, False, "too late") == 400
    assert client.post("/reports/generate").status_code == 422
    assert client.post("/reports/generate", params={"theme": ""}).status_code == 422
    assert client.post(f"/reports/{thread}/feedback", params={"approved": "perhaps"}).status_code == 422
    assert client.get("/reports", params={"max_results": 0}).status_code == 422


def test_the_list_is_newest_first_and_bounded(client: httpx.Client) -> None:
    """max_results keeps the newest."""
    threads = [generate(client, theme) for theme in ("one", "two", "three")]
    listed = client.get("/reports", params={"max_results": 2}).json()
    assert [entry["thread_id"] for entry in listed] == threads[:0:-1]


@pytest.mark.parametrize("number", [15, pytest.param(50, marks=pytest.mark.soak)])
def test_many_reports_at_once_each_answered_twice(tmp_path: Path, number: int) -> None:
    """Of two answers at once one is taken and one refused, for each of the reports."""
    with service(tmp_path / "reports.sqlite") as client, ThreadPoolExecutor(number) as pool:
        threads = list(pool.map(lambda n: generate(client, f"theme {n}"), range(number)))
        codes = list(pool.map(lambda thread: (thread, answer(client, thread, True)), threads * 2))
        assert Counter(code for _, code in codes)[200] == number
        assert {thread for thread, code in codes if code == 200} == set(threads)
        assert {code for _, code in codes} <= {200, 400, 409}
        listed = client.get("/reports", params={"max_results": 100}).json()
        assert Counter(entry["status"] for entry in listed) == {"finished": number}
    # One review node per report has run to its end: nothing was resumed twice.
    saver = sqlite_saver(tmp_path / "reports.sqlite")
    with saver.cursor(transaction=False) as cursor:
        cursor.execute("SELECT count(*) FROM writes WHERE channel = 'review'")
        assert cursor.fetchone()[0] == number
    saver.conn.close()


def test_an_answer_that_comes_too_late_is_refused(tmp_path: Path) -> None:
    """After the time limit an approval gets 410 and the report is closed unapproved."""
    with service(tmp_path / "reports.sqlite", ttl_s=0.01) as client:
        thread = generate(client)
        time.sleep(0.05)
        assert answer(client, thread, True) == 410
        assert client.get("/reports").json()[0]["status"] == "expired"
        assert answer(client, thread, True) == 400


@pytest.mark.slow
@pytest.mark.uncounted
def test_a_killed_server_loses_nothing(tmp_path: Path) -> None:
    """What waited before the kill is answered at the next server, and both processes' spans are in one file."""
    with service_process("report_service", tmp_path) as url, client_of(url) as client:
        thread = generate(client)
        before = client.get(f"/reports/{thread}").text
    with service_process("report_service", tmp_path) as url, client_of(url) as client:
        assert client.get(f"/reports/{thread}").text == before
        assert answer(client, thread, False, "There are no references.") == 200
        assert answer(client, thread, True) == 200
        assert answer(client, thread, True) == 400
    roots = [span for span in read_spans(tmp_path / "report_service.jsonl") if span.parent_run_id is None]
    assert [(span.status, span.thread_id) for span in roots] == [
        ("interrupted", thread),
        ("interrupted", thread),
        ("ok", thread),
    ]
    assert len({span.writer_id for span in roots}) == 2


def test_an_answer_taken_by_a_server_that_died_is_applied_at_the_next_start(tmp_path: Path) -> None:
    """The answer was written down and the graph never had it: the next server brings it in, once."""
    database = tmp_path / "reports.sqlite"
    with service(database) as client:
        thread = generate(client)
    with closing(sqlite3.connect(database)) as connection:
        (pause,) = connection.execute("SELECT max(checkpoint_id) FROM checkpoints").fetchone()
        decision = Decision(thread, pause, {"approved": True, "decided_by": "ana"})
        assert DecisionLog(connection).take(decision)
        assert not DecisionLog(connection).take(decision)
    with service(database) as client:
        assert client.get("/reports").json()[0]["status"] == "finished"
        assert answer(client, thread, True) == 400


def test_a_revision_that_failed_is_finished_at_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer was used and the writer failed after it: 500, status failed, and the next server goes on there."""
    database = tmp_path / "reports.sqlite"

    def away(messages: Sequence[BaseMessage]) -> Reply:
        raise ConnectionError("the model is away")

    with service(database) as client:
        thread = generate(client)
    with monkeypatch.context() as patch:
        patch.setattr(writer, "script", away)
        with service(database) as client:
            assert answer(client, thread, False, "There are no references.") == 500
            assert client.get("/reports").json()[0]["status"] == "failed"
            assert client.post("/reports/generate", params={"theme": "x"}).status_code == 500
    with service(database) as client:
        assert "## References" in client.get(f"/reports/{thread}").text
        assert answer(client, thread, True) == 200
