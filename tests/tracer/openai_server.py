"""A server of chat completions, responses and decisions on a free loopback port, answering from a script."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 5,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


def text(content: str) -> dict[str, Any]:
    """An answer of words."""
    return {"role": "assistant", "content": content}


def tool_call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """An answer that calls a tool."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
    }


class Server:
    """``script`` holds what comes next: a message, a status code to refuse with, or ``"break"`` for a cut stream.

    For responses and decisions it holds the body of the answer.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.script: list[Any] = []
        self.requests: list[dict[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: Server

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.served.requests.append(request)
        answer = self.served.script.pop(0)
        if isinstance(answer, int):
            self._send(answer, {"error": {"message": "slow down", "type": "rate_limit", "code": None}})
        elif self.path.endswith("/decisions"):
            self._send(200, {"model": "gpt-judge-0613", **answer})
        elif self.path.endswith("/responses"):
            self._send(200, {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-test-0613", **answer})
        elif request.get("stream"):
            self._stream(answer, request)
        else:
            reason = "tool_calls" if answer.get("tool_calls") else "stop"
            choice = {"index": 0, "message": answer, "finish_reason": reason}
            self._send(200, {**self._about("chat.completion"), "choices": [choice], "usage": USAGE})

    def _about(self, kind: str) -> dict[str, Any]:
        return {
            "id": "chatcmpl-1",
            "object": kind,
            "created": 1,
            "model": "gpt-test-0613",
            "service_tier": "default",
            "system_fingerprint": "fp",
        }

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Retry-After", "0")
        self.send_header("x-request-id", "req_1")
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, answer: Any, request: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        breaks = answer == "break"
        message = text("one two three") if breaks else answer
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": word + " "} for word in (message["content"] or "").split()]
        for call in message.get("tool_calls") or ():
            name: dict[str, Any] = {"index": 0, "id": call["id"], "type": "function"}
            deltas.append({"tool_calls": [{**name, "function": {"name": call["function"]["name"], "arguments": ""}}]})
            deltas.append({"tool_calls": [{"index": 0, "function": {"arguments": call["function"]["arguments"]}}]})
        reason = "tool_calls" if message.get("tool_calls") else "stop"
        chunks: list[dict[str, Any]] = [
            {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
        ]
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        if (request.get("stream_options") or {}).get("include_usage"):
            chunks.append({"choices": [], "usage": USAGE})
        for number, chunk in enumerate(chunks):
            if breaks and number == 3:
                self._event({"error": {"message": "upstream died", "type": "server_error", "code": "500"}})
                break
            self._event({**self._about("chat.completion.chunk"), **chunk})
        else:
            self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def _event(self, chunk: dict[str, Any]) -> None:
        self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@contextmanager
def openai_server() -> Iterator[Server]:
    """The server, for as long as the block."""

    class Bound(Handler):
        """One server's handler."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
    http.daemon_threads = True
    Bound.served = Server(f"http://127.0.0.1:{http.server_port}/v1")
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield Bound.served
    finally:
        http.shutdown()
        http.server_close()
        thread.join(5)
