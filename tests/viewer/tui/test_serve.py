"""`flightlog view --serve`: the viewer in a real browser, and everything that must not get in."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from flightlog.errors import UsageError
from flightlog_viewer.cli.app import main
from flightlog_viewer.tui import serving
from flightlog_viewer.tui.serving import GuardedServer
from tests.viewer.tui.browser import chromium
from tests.viewer.tui.recordings import support_file
from tests.viewer.tui.terminal import flightlog

pytestmark = pytest.mark.uncounted

CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)


@asynccontextmanager
async def served(path: Path) -> AsyncIterator[str]:
    """The address of a served viewer."""
    command = flightlog("view", str(path), "--serve", "--no-cache")
    # Not asyncio's: the viewers that it starts may hold the pipe longer than the event loop lives.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), 60)
            yield line.split()[-1]
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, 10)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
async def test_a_browser_shows_the_list_opens_a_trace_and_reconnects(tmp_path: Path) -> None:
    """The list, a trace by a key without a click, all of a smaller window in sight, the list again after a reload."""
    async with served(support_file(tmp_path / "s.jsonl", 5)) as address, chromium(CHROMIUM or "") as page:
        await page.call("Page.navigate", url=address)
        await page.until("5 traces")
        await page.call("Emulation.setDeviceMetricsOverride", width=900, height=350, deviceScaleFactor=1, mobile=False)
        await page.press("Enter", 13, "\r")
        await page.until("G support")
        for _ in range(100):
            answer = await page.call("Runtime.evaluate", expression="document.documentElement.scrollHeight")
            if (height := answer["result"]["result"]["value"]) == 350:
                break
            await asyncio.sleep(0.05)
        assert height == 350, "the last rows are out of sight"
        await page.call("Page.reload")
        await page.until("5 traces")
        origin = "/".join(address.split("/")[:3])
        asked = [url for url in page.requests if not url.startswith("data:")]
        assert asked
        assert all(url.replace("ws:", "http:").startswith(f"{origin}/") for url in asked), asked
        assert any(url.startswith("ws:") for url in asked)


@pytest.mark.slow
async def test_a_browser_is_told_when_its_viewer_or_the_server_ends(tmp_path: Path) -> None:
    """A viewer that cannot start closes the connection; a server that is stopped waits for no browser."""

    async def told(socket: aiohttp.ClientWebSocketResponse) -> int | None:
        async for _ in socket:
            pass
        return socket.close_code

    path = support_file(tmp_path / "s.jsonl", 2)
    async with aiohttp.ClientSession() as client:
        async with served(path) as address:
            showing = await client.ws_connect(f"{address}ws")
            await showing.receive(30)
            waits = asyncio.create_task(told(showing))
            path.unlink()
            gone = await client.ws_connect(f"{address}ws")
            assert await asyncio.wait_for(told(gone), 30) == aiohttp.WSCloseCode.OK
            assert not waits.done()
        assert await asyncio.wait_for(waits, 10) == aiohttp.WSCloseCode.OK


@pytest.mark.slow
def test_a_viewer_whose_server_was_killed_ends(tmp_path: Path) -> None:
    """Its pipes break, and it does not go on drawing for nobody."""
    with subprocess.Popen(
        flightlog("view", str(support_file(tmp_path / "s.jsonl", 2)), "--no-cache"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"TEXTUAL_DRIVER": "textual.drivers.web_driver:WebDriver", "COLUMNS": "80", "ROWS": "24"},
    ) as viewer:
        try:
            assert viewer.stdin is not None
            assert viewer.stdout is not None
            assert viewer.stderr is not None
            shown = b""
            while b"2 traces" not in shown:
                more = os.read(viewer.stdout.fileno(), 65_536)
                assert more, shown
                shown += more
            for pipe in (viewer.stdin, viewer.stdout, viewer.stderr):
                pipe.close()
            viewer.wait(20)
        finally:
            viewer.kill()


async def test_a_viewer_that_is_too_busy_to_hear_it_ends_with_its_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is killed after a while, whether the browser hangs up or sends what the page does not, without a traceback."""
    monkeypatch.setattr(serving, "_PATIENCE_S", 0.2)
    busy = "import os, time; print('__GANGLION__', flush=True); open(str(os.getpid()), 'w'); time.sleep(60)"
    monkeypatch.chdir(tmp_path)
    server = GuardedServer([sys.executable, "-c", busy])
    runner = web.AppRunner(await server._make_app())
    await runner.setup()
    await web.SockSite(runner, server.socket).start()
    try:
        async with aiohttp.ClientSession() as client:
            for number, frame in enumerate(["", "{}", '["stdin", 5]', '["stdin", "\\ud800"]', "[" * 100_000], 1):
                socket = await client.ws_connect(f"{server.address}ws")
                while len(started := list(tmp_path.iterdir())) < number:
                    await asyncio.sleep(0.02)
                if frame:
                    await socket.send_str(frame)
                    assert (await socket.receive(10)).type is aiohttp.WSMsgType.CLOSE
                await socket.close()
        for _ in range(500):
            if not any(Path("/proc", file.name).exists() for file in started):
                break
            await asyncio.sleep(0.02)
        assert not any(Path("/proc", file.name).exists() for file in started)
    finally:
        await runner.cleanup()
    assert "Traceback" not in capfd.readouterr().err


async def test_without_the_token_or_from_elsewhere_there_is_nothing(tmp_path: Path) -> None:
    """A wrong token is not found; a foreign Host or Origin is refused, for the socket as for the page."""
    async with served(support_file(tmp_path / "s.jsonl", 2)) as address, aiohttp.ClientSession() as client:
        base = "/".join(address.split("/")[:3])

        async def status(url: str, **headers: str) -> int:
            async with client.get(url, headers=headers) as answer:
                return answer.status

        assert await status(address) == 200
        for path in ("/", "/ws", "/static/js/textual.js", "/wrong-token/", "/wrong-token/ws"):
            assert await status(base + path) == 404
        assert await status(address, Host="evil.example") == 403
        assert await status(address, Origin="http://evil.example") == 403
        assert await status(f"{address}ws", Origin="http://evil.example") == 403
        assert await status(f"{address}ws", Origin="null") == 403
        async with client.get(address) as answer:
            policy = answer.headers["Content-Security-Policy"]
            page = await answer.text()
        assert "default-src 'none'" in policy
        assert "googleapis" not in page


@pytest.mark.parametrize("named", [["{}/nope.jsonl"], ["--checkpoints", "{}/nope.sqlite"], ["{}"]])
def test_what_cannot_be_shown_is_a_sentence(
    named: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said where the command was given, and nothing is served."""
    assert main(["view", "--serve", *(part.format(tmp_path) for part in named)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("flightlog: ")
    assert err.count("\n") == 1


def test_a_port_that_is_taken_is_a_sentence() -> None:
    """The second server on a port says so."""
    first = GuardedServer(["true"])
    try:
        with pytest.raises(UsageError, match=f"port {first.port} cannot be used"):
            GuardedServer(["true"], first.port)
        assert first.address.startswith(f"http://127.0.0.1:{first.port}/")
    finally:
        first.socket.close()
