"""Reading while an application writes at full speed."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver

from flightlog_viewer.checkpoints import open_source
from flightlog_viewer.cli.app import main
from tests.viewer.checkpoints.graphs import payments, thread

pytestmark = pytest.mark.uncounted

WRITER = """
import sys, threading, time
from langgraph.checkpoint.sqlite import SqliteSaver
from tests.viewer.checkpoints.graphs import payments, thread
slowest = 0.0
with SqliteSaver.from_conn_string(sys.argv[1]) as saver:
    graph = payments().compile(checkpointer=saver)
    read_on = threading.Thread(target=sys.stdin.read, daemon=True)  # until whoever reads has enough
    read_on.start()
    number = 0
    while number < int(sys.argv[2]) or read_on.is_alive():
        started = time.monotonic()
        graph.invoke({"amount": number, "outcome": {"text": "x" * 4000}}, thread(f"t{number % 3}"))
        slowest = max(slowest, time.monotonic() - started)
        number += 1
        print(number, flush=True)
print("slowest", slowest, flush=True)
"""
STEPS = 4
"""Checkpoints of one invocation."""


def watch(path: Path, seconds: float, capsys: pytest.CaptureFixture[str]) -> None:
    """Read in a loop, once at least, while a process of its own writes."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", WRITER, str(path), "0"]
    done, slowest, end = 0, 0.0, time.monotonic() + seconds
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stderr is not None
        for text in writer.stdout:
            if text.startswith("slowest"):
                slowest = float(text.split()[1])
                continue
            done = int(text)
            if done % 8 or writer.stdin.closed:
                continue
            assert main(["threads", "--checkpoints", str(path), "--json"]) == 0
            listed = json.loads(capsys.readouterr().out)
            assert sum(thread["checkpoints"] for thread in listed) >= done * STEPS
            assert main(["replay", "t0", "--checkpoints", str(path), "--json"]) == 0
            steps = json.loads(capsys.readouterr().out)["steps"]
            assert len(steps) >= (done + 2) // 3 * STEPS
            if time.monotonic() > end:
                writer.stdin.close()
        assert writer.wait(30) == 0, writer.stderr.read()
    assert slowest < 4, "the writer waited for a reader"  # SQLite's own limit is 5 s; a blocked writer reaches it
    with open_source(path) as source:
        assert sum(thread.checkpoints for thread in source.threads()) == done * STEPS


def test_a_writer_at_full_speed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`threads` and `replay` never fail, see every finished step, and never hold the writer up."""
    watch(tmp_path / "x.sqlite", 0.6, capsys)


@pytest.mark.soak
def test_a_writer_at_full_speed_for_long(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same for a minute."""
    watch(tmp_path / "x.sqlite", 60, capsys)


@pytest.mark.slow
def test_a_slow_reader_does_not_pin_the_log(tmp_path: Path) -> None:
    """A reader that stops in the middle of a history holds no transaction: the writer's log stays short."""
    path = tmp_path / "x.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph = payments().compile(checkpointer=saver)
        for number in range(30):
            graph.invoke({"amount": number, "outcome": {"text": "x" * 4000}}, thread("t0"))
    with open_source(path) as source:
        steps = source.history("t0").steps
        next(steps)
        subprocess.run(
            [sys.executable, "-c", WRITER, str(path), "100"], check=True, capture_output=True, stdin=subprocess.DEVNULL
        )
        log = path.with_name("x.sqlite-wal")
        assert log.stat().st_size < 8 * 1024 * 1024
        assert next(steps) is not None
