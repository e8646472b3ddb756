"""The ``flightlog`` entry point: ``run`` works with the tracer alone, every other command loads the viewer."""

import contextlib
import importlib
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Final

from flightlog.errors import FlightlogError, MissingExtraError, UsageError, refusal
from flightlog.streams import drop_full_errors, drop_output, reader_left, stand_in_for_closed

_USAGE_STATUS: Final = 2
_NOT_RUNNABLE_STATUS: Final = 126
_NOT_FOUND_STATUS: Final = 127
_DEFAULT_PATH: Final = "trace.jsonl"
RUN_OPTIONS: Final = {"--out": _DEFAULT_PATH, "--sample": "", "--always-keep": ""}
"""The options of `run` and what they are when they are not given."""
_VIEWER_APP: Final = "flightlog_viewer.cli.app"
_COMMANDS: Final = "flightlog_viewer.cli.registry"
_VIEWER_MODULES: Final = ("duckdb", "typer", "rich", "textual")
"""If one of them cannot be found, the extra ``viewer`` is not installed."""

_EXTRAS: Final = {"demo": "viewer,samples", "collect": "viewer,otel"}
"""What commands need that need more than the viewer."""

_RUN_HELP: Final = f"""\
usage: flightlog run [-o PATH] [--sample SHARE] [--always-keep STATUS] -- COMMAND [ARGUMENTS]

Run COMMAND and record every LangChain and LangGraph run in it, and in the Python processes it starts, without a
change to its code. The exit status, the standard streams and the signals are COMMAND's own.

  -o, --out PATH        the span file to append to (default: {_DEFAULT_PATH})
  --sample SHARE        record this share of the traces, 0 to 1, each whole or not at all (default: 1)
  --always-keep STATUS  whatever the share, record traces with such a span (error, interrupted); repeatable
  -h, --help            show this

flightlog has to be installed in the Python that COMMAND uses. A Python started with -E, -I or -S is not recorded.

example:
  flightlog run -o trace.jsonl -- python app.py
  flightlog run -- pytest tests
  flightlog run --sample 0.1 --always-keep error -- python app.py
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status; a mistake is one sentence on stderr and status 2."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    stand_in_for_closed()
    status = 0
    try:
        status = _answer(arguments)
        sys.stdout.flush()
        return status
    except FlightlogError as error:
        return _complain(str(error), _USAGE_STATUS)
    except BrokenPipeError:
        return reader_left()
    except KeyboardInterrupt:
        return 130
    except OSError as error:  # a full disk under stdout, a terminal that is gone; a command may have said so itself
        drop_output()
        return status or _complain(refusal(error), _USAGE_STATUS)
    finally:
        drop_full_errors()


def _answer(arguments: list[str]) -> int:
    if arguments[:1] == ["run"]:
        return _run(arguments[1:])
    if arguments[:1] in (["-V"], ["--version"], ["version"]):
        from importlib.metadata import version

        print(f"flightlog {version('flightlog')}")
        return 0
    return _hand_over(arguments)


def _hand_over(arguments: list[str]) -> int:
    """Let the viewer run the command; by name, because the tracer must not depend on it."""
    is_missing = any(find_spec(module) is None for module in _VIEWER_MODULES)
    name = next(iter(arguments[1:] if arguments[:1] == ["help"] else arguments), "")
    if is_missing and name != "run" and importlib.import_module(_COMMANDS).find(name) is not None:
        raise MissingExtraError(f"`flightlog {name}`", _EXTRAS.get(name, "viewer"))
    run: Callable[[list[str]], int] = importlib.import_module(_VIEWER_APP).main
    status = run(arguments)
    if is_missing and status == 0 and arguments[1:] == []:
        print("\nOnly `run` works as it is installed here; for the others: pip install 'flightlog[viewer]'")
    return status


def _run(arguments: list[str]) -> int:
    options, command = _parse_run(arguments)
    if not command:
        print(_RUN_HELP, end="")
        return 0
    program = shutil.which(command[0])
    if program is None and os.path.dirname(command[0]) and os.path.exists(command[0]):
        return _complain(f"run: {command[0]} cannot be run: it may not be executed", _NOT_RUNNABLE_STATUS)
    if program is None:
        return _complain(f"run: there is no command {command[0]!r}", _NOT_FOUND_STATUS)
    path = options["--out"]
    environment = {**os.environ, **_attached(options)}
    if not _has_flightlog(program):
        print(f"flightlog: {program} has no flightlog, so it will not be recorded: install it there", file=sys.stderr)
    elif sys.stderr.isatty():
        print(f"flightlog: recording to {path}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        if os.name == "posix":
            # In our place, so that its process id, signals and exit status are its own.
            os.execve(program, command, environment)
        import subprocess

        return subprocess.run([program, *command[1:]], env=environment, check=False).returncode
    except OSError as error:
        return _complain(f"run: {command[0]} cannot be run: {error.strerror}", _NOT_RUNNABLE_STATUS)


def _parse_run(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """The options and the command; no command means that help is wanted. Raises UsageError."""
    options = dict(RUN_OPTIONS)
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option == "--":
            break
        if option in ("-h", "--help"):
            return options, []
        if option.startswith("-o") and len(option) > 2:
            name, given, value = "--out", True, option[2:]
        else:
            name, equals, value = option.partition("=")
            name, given = "--out" if name in ("-o", "--output") else name, bool(equals)
        if name not in options:
            raise UsageError(f"run: no option {option}; write `flightlog run -- COMMAND` (`flightlog run --help`)")
        if not given:
            if not rest:
                raise UsageError(f"run: {option} needs a value")
            value = rest.pop(0)
        options[name] = f"{options[name]},{value}" if name == "--always-keep" and options[name] else value
    if not options["--out"]:
        raise UsageError("run: the path of the span file is empty")
    if options["--out"] == "-":
        raise UsageError("run: standard output is COMMAND's own: name a file")
    options["--out"] = os.path.expanduser(options["--out"])  # shells leave --out=~/x as it is
    if os.path.isdir(options["--out"]):
        raise UsageError(f"run: {options['--out']} is a folder: name a file in it")
    if options["--sample"] or options["--always-keep"]:
        from flightlog.sampling import sampling_options

        sampling_options(options["--sample"], options["--always-keep"])
    if not rest:
        raise UsageError("run: no command; write `flightlog run -- python app.py`")
    return options, rest


def _attached(options: dict[str, str]) -> dict[str, str]:
    """The environment that makes a Python process attach the tracer when LangChain is imported."""
    startup = os.path.join(os.path.dirname(os.path.abspath(__file__)), "at_startup")
    inherited = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder != startup]
    kept = os.pathsep.join(inherited)
    environment = {
        "FLIGHTLOG_PATH": os.path.abspath(options["--out"]),
        "PYTHONPATH": startup + (os.pathsep + kept if kept else ""),
    }
    for name, variable in (("--sample", "FLIGHTLOG_SAMPLE"), ("--always-keep", "FLIGHTLOG_ALWAYS_KEEP")):
        if options[name]:
            environment[variable] = options[name]
    return environment


def _has_flightlog(program: str) -> bool:
    """False when the program is a Python, and another one than ours, that cannot import flightlog."""
    here = os.path.dirname(os.path.abspath(sys.executable))
    if not os.path.basename(program).startswith("python") or os.path.dirname(os.path.abspath(program)) == here:
        return True
    import subprocess

    try:
        # Not from the current folder: one that is called flightlog would pass for it.
        code = "import sys; sys.path = [folder for folder in sys.path if folder]; import flightlog"
        tried = subprocess.run([program, "-c", code], capture_output=True, check=False, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return True  # not for us to judge
    return tried.returncode == 0


def _complain(sentence: str, status: int) -> int:
    with contextlib.suppress(OSError):
        print(f"flightlog: {sentence}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
