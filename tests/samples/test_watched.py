"""The recordings, watched with the commands: doctor finds nothing wrong, approvals finds everything that was asked."""

import contextlib
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from flightlog import read_spans
from flightlog_samples.catalogue import SAMPLES
from flightlog_viewer.cli.app import main

PAGES = Path(__file__).parents[2] / "docs" / "samples"
ASKED = [
    ("approval-pending", None),
    ("approval-approved", "approve"),
    ("approval-rejected", "reject"),
    ("tracing-approval", "approve"),
    ("tool-review", "edit"),
    ("payment-large", "approve"),
    ("payment-too-large", "reject"),
    ("task-edited", "edit"),
    ("task-edited", "edit"),
    ("task-approved", "approve"),
    ("task-rejected", "reject"),
    ("chat-clarified", "other"),
    ("ticket-large", "approve"),
    ("ticket-twice", "approve"),
    ("ticket-merge", "approve"),
    ("ticket-erase", "reject"),
    ("ticket-later", "other"),
    ("ticket-old", None),
    ("ticket-old", None),
    ("Model Context Protocol (MCP)", "reject"),
    ("Model Context Protocol (MCP)", "approve"),
    ("Agent2Agent Protocol (A2A)", None),
]
"""Thread, or theme of a report, and decision, of every question asked with `interrupt()`; None is unanswered.

A broken edit is asked about again, and so is a ticket that another version of the desk takes over."""


@pytest.fixture(scope="module")
def approvals(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What `flightlog approvals` says about the recording."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        said = _printed(recorded)
    rows: list[dict[str, Any]] = json.loads(said)["approvals"]
    return rows


def _printed(recorded: Path) -> str:
    out = io.StringIO()
    databases = [option for path in sorted(recorded.glob("*.sqlite")) for option in ("--checkpoints", str(path))]
    with contextlib.redirect_stdout(out):
        assert main(["approvals", str(recorded), *databases, "--json", "--no-cache"]) == 0
    return out.getvalue()


def subject(row: dict[str, Any]) -> str:
    """The thread of a question, or the theme where the thread's id says nothing."""
    question = row["question"]
    return str(question["theme"] if isinstance(question, dict) and "theme" in question else row["thread_id"])


def test_doctor_finds_nothing_wrong(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every span of every sample is whole."""
    assert main(["doctor", str(recorded)]) == 0
    assert "nothing wrong" in capsys.readouterr().out


def test_every_question_is_among_the_approvals(approvals: list[dict[str, Any]]) -> None:
    """Each `interrupt()` with its decision, once."""
    asked = [(subject(row), row["decision"]) for row in approvals if not row["breakpoint"]]
    assert Counter(asked) == Counter(ASKED)


def test_every_breakpoint_is_among_the_approvals_as_inferred(recorded: Path, approvals: list[dict[str, Any]]) -> None:
    """Each run that stopped without a question, once, with who decided from the metadata of the run that went on."""
    stops = [
        str(span.checkpoint_id)
        for file in recorded.glob("*.jsonl")
        for span in read_spans(file)
        if span.parent_run_id is None and span.status == "interrupted" and not span.interrupts
    ]
    inferred = [row for row in approvals if row["inferred"]]
    assert sorted(row["checkpoint_id"] for row in inferred) == sorted(stops)
    assert {row["thread_id"] for row in inferred if row["status"] == "pending"} == {
        "breakpoint-before-waiting",
        "chat-waiting",
    }
    assert all(row["exact"] and row["node"] in ("execute", "tools") for row in inferred)
    decided = {(row["thread_id"], row["decision"], row["decided_by"], row["notes"]) for row in inferred}
    assert decided >= {
        ("breakpoint-before-approved", "approve", "ana", None),
        ("breakpoint-after-declined", "reject", "ana", "not during the release"),
        ("chat-email", "approve", "ana", None),
        ("chat-rejected", "reject", "ben", "not before it is announced"),
        ("chat-modified", "edit", "ana", None),
        ("chat-redirected", "edit", "ben", "Just say hello"),
        ("chat-clarified", "approve", "policy:clarification", None),
    }


def test_nothing_else_is_among_the_approvals(approvals: list[dict[str, Any]]) -> None:
    """Going back in time, settling a small ticket and plain runs are no approvals."""
    threads = {row["thread_id"] for row in approvals}
    assert not threads & {"time-travel", "ticket-small", "payment-small", "react-agent", "chat-hello", "chat-blocked"}


def test_lags_are_those_of_the_spans(recorded: Path, approvals: list[dict[str, Any]]) -> None:
    """The time between the end of what asked and the start of the run that was answered, exactly."""
    spans = sorted((s for file in recorded.glob("*.jsonl") for s in read_spans(file)), key=lambda span: span.start_ns)
    roots = [span for span in spans if span.parent_run_id is None]
    answered = [row for row in approvals if row["status"] == "answered" and not row["breakpoint"]]
    assert len(answered) >= 17
    for row in answered:
        if row["thread_id"] == "ticket-old":
            continue
        asked = [span for span in spans if row["interrupt_id"] in [i.get("id") for i in span.interrupts or []]]
        runs = [run for run in roots if run.thread_id == row["thread_id"]]
        answer = runs[1 + next(i for i, run in enumerate(runs) if run.run_id in [span.run_id for span in asked])]
        # The node that asks ends, and its graph after it: one of them is what was asked at.
        waits = [(answer.start_ns - (span.end_ns or 0)) / 1e6 for span in asked]
        assert row["exact"]
        assert row["lag_min_ms"] == row["lag_max_ms"]
        assert any(row["lag_min_ms"] == pytest.approx(wait, abs=0.002) for wait in waits)


def test_reviewers_and_their_notes_are_known(approvals: list[dict[str, Any]]) -> None:
    """Where the answer names who decided and why, so does the approval."""
    by_thread = {row["thread_id"]: row for row in approvals}
    assert (by_thread["ticket-erase"]["decided_by"], by_thread["ticket-erase"]["notes"]) == (
        "ben",
        "there is an open invoice",
    )
    assert by_thread["ticket-merge"]["risk_score"] == 0.75
    assert by_thread["task-approved"]["decided_by"] == "ben"


@pytest.mark.uncounted
@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_every_command_of_a_page_runs(
    page: Path, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a page asks of the recording is answered; its first command is what made it."""
    (tmp_path / "flightlog-demo").symlink_to(recorded)
    monkeypatch.chdir(tmp_path)
    first, *others = [line for line in page.read_text().splitlines() if line.startswith("flightlog ")]
    assert first == f"flightlog demo {page.stem}"
    for line in others:
        assert main(line.split()[1:]) == 0, line


@pytest.mark.parametrize("name", [sample.name for sample in SAMPLES])
def test_every_sample_has_its_page_with_a_picture(name: str) -> None:
    """The page shows a picture that fetches nothing."""
    assert f"({name}.svg)" in (PAGES / f"{name}.md").read_text()
    picture = (PAGES / f"{name}.svg").read_text()
    assert "@font-face" not in picture
    assert "https:" not in picture
    assert f"samples/{name}.md" in (PAGES.parent / "agents.md").read_text()
