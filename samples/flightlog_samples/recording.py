"""Where a sample's story goes: one folder with a span file and a checkpoint database.

A folder holds one recording. A new recording replaces the old one, but only in a folder that a recording made: the
marker file says so, and files of anyone else are never touched.
"""

import argparse
import os
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite import SqliteSaver

from flightlog import JsonlTracer
from flightlog.errors import FlightlogError, UsageError

MARKER = ".flightlog-demo"
DEFAULT_OUT = "flightlog-demo"
_STEMS = ("spans", "checkpoints", "report_service", "chat_service", "support_desk")
_SENDING = [f"{whose}_{what}" for whose in ("LANGSMITH", "LANGCHAIN") for what in ("TRACING", "TRACING_V2", "HANDLER")]
"""Variables by which LangChain sends every run to LangSmith."""
_ENDINGS = (".jsonl", ".jsonl.*.open", ".sqlite", ".sqlite-wal", ".sqlite-shm", ".lock")


class Recording:
    """A span file and a SQLite checkpoint database in one folder, open for one story; a context manager."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.tracer = self._stack.enter_context(JsonlTracer(self._out / "spans.jsonl", service="samples"))
        self.checkpointer = sqlite_saver(self._out / "checkpoints.sqlite")
        self._stack.callback(self.checkpointer.conn.close)
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def config(self, thread_id: str) -> RunnableConfig:
        """What to pass to `invoke`: the thread, and the tracer among the callbacks."""
        return {"configurable": {"thread_id": thread_id}, "callbacks": [self.tracer]}


Story = Callable[[Path], None]


def sqlite_saver(path: str | Path) -> SqliteSaver:
    """A checkpointer in a SQLite file, its tables made; close `.conn` when done.

    LangGraph writes checkpoints from worker threads, hence `check_same_thread=False`; the saver locks around each
    statement.
    """
    saver = SqliteSaver(sqlite3.connect(path, timeout=30, check_same_thread=False))
    saver.setup()
    return saver


def prepare(out: Path) -> None:
    """Make `out` ready for a new recording. Raises UsageError when it holds such files of someone else."""
    found = [path for stem in _STEMS for ending in _ENDINGS for path in out.glob(stem + ending)]
    if found and not (out / MARKER).exists():
        raise UsageError(f"{out} holds {found[0].name}, which no demo recorded: choose another folder with --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path in found:
            path.unlink()
        (out / MARKER).touch()
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror}") from error


def run(name: str, story: Story, argv: Sequence[str] | None = None) -> int:
    """The command line of one sample: record its story into `--out`. Exit status 0, or 2 with a sentence."""
    parser = argparse.ArgumentParser(prog=f"python -m flightlog_samples.{name}", description="Record this sample.")
    parser.add_argument("--out", type=Path, default=Path(DEFAULT_OUT), help="folder to record into")
    return record(parser.parse_args(argv).out, [story])


def record(out: Path, stories: Sequence[Story]) -> int:
    """Record stories, one after the other, into a fresh `out`. Exit status 0, or 2 with a sentence on stderr.

    They are recorded here and sent nowhere, whatever the environment says for other programs.
    """
    for name in _SENDING:
        os.environ.pop(name, None)
    try:
        prepare(out)
        for story in stories:
            story(out)
    except (FlightlogError, ImportError) as error:
        return failed(str(error))
    except KeyboardInterrupt:
        return failed("stopped; what was recorded until then is there")
    except Exception as error:
        # A provider may refuse in any way it likes; the scripted model has no excuse.
        if not (model := os.environ.get("FLIGHTLOG_MODEL")):
            if isinstance(error, OSError | sqlite3.OperationalError):
                return failed(f"cannot write to {out}: {error}")
            raise
        first, *_ = str(error).splitlines() or [""]
        return failed(f"with FLIGHTLOG_MODEL={model}: {type(error).__name__}: {first}")
    return 0


def failed(sentence: str) -> int:
    """Say on stderr what went wrong; the exit status for it."""
    print(f"flightlog: {sentence}", file=sys.stderr)
    return 2
