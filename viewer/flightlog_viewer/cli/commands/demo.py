"""``flightlog demo``: records the samples and opens the viewer on them."""

import os
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import typer

from flightlog.errors import FlightlogError, MissingExtraError
from flightlog_viewer.cli.options import not_stdout
from flightlog_viewer.cli.output import line
from flightlog_viewer.cli.stopping import undisturbed
from flightlog_viewer.cli.terminal import interactive

_LOOK_S: Final = 0.5
_SAMPLE_MODULES: Final = (
    "langchain",
    "langgraph",
    "langgraph.checkpoint.sqlite",
    "langgraph.checkpoint.postgres",
    "aiosqlite",
    "fastapi",
    "httpx",
    "psycopg_pool",
    "uvicorn",
)
"""If one of them cannot be found, the extra ``samples`` is not installed; LangGraph alone often is."""


def demo(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Samples to record, or all. --list names them.")
    ] = None,
    out: Annotated[
        Path,
        typer.Option("-o", "--out", "--output", metavar="FOLDER", help="Folder to record into.", callback=not_stdout),
    ] = Path("flightlog-demo"),
    view: Annotated[bool, typer.Option("--view/--no-view", help="Open the viewer afterwards.")] = True,
    list_: Annotated[bool, typer.Option("--list", help="Name the samples and what each shows.")] = False,
) -> int:
    """Record samples (real LangGraph agents on a scripted model, offline) and look at them.

    Without a terminal it prints the summary instead of opening the viewer.

    \b
    Example:
      flightlog demo
      flightlog demo all --no-view --out runs
    """
    if not all(find_spec(module) for module in _SAMPLE_MODULES):
        raise MissingExtraError("`flightlog demo`", "samples")
    status = _record(["--list"] if list_ else ["--out", str(out), *(names or [])])
    if status or list_:
        return status
    databases = [str(database) for database in sorted(out.glob("*.sqlite"))]
    if view and interactive():
        from flightlog_viewer.tui.start import run

        return run([str(out)], databases)
    from flightlog_viewer.cli.commands.summary import summary

    line(f"recorded in {out}:")
    summary([str(out)], no_cache=True)
    line()
    given = [part for database in databases for part in ("--checkpoints", database)]
    line(f"next: {shlex.join([program(), 'view', str(out), *given])}")
    return 0


def program() -> str:
    """What to type to run this program again: its path where no PATH has it, as after ``make demo``."""
    typed = sys.argv[0]
    if os.path.basename(typed) != "flightlog" or shutil.which("flightlog") is not None:
        return "flightlog"
    return os.path.relpath(typed)


def _record(arguments: list[str]) -> int:
    sys.stdout.flush()
    # -P, or a calendar.py in this folder would be run in place of Python's.
    command = [sys.executable, "-P", "-m", "flightlog_samples", *arguments]
    recording = None
    try:
        with undisturbed():
            # In a session of its own, so that Ctrl-C comes to us alone: it would answer with a traceback.
            recording = subprocess.Popen(command, start_new_session=os.name == "posix")
        while recording.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                # Not for ever at once: a signal that comes just before a wait begins does not end it.
                recording.wait(_LOOK_S)
        return recording.returncode
    except OSError as error:
        raise FlightlogError(f"the samples cannot be run: {error.strerror}") from None
    except KeyboardInterrupt:
        if recording is not None:
            recording.terminate()
            recording.wait()
        raise
