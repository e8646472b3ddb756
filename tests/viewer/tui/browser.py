"""A headless Chromium, driven through its DevTools protocol; what the page's terminal is sent is drawn here."""

import asyncio
import base64
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pyte


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, session_id: str) -> None:
        self._socket = socket
        self._session = session_id
        self._numbers = count(100)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self.requests: list[str] = []
        """Every address that the page asked for."""
        # Larger than the page's, whatever its font: on a smaller one a full paint would scroll.
        self.terminal = pyte.Screen(240, 90)
        self._stream = pyte.ByteStream(self.terminal)

    async def listen(self) -> None:
        """Take in what the browser says, until it is gone."""
        async for message in self._socket:
            event = message.json()
            if "id" in event and (future := self._answers.pop(event["id"], None)) is not None:
                future.set_result(event)
            method, params = event.get("method"), event.get("params", {})
            if method == "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            elif method == "Network.webSocketCreated":
                self.requests.append(params["url"])
                self.terminal.reset()
            elif method == "Network.webSocketFrameReceived" and params["response"]["opcode"] == 2:
                self._stream.feed(base64.b64decode(params["response"]["payloadData"]))

    async def call(self, method: str, **params: Any) -> Any:
        """One command of the protocol."""
        number = next(self._numbers)
        future = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "sessionId": self._session, "method": method, "params": params})
        return await asyncio.wait_for(future, 20)

    async def press(self, key: str, code: int, text: str = "") -> None:
        """A key, as the keyboard sends it."""
        for kind in ("keyDown", "keyUp"):
            given: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": code, "type": kind}
            await self.call("Input.dispatchKeyEvent", **given, **({"text": text} if text and kind == "keyDown" else {}))

    def text(self) -> str:
        """The terminal."""
        return "\n".join(self.terminal.display)

    async def until(self, text: str) -> None:
        """Wait for a text in the terminal."""
        for _ in range(600):
            if text in self.text():
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{text!r} did not appear:\n{self.text()}")


@asynccontextmanager
async def chromium(program: str) -> AsyncIterator[Page]:
    """A browser of the test's own, with an empty tab; ends with the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # No pipe to it: its children would hold the other end longer than the event loop lives.
        process = subprocess.Popen(
            [
                program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--remote-debugging-port=0", f"--user-data-dir={profile}", "--window-size=900,600", "about:blank",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            address = await _address(process, Path(profile, "DevToolsActivePort"))
            async with (
                aiohttp.ClientSession() as client,
                client.ws_connect(address, max_msg_size=0) as socket,
            ):
                page = await _attach(socket)
                listener = asyncio.create_task(page.listen())
                try:
                    await page.call("Network.enable")
                    await page.call("Page.enable")
                    yield page
                finally:
                    listener.cancel()
                    with suppress(asyncio.CancelledError):
                        await listener
        finally:
            process.terminate()
            try:
                await asyncio.to_thread(process.wait, 10)
            except subprocess.TimeoutExpired:
                process.kill()
                await asyncio.to_thread(process.wait)


async def _address(process: "subprocess.Popen[bytes]", port: Path) -> str:
    """Where the browser listens, once it has written that down."""
    for _ in range(1200):
        with suppress(FileNotFoundError):
            if len(lines := port.read_text().split()) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        assert process.poll() is None, "the browser ended"
        await asyncio.sleep(0.05)
    raise AssertionError("the browser does not listen")


async def _attach(socket: aiohttp.ClientWebSocketResponse) -> Page:
    await socket.send_json({"id": 1, "method": "Target.getTargets"})
    targets = (await _answer(socket, 1))["result"]["targetInfos"]
    target = next(info["targetId"] for info in targets if info["type"] == "page")
    await socket.send_json(
        {"id": 2, "method": "Target.attachToTarget", "params": {"targetId": target, "flatten": True}}
    )
    return Page(socket, (await _answer(socket, 2))["result"]["sessionId"])


async def _answer(socket: aiohttp.ClientWebSocketResponse, number: int) -> Any:
    while True:
        event = await socket.receive_json(timeout=30)
        if event.get("id") == number:
            return event
