"""What answers mean, what they add up to, and what the threshold rules make of them."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flightlog_viewer.approvals.approval import Approval, Moment, at, parse_time
from flightlog_viewer.approvals.calibration import advise
from flightlog_viewer.approvals.decisions import classify, decided_by, notes, risk_score
from flightlog_viewer.approvals.metrics import measure, percentile, risk_bucket

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
        ({"responses": {"a": {"action": "accept", "content": {}}, "b": {"action": "accept"}}}, "approve"),
        ({"responses": {"a": {"action": "accept"}, "b": {"action": "decline"}}}, "reject"),
        ({"decisions": [{"type": "approve"}, {"type": "reject"}]}, "reject"),
        ({"decisions": [{"type": "edit", "edited_action": {"name": "x"}}]}, "edit"), ({"rejected": True}, "reject"),
        ({"denied": False}, "approve"), ([{"type": "approve"}, {"text": "hello"}], "other"),
        ({"managerApproved": True}, "approve"), ({"isApproved": False}, "reject"), ({"boss_approved": "no"}, "reject"),
        ({"notebook": True}, "other"), ({"webhook": "go", "prototype": "no"}, "other"),
        ({"notApproved": True}, "other"),
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
    assert (decided_by({"approved": True, "approvedBy": "bo"}), decided_by("yes"), notes(None)) == ("bo", None, None)


def test_an_answer_nested_without_end_says_nothing() -> None:
    """Answers are data: one that is nested deep is neither walked to its end nor a failure."""
    lists: Any = "yes"
    fields: Any = {"reviewer": "ana", "comment": "c", "risk_score": 0.5}
    for _ in range(5000):
        lists, fields = [lists], {"decisions": [fields], "answer": fields}
    assert (classify(lists), decided_by(lists)) == ("other", None)
    assert (classify(fields), decided_by(fields), notes(fields), risk_score(fields)) == ("other", None, None, None)


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


def test_what_changed_at_a_breakpoint_is_an_edit() -> None:
    """An update that is no verdict is a change of the plan at a breakpoint, and `other` elsewhere."""
    change = {"draft": "shorter"}
    assert approval("a", change, breakpoint=True).decision == "edit"
    assert approval("a", change).decision == "other"
    assert approval("a", {"approved": True}, breakpoint=True).decision == "approve"


def test_groups_by_node_week_and_risk() -> None:
    """Agreement is told by node, by ISO week of the answer, and by risk bucket where there is a score."""
    items = [approval("a", "yes", node="x", risk=0.3), approval("b", "no", 1, node="y", risk=0.95)]
    metrics = measure(items, MONDAY)
    assert [(group.key, group.rate) for group in metrics.by_node] == [("x", 1.0), ("y", 0.0)]
    assert [group.key for group in metrics.by_week] == ["2026-W45", "2026-W46"]
    assert [group.key for group in metrics.by_risk] == ["0.3-0.4", "0.9-1.0"]
    assert risk_bucket(approval("c", "yes", risk=float("nan"))) is None


def test_agreement_by_person() -> None:
    """Who decides otherwise than the others is seen; an answer that names nobody is nobody's."""
    said = [("ana", "yes"), ("ana", "yes"), ("bo", "no"), (None, "yes")]
    items = [approval(str(n), {"decision": word, "decided_by": who}) for n, (who, word) in enumerate(said)]
    assert [(group.key, group.n, group.rate) for group in measure(items, MONDAY).by_person] == [
        ("ana", 2, 1.0),
        ("bo", 1, 0.0),
    ]


@pytest.mark.parametrize(("hours", "slow"), [(3.9, False), (4.1, True)])
def test_a_queue_that_waits_for_people(hours: float, slow: bool) -> None:
    """A 95th percentile of the lag over four hours is slow."""
    items = [approval("a", "yes", answered=at(MONDAY + timedelta(hours=hours)))]
    assert measure(items, MONDAY).exact_lag.slow == slow


def test_weeks_begin_at_midnight_where_people_are() -> None:
    """An answer late on Sunday in UTC is one of the next week in Tokyo."""
    sunday = at(datetime(2026, 11, 22, 20, tzinfo=UTC))
    items = [approval("a", "yes", answered=sunday)]
    zones: list[tzinfo] = [UTC, ZoneInfo("Asia/Tokyo")]
    assert [measure(items, MONDAY, tz=zone).by_week[0].key for zone in zones] == ["2026-W47", "2026-W48"]


def test_the_last_day_there_is_has_a_week_anywhere() -> None:
    """A time that a zone puts beyond the year 9999 is in the week of its own day."""
    last = approval("a", "yes", answered=at(parse_time("9999-12-31T23:30:00Z")))
    assert [group.key for group in measure([last], MONDAY, tz=ZoneInfo("Asia/Tokyo")).by_week] == ["9999-W52"]


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+10:00", "yesterday", "", None, 7])
def test_what_is_no_time_in_utc_is_unknown(text: object) -> None:
    """A database may say any time; one outside all years is none, and not the end of the command."""
    assert parse_time(text) is None


