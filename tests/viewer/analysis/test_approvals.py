"""What answers mean, what they add up to, and what the threshold rules make of them."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flightlog_viewer.analysis.approval_metrics import measure, percentile, risk_bucket
from flightlog_viewer.analysis.approvals import Approval, Moment, at
from flightlog_viewer.analysis.calibration import advise
from flightlog_viewer.analysis.decisions import classify, decided_by, notes, risk_score
from flightlog_viewer.analysis.thread_status import refine

MONDAY = datetime(2026, 11, 2, 12, tzinfo=UTC)


def approval(name: str, answer: Any = None, week: int = 0, **fields: Any) -> Approval:
    asked = MONDAY + timedelta(weeks=week)
    given = {
        "interrupt_id": name,
        "thread_id": "t",
        "node": "review",
        "checkpoint_ns": "",
        "checkpoint_id": None,
        "question": None,
        "question_recorded": True,
        "status": "pending" if answer is None else "answered",
        "asked": at(asked),
        "answered": Moment() if answer is None else at(asked + timedelta(minutes=1)),
        "answer": answer,
        "answer_recorded": answer is not None,
        **fields,
    }
    return Approval(**given)


def week_of(yes: int, no: int, week: int) -> list[Approval]:
    answers = ["yes"] * yes + ["no"] * no
    return [approval(f"{week}-{index}", answer, week) for index, answer in enumerate(answers)]


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        (True, "approve"), (False, "reject"), ("Yes!", "approve"), ("ok", "approve"), ("approved: go on", "approve"),
        ("no", "reject"), ("Reject.", "reject"), ("edit", "edit"), ("maybe", "other"), ("no way to tell", "other"),
        ({"approved": True}, "approve"), ({"approved": False, "reason": "late"}, "reject"),
        ({"approved": True, "edits": {"amount": 3}}, "edit"), ({"human_approved": "yes"}, "approve"),
        ({"decision": "reject"}, "reject"), ({"action": "approve"}, "approve"), ({"type": "accept"}, "approve"),
        ([{"type": "accept", "args": None}], "approve"),
        ({"decisions": [{"type": "approve"}, {"type": "reject"}]}, "reject"),
        ({"decisions": [{"type": "edit", "edited_action": {"name": "x"}}]}, "edit"), ({"rejected": True}, "reject"),
        ({"text": "hello"}, "other"), (None, "other"), (7, "other"), ([], "other"), ({}, "other"),
    ],
)  # fmt: skip
def test_classes_of_answers(answer: Any, decision: str) -> None:
    """The usual words and fields tell a decision; anything else is `other`."""
    assert classify(answer) == decision


def test_who_and_why() -> None:
    """The decider and the notes are taken where the answer names them, in lists of decisions too."""
    answer = {"approved": True, "reviewer": "ana", "comment": "fine"}
    assert (decided_by(answer), notes(answer)) == ("ana", "fine")
    assert notes({"decisions": [{"type": "reject", "message": "too much"}]}) == "too much"
    assert (decided_by("yes"), notes(None)) == (None, None)


def test_risk_is_found_in_question_or_state() -> None:
    """The risk score of the question counts before that of the state; booleans are no scores."""
    assert risk_score({"action": {"risk_score": 0.7}}, {"risk_score": 0.1}) == 0.7
    assert risk_score("q", {"risk_score": 1}) == 1.0
    assert risk_score({"risk_score": True}, None) is None


def test_agreement_shows_its_n() -> None:
    """Agreement is approvals over verdicts; other answers and lost answers are counted beside it."""
    items = [*week_of(3, 1, 0), approval("o", "hm"), approval("l", None, status="answered")]
    overall = measure(items, MONDAY).overall
    assert (overall.rate, overall.n, overall.other, overall.unrecorded) == (0.75, 4, 1, 1)


def test_groups_by_node_week_and_risk() -> None:
    """Agreement is told by node, by ISO week of the answer, and by risk bucket where there is a score."""
    items = [approval("a", "yes", node="x", risk=0.3), approval("b", "no", 1, node="y", risk=0.95)]
    metrics = measure(items, MONDAY)
    assert [(group.key, group.rate) for group in metrics.by_node] == [("x", 1.0), ("y", 0.0)]
    assert [group.key for group in metrics.by_week] == ["2026-W45", "2026-W46"]
    assert [group.key for group in metrics.by_risk] == ["0.3-0.4", "0.9-1.0"]
    assert risk_bucket(approval("c", "yes", risk=float("nan"))) is None


def test_weeks_begin_at_midnight_where_people_are() -> None:
    """An answer late on Sunday in UTC is one of the next week in Tokyo."""
    sunday = at(datetime(2026, 11, 22, 20, tzinfo=UTC))
    items = [approval("a", "yes", answered=sunday)]
    zones: list[tzinfo] = [UTC, ZoneInfo("Asia/Tokyo")]
    assert [measure(items, MONDAY, tz=zone).by_week[0].key for zone in zones] == ["2026-W47", "2026-W48"]


def test_what_waits_and_what_is_late() -> None:
    """Pending questions are counted with their age, and against the time limit when there is one."""
    items = [approval("new", week=1), approval("old")]
    now = MONDAY + timedelta(weeks=1, hours=1)
    waiting = measure(items, now, timedelta(hours=24)).waiting
    assert (waiting.count, waiting.past_ttl) == (2, 1)
    assert waiting.oldest_ms == timedelta(weeks=1, hours=1).total_seconds() * 1000
    assert measure(items, now).waiting.past_ttl is None


def test_exact_lags_and_windows_are_kept_apart() -> None:
    """Percentiles of exact lags do not mix with the bounds of windows."""
    window = Moment(MONDAY, MONDAY + timedelta(seconds=10))
    items = [approval("a", "yes"), approval("b", "yes", asked=window, answered=window)]
    metrics = measure(items, MONDAY)
    assert (metrics.exact_lag.n, metrics.exact_lag.p50_ms) == (1, 60_000)
    assert (metrics.window_lag_min.p50_ms, metrics.window_lag_max.p50_ms) == (0, 10_000)
    assert percentile([1, 2, 3, 4], 0.5) == 2.5
    assert percentile([], 0.5) is None


@pytest.mark.parametrize(
    ("items", "regretted", "action", "suggested"),
    [
        (week_of(10, 0, 0), None, "raise", 0.5),
        (week_of(18, 2, 0), None, "keep", 0.4),
        (week_of(5, 0, 0), None, "keep", 0.4),
        (week_of(10, 0, 0), {"0-1"}, "lower", 0.3),
        ([item for week in range(4) for item in week_of(10, 0, week)], None, "automate", 0.5),
        ([item for week in (0, 1, 2, 4) for item in week_of(10, 0, week)], None, "automate", 0.5),
        ([item for week in range(4) for item in week_of(10, 0 if week != 2 else 9, week)], None, "raise", 0.5),
    ],
)
def test_threshold_rules(items: list[Approval], regretted: set[str] | None, action: str, suggested: float) -> None:
    """Above 90 % agreement raise, above 3 % regret lower first of all, four good weeks in a row automate."""
    advice = advise(items, 0.4, regretted)
    assert (advice.action, advice.suggested) == (action, suggested)


def test_what_is_not_recorded_is_said() -> None:
    """Advice lists what the rules need and nothing records."""
    unknown = " ".join(advise(week_of(10, 0, 0), 0.4).unknown)
    assert "regret" in unknown
    assert "risk score of 10 of 10" in unknown
    assert "4 weeks" in unknown


@pytest.mark.parametrize(
    ("status", "newest", "breakpoints", "refined"),
    [
        ("paused_or_running", "running", (), ("running", False)),
        ("paused_or_running", "unfinished", (), ("crashed", False)),
        ("paused_or_running", "ok", (), ("interrupted", True)),
        ("paused_or_running", None, ("pay",), ("interrupted", True)),
        ("paused_or_running", "error", (), ("paused_or_running", False)),
        ("finished", "running", ("pay",), ("finished", False)),
    ],
)
def test_spans_refine_a_status(
    status: str, newest: str | None, breakpoints: tuple[str, ...], refined: tuple[str, bool]
) -> None:
    """Only `paused_or_running` is refined: by the newest run, or by a breakpoint that the user names."""
    assert refine(status, ["pay"], newest, breakpoints) == refined
