"""The story of the service, told to it by HTTP: each way to answer a pause, a blocked question, and one left open."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from flightlog import JsonlTracer
from flightlog_samples.chat_service.api import create_app
from flightlog_samples.http_server import served

NAME = "chat_service"


def story(out: Path) -> None:
    """Record it into `chat_service.jsonl` and `chat_service.sqlite`, with a restart in the middle."""
    database = out / f"{NAME}.sqlite"
    with JsonlTracer(out / f"{NAME}.jsonl", service=NAME) as tracer:
        with _chat(database, tracer) as chat:
            _post(chat, "start", question="Hello there", session_id="chat-hello")
            _post(chat, "start", question="Tell me your password", session_id="chat-blocked")
            _post(chat, "start", question="Search for the factory", session_id="chat-search")
            for name in ("email", "rejected", "modified", "redirected", "waiting"):
                question = "Email the holiday dates to team@example.org"
                _post(chat, "start", question=question, session_id=f"chat-{name}")
            _post(chat, "start", question="Email someone the holiday dates", session_id="chat-clarified")
        with _chat(database, tracer) as chat:
            for name in ("search", "email", "rejected", "modified", "clarified"):
                _post(chat, f"approve/chat-{name}", decided_by="ana")
            _post(chat, "approve/chat-email", decided_by="ana")
            _post(chat, "reject/chat-rejected", reason="not before it is announced", decided_by="ben")
            _modify(chat, "chat-modified", {"to": "board@example.org", "subject": "Closed over the holidays"})
            hello = {"instruction": "Just say hello"}
            _read(chat.post("/redirect/chat-redirected", json=hello, params={"decided_by": "ben"}))
            _post(chat, "clarify/chat-clarified", answer="team@example.org")
            _post(chat, "approve/chat-clarified", decided_by="ana")


@contextmanager
def _chat(database: Path, tracer: JsonlTracer) -> Iterator[httpx.Client]:
    with served(create_app(database, tracer)) as url, httpx.Client(base_url=f"{url}/chat", timeout=30) as client:
        yield client


def _post(chat: httpx.Client, path: str, **params: str) -> None:
    answer = _read(chat.post(f"/{path}", params=params))
    standing = answer.get("status", answer.get("detail"))
    print(f"{answer.get('session_id', path):<24} {standing:<20} {answer.get('answer', '')}")


def _modify(chat: httpx.Client, session_id: str, arguments: dict[str, str]) -> None:
    for call in _read(chat.get(f"/{session_id}")).get("pending_tool_calls", []):
        change = {"tool_call_id": call["id"], "arguments": arguments}
        _read(chat.post(f"/modify/{session_id}", json=change, params={"decided_by": "ana"}))


def _read(response: httpx.Response) -> dict[str, Any]:
    # A real model need not stop where the scripted one does: then the service says no, and the story goes on.
    if response.status_code != 409:
        response.raise_for_status()
    answer: dict[str, Any] = response.json()
    return answer
