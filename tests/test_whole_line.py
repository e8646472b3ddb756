"""The whole line: record a real LangGraph run, summarise it, look at its threads, as a user does in a shell."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from flightlog_viewer import open_store

pytestmark = pytest.mark.uncounted


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `flightlog demo` ran without a terminal."""
    folder = tmp_path_factory.mktemp("demo")
    done = flightlog(folder, "demo", "--no-view", "--out", "flightlog-demo")
    assert "40 spans in 11 traces" in done.stdout
    assert not done.stderr
    return folder


def flightlog(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in a folder; it must succeed."""
    environment = {name: value for name, value in os.environ.items() if name != "FLIGHTLOG_MODEL"}
    done = subprocess.run(
        [sys.executable, "-m", "flightlog", *arguments],
        cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def asked_json(folder: Path, *arguments: str) -> Any:
    """What a command prints as JSON."""
    return json.loads(flightlog(folder, *arguments, "--json").stdout)


def test_the_summary_has_the_tokens_that_the_models_reported(demo: Path) -> None:
    """Tokens are those in the models' own messages, and no span of the pending approval is an error."""
    found = asked_json(demo, "summary", "flightlog-demo/spans.jsonl")
    with open_store(demo / "flightlog-demo" / "spans.jsonl") as store:
        reported = store.sql(
            """SELECT sum((output->'usage_metadata'->>'input_tokens')::BIGINT)::BIGINT,
                   sum((output->'usage_metadata'->>'output_tokens')::BIGINT)::BIGINT
               FROM llm_calls"""
        ).fetchall()
        pending = store.sql(
            "SELECT DISTINCT status FROM spans WHERE thread_id = 'approval-pending' ORDER BY ALL"
        ).fetchall()
    assert reported == [(found["input_tokens"], found["output_tokens"])]
    assert found["input_tokens"] > 0
    assert found["errors"] == found["rejects"] == 0
    assert pending == [("interrupted",)]


def test_the_pending_thread_shows_its_question(demo: Path) -> None:
    """`threads` says that the thread is interrupted, at which node, and what it asks."""
    threads = asked_json(demo, "threads", "--checkpoints", "flightlog-demo/checkpoints.sqlite")
    (pending,) = [thread for thread in threads if thread["thread_id"] == "approval-pending"]
    assert (pending["status"], pending["inferred"]) == ("interrupted", False)
    (question,) = pending["pending"]
    assert question["node"] == "gate"
    assert question["value"] == {"approve_action": "pay 12,000 EUR to a new supplier"}
    assert {"checkpoints", "steps", "updated_at"} <= pending.keys()


def test_no_terminal_no_viewer(demo: Path) -> None:
    """`view` in a pipe is the summary."""
    shown = flightlog(demo, "view", "flightlog-demo", "--checkpoints", "flightlog-demo/checkpoints.sqlite").stdout
    assert "40 spans in 11 traces" in shown
    assert "\x1b" not in shown


def test_ctrl_c_stops_the_demo_without_a_traceback(tmp_path: Path) -> None:
    """The recording process ends with it, and stderr has one line."""
    command = [sys.executable, "-m", "flightlog", "demo", "--no-view"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        children = psutil.Process(process.pid).children
        while not children():
            time.sleep(0.01)
        (recording,) = children()
        os.killpg(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=60)
        assert told == "flightlog: stopped\n"
        assert process.returncode == 130
        assert not recording.is_running()
