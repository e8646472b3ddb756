"""The two ways to run a service: in the foreground until it is stopped, and behind a `with` for as long as it lasts.

Both listen on 127.0.0.1 only, and turn away what a web page in the user's browser sends: these services have no login,
and an approval must not come from a page that someone happened to open.
"""

import argparse
import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from flightlog import JsonlTracer
from flightlog.errors import FlightlogError, UsageError
from flightlog_samples.recording import DEFAULT_OUT, Story, failed, record

HOST = "127.0.0.1"
_NAMES = frozenset((HOST, "localhost"))
AppFactory = Callable[[Path, JsonlTracer, float | None], FastAPI]
"""Makes the application over a database, with its tracer, and the seconds after which a question is too old."""


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve `app` beside the caller on a free port; gives its base URL. Raises RuntimeError when it does not start."""
    server = uvicorn.Server(_config(app, 0))
    running = asyncio.run_coroutine_threadsafe(server.serve(), _loop())
    try:
        while not server.started:
            if running.done():
                raise RuntimeError("the server did not start") from running.exception()
            time.sleep(0.005)
        yield f"http://{HOST}:{_port(server)}"
    finally:
        server.should_exit = True
        running.result(timeout=30)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    # One for all servers of the process: providers' packages keep their connections for the next model that asks, and
    # connections end with the loop that they were made in.
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="servers", daemon=True).start()
    return loop


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
    database = options.out / f"{name}.sqlite"
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        with only_server(database), JsonlTracer(options.out / f"{name}.jsonl", service=name) as tracer:
            _Announcing(_config(create_app(database, tracer, options.ttl), options.port)).run()
    except (FlightlogError, OSError) as error:
        return failed(str(error))
    except SystemExit:
        # Uvicorn has said why it could not start.
        return 2
    return 0


@contextmanager
def only_server(database: Path) -> Iterator[None]:
    """Hold a SQLite database for one server. Raises UsageError when another one has it.

    A server that starts finishes what its predecessor left half done; it must not do so to one that is still at it.
    The lock goes with the process, however that ends.
    """
    import fcntl

    with database.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"another server has {database} open: stop it first, or choose another --out") from None
        yield


class LocalOnly:
    """Answers 403 to requests that carry a foreign origin or were sent to another name than this machine's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host = headers.get("host", "").partition(":")[0]
            origin = headers.get("origin")
            if host not in _NAMES or (origin is not None and origin != f"http://{headers.get('host')}"):
                await JSONResponse({"detail": "Only local requests are answered."}, 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _Announcing(uvicorn.Server):
    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup()
        if self.started:
            print(f"listening on http://{HOST}:{_port(self)}", flush=True)


def _config(app: FastAPI, port: int) -> uvicorn.Config:
    return uvicorn.Config(LocalOnly(app), host=HOST, port=port, log_level="warning", lifespan="on", ws="none")


def _port(server: uvicorn.Server) -> int:
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port