def test_what_waits_and_what_is_late() -> None:
    """Pending questions are counted with their age, and against the time limit when there is one."""
    items = [approval("new", week=1), approval("old"), approval("left", status="abandoned")]
    now = MONDAY + timedelta(weeks=1, hours=1)
    waiting = measure(items, now, timedelta(hours=24)).waiting
    assert (waiting.count, waiting.past_ttl) == (2, 1)
    assert waiting.oldest_ms == timedelta(weeks=1, hours=1).total_seconds() * 1000
    assert measure(items, now).waiting.past_ttl is None
    assert measure(items, now, timedelta(hours=1)).waiting.past_ttl == 1


def test_exact_lags_and_windows_are_kept_apart() -> None:
    """Percentiles of exact lags do not mix with the bounds of windows."""
    window = Moment(MONDAY, MONDAY + timedelta(seconds=10))
    items = [approval("a", "yes"), approval("b", "yes", asked=window, answered=window)]
    metrics = measure(items, MONDAY)
    assert (metrics.exact_lag.n, metrics.exact_lag.p50_ms) == (1, 60_000)
    assert (metrics.window_lag_min.p50_ms, metrics.window_lag_max.p50_ms) == (0, 10_000)


def test_a_lag_lies_between_the_nearest_and_the_farthest_ends() -> None:
    """At least from the last moment of asking to the first of answering, at most from the first to the last."""
    asked = Moment(MONDAY, MONDAY + timedelta(seconds=10))
    answered = Moment(MONDAY + timedelta(seconds=30), MONDAY + timedelta(seconds=60))
    both = approval("a", "yes", asked=asked, answered=answered)
    assert (both.lag_min_ms, both.lag_max_ms, both.exact) == (20_000, 60_000, False)
    assert not approval("a", "yes", answered=answered).exact
    assert approval("a").exact


def test_percentiles_are_interpolated() -> None:
    """Between the two nearest values, as DuckDB's quantile_cont."""
    assert [percentile([10, 0, 30, 20], share) for share in (0, 0.25, 0.5, 1)] == [0, 7.5, 15, 30]
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
        ([item for week in range(5) for item in week_of(10 if week != 2 else 9, 0, week)], None, "raise", 0.5),
        ([item for week in range(4) for item in week_of(23, 2, week)], None, "raise", 0.5),
        (week_of(100, 0, 0), {"0-1", "0-2", "0-3"}, "raise", 0.5),
        (week_of(100, 0, 0), {"0-1", "0-2", "0-3", "0-4"}, "lower", 0.3),
        ([approval(str(index), "yes", breakpoint=True) for index in range(10)], None, "keep", 0.4),
    ],
)
def test_threshold_rules(items: list[Approval], regretted: set[str] | None, action: str, suggested: float) -> None:
    """Above 90 % agreement raise, above 3 % regret lower first of all, four weeks in a row above 95 % automate.

    Weeks of fewer than ten verdicts do not count and break a row; breakpoints have no risk and no verdict.
    """
    advice = advise(items, 0.4, regretted)
    assert (advice.action, advice.suggested) == (action, suggested)


def test_a_threshold_stays_between_0_and_1() -> None:
    """Advice never leads out of the range of risk scores."""
    assert advise(week_of(10, 0, 0), 0.95).suggested == 1.0
    assert advise(week_of(10, 0, 0), 0.05, {"0-1"}).suggested == 0.0


def test_what_is_not_recorded_is_said() -> None:
    """Advice lists what the rules need and nothing records."""
    unknown = " ".join(advise(week_of(10, 0, 0), 0.4).unknown)
    assert "regret" in unknown
    assert "risk score of 10 of 10" in unknown
    assert "4 weeks" in unknown
    assert "the answer of" not in unknown
    lost = [approval("lost", "yes", answer_recorded=False), approval("known", "no")]
    assert "the answer of 1 of 2 answered questions" in advise(lost, 0.4).unknown


def test_times_within_a_window() -> None:
    """A question is not older than its window, nor an answer younger; the lag is as long and as short as they allow."""
    a, b, c, d = (MONDAY + timedelta(seconds=second) for second in (0, 2, 3, 7))
    one = approval("q", "yes", asked=Moment(a, c), answered=Moment(b, d))
    assert (one.asked_at, one.answered_at, one.exact) == (a, d, False)
    assert (one.lag_min_ms, one.lag_max_ms) == (0, 7000)
    apart = approval("q", "yes", asked=Moment(a, b), answered=Moment(c, d))
    assert (apart.lag_min_ms, apart.lag_max_ms) == (1000, 7000)
    half = approval("q", "yes", asked=Moment(None, c), answered=Moment(d, None))
    assert (half.asked_at, half.answered_at) == (c, d)
    assert (half.lag_min_ms, half.lag_max_ms) == (4000, None)
