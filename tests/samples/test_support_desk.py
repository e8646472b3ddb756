"""The support desk, on a real Postgres."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from flightlog_samples.support_desk.__main__ import main
from flightlog_samples.support_desk.checkpoint_copy import copy_threads
from flightlog_samples.support_desk.desk import HOLDING_REPLY, Desk, now, open_pool
from flightlog_samples.support_desk.graph import build_graph
from flightlog_samples.support_desk.review_queue import (
    ExpiredError,
    NotWaitingError,
    NotYoursError,
    Pool,
    QueueError,
    Reviewer,
)
from flightlog_samples.support_desk.risk import priority, score, skill
from flightlog_samples.support_desk.state import Action, migrate
from flightlog_samples.support_desk.version_1 import build_graph_1
from flightlog_viewer.cli.app import main as flightlog

ERASE = "Please delete all data about me"
REFUND = "Please refund 900 EUR"
ANYONE = (Reviewer("ana", frozenset(("refunds", "data", "accounts", "lead")), cap=100),)


@pytest.fixture
def pool(postgres_database: str) -> Iterator[Pool]:
    """Connections to a database of the test's own."""
    with open_pool(postgres_database) as pool:
        yield pool


class Clock:
    """A clock whose hands can be moved."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> Any:
        return now() + self.ahead


def test_only_risky_tickets_wait(pool: Pool) -> None:
    """A small refund is settled at once, a large one waits, and its action is done after the approval, once."""
    desk = Desk(pool, reviewers=ANYONE)
    assert "taken care" in desk.open("small", "Please refund 40 EUR")
    assert desk.open("large", REFUND) == HOLDING_REPLY
    assert desk.actions() == {"small": 1}
    assert "taken care" in desk.decide("large", "ana", "approve", "the course was cancelled")
    assert desk.actions() == {"small": 1, "large": 1}
    state = desk.state("large")
    assert (state["decided_by"], state["notes"], state["acted"]) == ("ana", "the course was cancelled", True)
    assert desk.queue.examples("refund") == ["approve: the course was cancelled"]
    with pytest.raises(ValueError, match="already"):
        desk.open("large", REFUND)


@pytest.mark.parametrize(("decision", "reply"), [("reject", "cannot grant"), ("escalate", "takes over")])
def test_without_an_approval_nothing_is_done(pool: Pool, decision: Any, reply: str) -> None:
    """A rejected and an escalated ticket are answered, and not acted on."""
    desk = Desk(pool, reviewers=ANYONE)
    desk.open("t", ERASE)
    assert reply in desk.decide("t", "ana", decision, "")
    assert desk.actions() == {}


def test_the_question_and_the_log_hold_what_a_reviewer_needs(pool: Pool) -> None:
    """The proposed action, the risk and its reason are asked with; the whole state is kept beside the question."""
    desk = Desk(pool, reviewers=ANYONE)
    desk.open("t", ERASE, "business")
    (row,) = desk.queue.open_for("ana")
    assert row["question"]["proposed_action"] == {"name": "delete_data", "amount": 0.0}
    assert row["question"]["risk_score"] == 0.9
    assert row["question"]["rationale"]
    with pool.connection() as connection:
        logged = connection.execute("SELECT state FROM desk_approvals").fetchone()
    assert logged == {"state": dict(desk.state("t"))}


def test_the_queue_routes_by_skill_caps_each_reviewer_and_puts_the_urgent_first(pool: Pool) -> None:
    """Nobody gets more than their cap; what has no place waits, and is dealt out by priority as places come free."""
    reviewers = (Reviewer("ana", frozenset(("refunds",)), cap=2), Reviewer("ben", frozenset(("data",)), cap=1))
    desk = Desk(pool, reviewers=reviewers)
    for ticket, message, tier in (
        ("r1", "Please refund 650 EUR", "standard"),
        ("r2", "Please refund 950 EUR", "standard"),
        ("r3", "Please refund 700 EUR", "standard"),
        ("r4", "Please refund 700 EUR", "business"),
        ("d1", ERASE, "standard"),
    ):
        desk.open(ticket, message, "business" if tier == "business" else "standard")
    assert [row["ticket_id"] for row in desk.queue.open_for("ana")] == ["r2", "r1"]
    assert [row["ticket_id"] for row in desk.queue.open_for("ben")] == ["d1"]
    assert [row["ticket_id"] for row in desk.queue.open_for(None)] == ["r4", "r3"]
    desk.decide("r1", "ana", "approve")
    assert [row["ticket_id"] for row in desk.queue.open_for("ana")] == ["r4", "r2"]
    with pytest.raises(NotYoursError):
        desk.decide("d1", "ana", "approve")
    with pytest.raises(NotYoursError):
        desk.decide("r3", "ana", "approve")


def test_a_question_nobody_answers_goes_to_the_lead_and_then_is_rejected(pool: Pool) -> None:
    """After one time limit the lead has it; after the next it is rejected; an answer in between is refused as late."""
    clock = Clock()
    reviewers = (
        Reviewer("ben", frozenset(("data",)), cap=1),
        Reviewer("lea", frozenset(("lead",)), cap=1),
    )
    desk = Desk(pool, reviewers=reviewers, clock=clock)
    desk.open("t", ERASE)
    clock.ahead = timedelta(hours=24, minutes=1)
    with pytest.raises(ExpiredError):
        desk.decide("t", "ben", "approve")
    assert desk.sweep() == 0
    assert [row["ticket_id"] for row in desk.queue.open_for("lea")] == ["t"]
    clock.ahead = timedelta(hours=49)
    assert desk.sweep() == 1
    assert (desk.state("t")["decision"], desk.state("t")["decided_by"]) == ("reject", "policy:ttl")
    assert desk.actions() == {}
    with pytest.raises(NotWaitingError):
        desk.decide("t", "lea", "approve")


def test_a_desk_may_reject_at_the_first_time_limit(pool: Pool) -> None:
    """With the policy `reject` nobody is asked again."""
    clock = Clock()
    desk = Desk(pool, reviewers=ANYONE, clock=clock, on_expiry="reject", ttl=timedelta(hours=1))
    desk.open("t", ERASE)
    clock.ahead = timedelta(hours=1, seconds=1)
    assert desk.sweep() == 1
    assert desk.state("t")["decided_by"] == "policy:ttl"


def test_of_many_answers_at_once_one_is_taken(pool: Pool) -> None:
    """Twenty approvals of each of five tickets, at once and by two desks: each action is done once."""
    desks = [Desk(pool, reviewers=ANYONE) for _ in range(2)]
    tickets = [f"t{number}" for number in range(5)]
    for ticket in tickets:
        desks[0].open(ticket, ERASE)

    def approve(number: int) -> bool:
        with suppress(QueueError):
            return bool(desks[number % 2].decide(tickets[number % 5], "ana", "approve"))
        return False

    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(approve, range(100))) == 5
    assert desks[0].actions() == dict.fromkeys(tickets, 1)


def test_an_answer_taken_by_a_desk_that_died_is_applied_by_the_next(pool: Pool) -> None:
    """The answer was written down and the graph never had it: the next desk brings it in, once."""
    first = Desk(pool, reviewers=ANYONE)
    first.open("t", ERASE)
    first.queue.take("t", "ana", "approve", "checked")
    second = Desk(pool, reviewers=ANYONE)
    assert second.recover() == 1
    assert second.actions() == {"t": 1}
    assert second.recover() == 0


def test_an_action_repeated_after_a_crash_is_done_once(pool: Pool) -> None:
    """The node dies after its action and runs again: the second run finds the action done."""
    desk = Desk(pool, reviewers=ANYONE)
    desk.open("t", ERASE)
    dying = Desk(pool, reviewers=ANYONE)

    def act_and_die(ticket_id: str, action: Action) -> None:
        desk._act(ticket_id, action)
        raise ConnectionError("the process died here")

    dying.graph = build_graph(dying.saver, act_and_die)
    with pytest.raises(ConnectionError):
        dying.decide("t", "ana", "approve")
    assert desk.recover() == 1
    assert desk.actions() == {"t": 2}
    assert desk.state("t")["acted"] is True


def test_a_ticket_paused_by_the_first_version_goes_on(pool: Pool) -> None:
    """Its state is brought up to date, it is asked about anew with a risk score, and the answer settles it."""
    desk = Desk(pool, reviewers=ANYONE)
    build_graph_1(desk.saver).invoke(
        {"ticket_id": "old", "user_message": ERASE}, {"configurable": {"thread_id": "old"}}
    )
    assert desk.adopt("old") == HOLDING_REPLY
    (row,) = desk.queue.open_for("ana")
    assert (row["question"]["risk_score"], row["question"]["customer_tier"]) == (0.9, "standard")
    assert desk.adopt("old") == HOLDING_REPLY
    assert len(desk.queue.open_for("ana")) == 1
    assert "taken care" in desk.decide("old", "ana", "approve")
    assert desk.state("old")["schema_version"] == 2
    with pytest.raises(LookupError):
        desk.adopt("unknown")


def test_state_is_migrated_from_every_version_and_never_from_a_newer_one() -> None:
    """Version 1 gets the fields it lacks, version 2 nothing, and version 3 is refused."""
    assert migrate({"risk": "low"})["risk_score"] < 0.7 < migrate({"risk": "high"})["risk_score"]
    assert migrate({"schema_version": 2}) == {}
    with pytest.raises(ValueError, match="version 3"):
        migrate({"schema_version": 3})


def test_risk_grows_with_the_money_and_an_unknown_action_is_the_riskiest() -> None:
    """The rules give scores from 0 to 1, with a reason, a skill and a priority."""
    scores = [score({"name": "refund", "amount": amount})[0] for amount in (0, 40, 900, 5000)]
    assert scores == sorted(scores)
    assert score({"name": "launch", "amount": 0}) == (1.0, "launch starts at 1.00")
    assert skill({"name": "launch", "amount": 0}) == "lead"
    assert priority(0.8, "business") > priority(0.9, "standard")


def test_the_threshold_moves_who_is_asked() -> None:
    """With the lower threshold of a new desk a ticket waits that the usual one settles."""
    message = "Please refund 200 EUR"
    for threshold, waits in ((0.4, True), (0.7, False)):
        graph = build_graph(InMemorySaver(), lambda ticket, action: None, threshold=threshold)
        state = graph.invoke({"ticket_id": "t", "user_message": message}, {"configurable": {"thread_id": "t"}})
        assert ("__interrupt__" in state) == waits


def test_a_server_that_does_not_answer_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong URL exits with status 2, and its password is not printed."""
    url = "postgresql://someone:hunter2@127.0.0.1:1/none"
    assert main(["--out", str(tmp_path / "out"), "--postgres", url]) == 2
    said = capsys.readouterr().err
    assert "no PostgreSQL server" in said
    assert "hunter2" not in said


