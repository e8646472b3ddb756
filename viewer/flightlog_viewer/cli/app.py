"""``flightlog COMMAND``: finds the command, runs it, and stands between every failure and the user.

Exit status: 0; 1 from ``doctor`` (found problems) and ``export`` (not all delivered); 2 when an argument cannot be
meant, an input cannot be read, or we failed; 130 after Ctrl-C, 143 after SIGTERM, 129 when the terminal went.
"""

import gc
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from flightlog.errors import FlightlogError, UsageError, refusal, shortened
from flightlog.streams import reader_left
from flightlog_viewer.cli.registry import COMMANDS, Command, find
from flightlog_viewer.cli.starting_over import StartOverError
from flightlog_viewer.cli.stopping import Stopped, stopping
from flightlog_viewer.cli.without_pandas import WithoutPandas
from flightlog_viewer.databases import is_url
from flightlog_viewer.fault_log import write_fault
from flightlog_viewer.safe_text import is_text, safe_text

_USAGE = 2
_DUCKDB_STOPPED = "Query interrupted"
"""What DuckDB makes of Ctrl-C in the middle of a query."""
_NO_MEMORY = "out of memory: give fewer files, or a machine with more"
_PYTHON_NO_THREAD = "can't start new thread"
_NO_THREAD = "no thread can be started: memory or processes are limited here (`ulimit -v`, `ulimit -u`, a container's)"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status; never raises and never shows a traceback."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a terminal that is not UTF-8
    is_program = Path(sys.argv[0]).stem == "flightlog" or Path(sys.argv[0]).parts[-2:] == ("flightlog", "__main__.py")
    arguments = list(sys.argv[1:] if argv is None else argv)
    if is_program:
        sys.meta_path.insert(0, WithoutPandas())
        _collect_rarely(arguments)
    with stopping(ends_process=is_program) as stopped:
        try:
            return _answer(arguments, stopped)
        except KeyboardInterrupt:  # told to end once more, while the first time was being answered
            return stopped.status


def _collect_rarely(argv: list[str]) -> None:
    """Let a command that ends by itself look for garbage rarely: nearly all that it makes, modules first, it keeps."""
    command = find(argv[0]) if argv else None
    if command is not None and not command.lasts:
        gc.set_threshold(20_000, 20, 50)


def _answer(argv: list[str], stopped: Stopped) -> int:
    try:
        try:
            status = _run(argv)
        except StartOverError:
            status = _run(argv)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _complain("stopped", stopped.status)
    except BrokenPipeError:
        return reader_left()
    except SystemExit as end:
        # typer's own answer to a broken pipe is sys.exit(1), behind a wrapper around stdout.
        if isinstance(end.__context__, BrokenPipeError):
            return reader_left()
        return end.code if isinstance(end.code, int) else 0
    except FlightlogError as error:
        return _complain(str(error), _USAGE)
    except MemoryError:
        return _complain(_NO_MEMORY, _USAGE)
    except OSError as error:
        if stopped.number:  # the terminal may have gone, and takes nothing any more
            return _complain("stopped", stopped.status)
        return _complain(_refused(error), _USAGE)
    except Exception as error:
        # A library may make something else of the interrupt, DuckDB while it imports numpy for one.
        if stopped.number or (isinstance(error, RuntimeError) and str(error) == _DUCKDB_STOPPED):
            return _complain("stopped", stopped.status)
        if type(error).__name__ == "OutOfMemoryException":  # DuckDB's, which is not imported for this
            return _complain(_NO_MEMORY, _USAGE)
        if isinstance(error, RuntimeError) and str(error) == _PYTHON_NO_THREAD:
            return _complain(_NO_THREAD, _USAGE)
        if (message := _usage_message(error)) is not None:
            return _complain(message, _USAGE)
        return _complain(_unexpected(error), _USAGE)
    if status == 128 + signal.SIGINT:
        return _complain("stopped", stopped.status)
    return status


def _run(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        if argv[1:] == ["filter"] and argv[0] == "help":
            from flightlog_viewer.cli.filter_help import page

            sys.stdout.write(page())
            return 0
        if len(argv) > 1 and argv[0] == "help":
            return _run([*argv[1:], "--help"])
        sys.stdout.write(_help())
        return 0
    name, *rest = argv
    command = find(name)
    if command is None:
        raise UsageError(_unknown(name))
    for argument in rest:
        if not is_text(argument) and not os.path.lexists(argument):
            raise UsageError(f"the argument {repr(os.fsencode(argument))[1:]} is not UTF-8")
    if name == "run":
        # It works without the viewer, so it is the tracer's and reads its arguments itself.
        from flightlog.__main__ import main as tracer

        return tracer(argv)
    parsed = load(command)
    status = parsed.main(rest, prog_name=f"flightlog {command.name}", standalone_mode=False)
    return status if isinstance(status, int) else 0


def load(command: Command) -> Any:
    """The command with its arguments, as typer parses them; its module is imported now."""
    target = getattr(import_module(command.module), command.function)
    import typer
    from typer.main import get_command

    from flightlog_viewer.cli.help import HelpfulCommand, application

    if isinstance(target, typer.Typer):
        return get_command(target)
    alone = application()
    alone.command(cls=HelpfulCommand)(target)
    return get_command(alone)


def _help() -> str:
    width = max((len(command.name) for command in COMMANDS), default=0)
    lines: list[str] = []
    group = ""
    for command in COMMANDS:
        if command.group != group:
            group = command.group
            lines += ["", f"{group}:"]
        lines.append(f"  {command.name:<{width}}  {command.summary}")
    return "\n".join(
        (
            "usage: flightlog COMMAND [ARGUMENTS]",
            "",
            "The flight recorder for LangChain and LangGraph agents, and the terminal to read it in.",
            *lines,
            "",
            "PATHS are span files, folders or globs; without them, the newest span file here.",
            "`flightlog COMMAND --help` has the options and an example, `flightlog help filter` the filter language.",
            "",
            "try it:",
            "  flightlog demo",
            "  flightlog run -- python app.py",
            "  flightlog view",
            "",
        )
    )


def _unknown(name: str) -> str:
    if is_url(name):
        return "a URL is no command: `flightlog view` opens those of Postgres databases"  # it may hold a password
    near = get_close_matches(name, [command.name for command in COMMANDS], n=1)
    if near:
        return f"no command {name!r}: did you mean `flightlog {near[0]}`?"
    if Path(name).exists():
        return f"no command {name!r}: to open the file, `flightlog view {name}`"
    return f"no command {name!r}: `flightlog --help` lists them"


def _usage_message(error: Exception) -> str | None:
    """The sentence of a parse error of typer's, whose class is private; None for any other exception."""
    render = getattr(error, "format_message", None)
    if render is None:
        return None
    context = getattr(error, "ctx", None)
    hint = f" (`{context.command_path} --help`)" if context is not None else ""
    text = str(render()).rstrip(".")
    return f"{text[:1].lower()}{text[1:]}{hint}"


def _refused(error: OSError) -> str:
    with suppress(Exception):
        write_fault(error, "errors")
    return refusal(error)


def _unexpected(error: Exception) -> str:
    what = f"{type(error).__name__}: {shortened(str(error))}"
    try:
        path = write_fault(error, "errors")
    except Exception:
        return f"this is a fault of flightlog: {what}"
    return f"this is a fault of flightlog: {what}; details are in {path}"


def _complain(message: str, status: int) -> int:
    with suppress(OSError, ValueError):
        sys.stderr.write(f"flightlog: {safe_text(message)}\n")
        sys.stderr.flush()
    return status
