"""The viewer in a browser: textual-serve on the loopback interface, behind a token that only its printed address has.

Any page that a browser has open can send requests to the loopback interface, so the address alone must not be enough:
without the token there is nothing to find, and a foreign Host or Origin is refused even with it. The page comes with a
policy that lets it load nothing from outside.
"""

import asyncio
import logging
import secrets
import shlex
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler
from textual_serve.app_service import AppService
from textual_serve.server import Server, to_int

from flightlog.errors import UsageError

HOST = "127.0.0.1"
_PATIENCE_S = 5.0
"""What a viewer may take to end."""
_NO_MESSAGE = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What becomes of a frame that the page does not send."""
_TEMPLATES = Path(__file__).parent / "served"


class _Viewer(AppService):
    """The process of one browser. However it ends, the browser is told; when the browser is gone, it ends."""

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        # Without a shell, which would be ended in place of the viewer.
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *shlex.split(self.command),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env=self._build_environment(width=width, height=height),
        )
        self._stdin = self._process.stdin
        return self._process

    async def stop(self) -> None:
        """Ask the viewer to end; one that is too busy to hear it is killed."""
        killer = asyncio.get_running_loop().call_later(_PATIENCE_S, self._kill)
        try:
            await super().stop()
        finally:
            killer.cancel()

    def _kill(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def run(self) -> None:
        try:
            await super().run()
        finally:
            await self.remote_close()
            if self._process is not None:
                await self._process.wait()


class GuardedServer(Server):
    """Serves one command; every connection has a process of its own, which ends with it."""

    def __init__(self, command: Sequence[str], port: int = 0) -> None:
        """Raises UsageError when the port is taken; 0 takes a free one."""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.socket.bind((HOST, port))
            self.socket.listen()
        except (OSError, OverflowError) as error:
            self.socket.close()
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"port {port} cannot be used: {reason}") from None
        self.token = secrets.token_urlsafe(24)
        self._sockets: set[web.WebSocketResponse] = set()
        """To browsers."""
        bound = int(self.socket.getsockname()[1])
        super().__init__(
            shlex.join(command), HOST, bound, title="flightlog", public_url=f"http://{HOST}:{bound}",
            templates_path=_TEMPLATES,
        )  # fmt: skip

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"{self.public_url}/{self.token}/"

    async def _make_app(self) -> web.Application:
        outer = web.Application(middlewares=[self._guard])
        outer.add_subapp(f"/{self.token}/", await super()._make_app())
        outer.on_response_prepare.append(self._add_policy)
        return outer

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        hosts = {f"{name}:{self.port}" for name in (HOST, "localhost")}
        origin = request.headers.get("Origin")
        if request.headers.get("Host") not in hosts:
            raise web.HTTPForbidden(text="wrong Host")
        if origin is not None and origin not in {f"http://{host}" for host in hosts}:
            raise web.HTTPForbidden(text="wrong Origin")
        return await handler(request)

    async def _add_policy(self, request: web.Request, response: web.StreamResponse) -> None:
        ours = f"http://{HOST}:{self.port}"
        response.headers["Content-Security-Policy"] = (
            f"default-src 'none'; script-src {ours} 'unsafe-inline'; style-src {ours} 'unsafe-inline'; "
            f"font-src {ours} data:; img-src {ours} data:; connect-src {ours} ws://{HOST}:{self.port}; "
            "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """One browser and its viewer, until either ends."""
        socket = web.WebSocketResponse(heartbeat=15, timeout=2)
        await socket.prepare(request)

        async def hang_up() -> None:
            await socket.close()

        viewer = _Viewer(
            self.command,
            write_bytes=socket.send_bytes,
            write_str=socket.send_str,
            close=hang_up,
            download_manager=self.download_manager,
        )
        self._sockets.add(socket)
        try:
            await viewer.start(to_int(request.query.get("width", ""), 80), to_int(request.query.get("height", ""), 24))
            with suppress(*_NO_MESSAGE):  # that is no page of ours
                await self._process_messages(socket, viewer)
        except ConnectionError:
            # The viewer ended between two keys.
            pass
        finally:
            self._sockets.discard(socket)
            await viewer.stop()
        return socket

    async def on_shutdown(self, app: web.Application) -> None:
        """Hang up on the browsers: aiohttp would wait for them."""
        await asyncio.gather(*(socket.close() for socket in self._sockets))

    async def on_startup(self, app: web.Application) -> None:
        """Say where it is; nothing else is printed."""
        sys.stdout.write(f"the viewer is at {self.address}\nCtrl+C ends it\n")
        sys.stdout.flush()

    def initialize_logging(self) -> None:
        """Errors only, on stderr."""
        logging.basicConfig(level=logging.ERROR)

    def serve(self, debug: bool = False) -> None:
        """Run until Ctrl+C."""
        self.initialize_logging()
        loop = asyncio.new_event_loop()
        with suppress(NotImplementedError):
            for name in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(name, self.request_exit)
        web.run_app(self._make_app(), sock=self.socket, handle_signals=False, loop=loop, print=None, access_log=None)


def serve(arguments: Sequence[str], port: int) -> int:
    """Serve ``flightlog view`` with these arguments until Ctrl+C."""
    # -P, or a calendar.py beside the span files would be run in place of Python's.
    GuardedServer([sys.executable, "-P", "-m", "flightlog", "view", *arguments], port).serve()
    return 0
