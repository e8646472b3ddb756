"""Real servers out of the environment of `make interop`, on free ports of 127.0.0.1."""

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import psutil  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".venv-interop" / "bin"
START_S = 180


def free_port() -> int:
    """A port nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ask(url: str, body: Any = None, timeout: float = 60) -> Any:
    """The JSON answer to a GET, or to a POST of JSON."""
    data = None if body is None else orjson.dumps(body)
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=timeout) as response:
        return orjson.loads(response.read())


def wait_for(what: Callable[[], Any], seconds: float = 60) -> Any:
    """The first true answer; backends take spans in at their own pace."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := what():
            return answer
        time.sleep(0.5)
    raise AssertionError(f"it did not happen within {seconds} s")


@contextmanager
def running(command: list[str], health: str, folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """A server from its start until it is ended, with every process it has started."""
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            cwd=folder,
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(lambda: process.poll() is not None or _answers(health), START_S)
        assert process.poll() is None, (folder / "server.log").read_text()[-2000:]
        yield
    finally:
        parent = psutil.Process(process.pid) if psutil.pid_exists(process.pid) else None
        family = [*parent.children(recursive=True), parent] if parent is not None else []
        for member in family:
            member.terminate()
        _, alive = psutil.wait_procs(family, timeout=10)
        for member in alive:
            member.kill()
        process.wait(10)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (OSError, urllib.error.URLError):
        return False