def test_without_the_wheel_the_sample_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No embedded server and no URL exits with status 2 and names the extra and the option."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "flightlog[samples]" in said
    assert "--postgres" in said


def test_the_server_tells_who_decided_when(
    postgres_database: str, pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    """`flightlog approvals` reads question, risk, reviewer, notes and exact lag from the server itself."""
    desk = Desk(pool, reviewers=ANYONE)
    desk.open("t", ERASE)
    desk.decide("t", "ana", "reject", "there is an open invoice")
    assert flightlog(["approvals", "--checkpoints", postgres_database, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["approvals"]
    assert (row["decision"], row["decided_by"], row["notes"]) == ("reject", "ana", "there is an open invoice")
    assert row["risk_score"] == row["question"]["risk_score"] == 0.9
    assert row["exact"]


def test_copied_threads_read_as_they_did_on_the_server(
    postgres_database: str, pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`flightlog replay` says the same of the copy as of the original."""
    desk = Desk(pool, reviewers=ANYONE)
    desk.open("t", ERASE)
    desk.decide("t", "ana", "approve", "checked")
    desk.regret("t")
    copy = tmp_path / "copy.sqlite"
    copy_threads(desk.saver, pool, ["t"], copy)
    said = []
    for database in (postgres_database, str(copy)):
        assert flightlog(["replay", "t", "--checkpoints", database, "--json"]) == 0
        said.append(json.loads(capsys.readouterr().out))
    assert len(said[0]["steps"]) == 7
    assert said[0] == said[1]
