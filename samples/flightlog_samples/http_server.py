"""The two ways to run a service: in the foreground until it is stopped, and behind a `with` for as long as it lasts.

Both listen on 127.0.0.1 only: these services have no login.
"""

import argparse
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from flightlog import JsonlTracer
from flightlog_samples.recording import DEFAULT_OUT, Story, record

HOST = "127.0.0.1"
AppFactory = Callable[[Path, JsonlTracer, float | None], FastAPI]
"""Makes the application over a database, with its tracer, and the seconds after which a question is too old."""


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve `app` from a thread on a free port; gives its base URL. Raises RuntimeError when it does not start."""
    server = uvicorn.Server(_config(app, 0))
    thread = threading.Thread(target=server.run, name="uvicorn", daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server did not start")
            time.sleep(0.005)
        yield f"http://{HOST}:{_port(server)}"
    finally:
        server.should_exit = True
        thread.join(timeout=30)


def run_service(name: str, story: Story, create_app: AppFactory, argv: Sequence[str] | None = None) -> int:
    """The command line of a service: record its story, or `--serve`. Exit status 0, or 2 with a sentence."""
    parser = argparse.ArgumentParser(
        prog=f"python -m flightlog_samples.{name}", description="Record this sample's story, or serve it."
    )
    parser.add_argument("--out", type=Path, default=Path(DEFAULT_OUT), help="folder for spans and checkpoints")
    parser.add_argument("--serve", action="store_true", help=f"serve on {HOST} until stopped, keeping what is there")
    parser.add_argument("--port", type=int, default=8000, help="0 for any free one")
    parser.add_argument("--ttl", type=float, metavar="SECONDS", help="after this an open question is too old")
    options = parser.parse_args(argv)
    if not options.serve:
        return record(options.out, [story])
    options.out.mkdir(parents=True, exist_ok=True)
    with JsonlTracer(options.out / f"{name}.jsonl", service=name) as tracer:
        app = create_app(options.out / f"{name}.sqlite", tracer, options.ttl)
        _Announcing(_config(app, options.port)).run()
    return 0


class _Announcing(uvicorn.Server):
    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup()
        if self.started:
            print(f"listening on http://{HOST}:{_port(self)}", flush=True)


def _config(app: FastAPI, port: int) -> uvicorn.Config:
    return uvicorn.Config(app, host=HOST, port=port, log_level="warning", lifespan="on", ws="none")


def _port(server: uvicorn.Server) -> int:
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port
