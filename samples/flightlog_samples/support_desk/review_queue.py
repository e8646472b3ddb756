"""The queue of open questions: who is to answer which, until when, and that each is answered once.

Every change is one statement or one transaction, so that several desks may share the queue.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from flightlog_samples.support_desk.state import Decision

Pool = ConnectionPool[Connection[DictRow]]
OnExpiry = Literal["escalate", "reject"]
LEAD = "lead"
_LOCK = 7_205_759
_TABLES = """
CREATE TABLE IF NOT EXISTS desk_approvals (
    ticket_id text NOT NULL,
    pause_id text NOT NULL,
    skill text NOT NULL,
    intent text NOT NULL,
    priority double precision NOT NULL,
    question jsonb NOT NULL,
    state jsonb NOT NULL,
    asked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    escalations int NOT NULL DEFAULT 0,
    reviewer text,
    decision text,
    decided_by text,
    notes text,
    decided_at timestamptz,
    applied boolean NOT NULL DEFAULT false,
    PRIMARY KEY (ticket_id, pause_id)
)
"""


class QueueError(Exception):
    """An answer that cannot be taken.

    QueueError
    ├── NotWaitingError   the ticket asks nothing, or has its answer
    ├── NotYoursError     it was given to someone else
    └── ExpiredError      the time to answer is over
    """


class NotWaitingError(QueueError):
    """The ticket asks nothing, or has its answer."""


class NotYoursError(QueueError):
    """The question was given to someone else."""


class ExpiredError(QueueError):
    """The time to answer is over."""


@dataclass(frozen=True)
class Reviewer:
    """A person, what they can judge, and how many questions they get at a time. The skill `lead` can judge all."""

    name: str
    skills: frozenset[str]
    cap: int


@dataclass(frozen=True)
class Question:
    """One open question of a ticket."""

    ticket_id: str
    pause_id: str
    skill: str
    intent: str
    priority: float
    question: dict[str, Any]
    state: dict[str, Any]
    """The ticket's whole state when it asked, kept beside the question for the day someone wonders."""


@dataclass(frozen=True)
class Answer:
    """What somebody, or the time limit, decided."""

    ticket_id: str
    pause_id: str
    decision: Decision
    decided_by: str
    notes: str


class ReviewQueue:
    """Questions in Postgres; safe for many threads and processes."""

    def __init__(
        self,
        pool: Pool,
        reviewers: Sequence[Reviewer],
        clock: Callable[[], datetime],
        ttl: timedelta = timedelta(hours=24),
        on_expiry: OnExpiry = "escalate",
    ) -> None:
        """After `ttl` a question goes to the lead once (`escalate`) or is rejected (`reject`, and the second time)."""
        self._pool = pool
        self._reviewers = reviewers
        self._clock = clock
        self._ttl = ttl
        self._on_expiry = on_expiry
        with pool.connection() as connection:
            connection.execute(_TABLES)

    def add(self, question: Question) -> None:
        """Put a question into the queue and deal the queue out; adding one twice is adding it once."""
        now = self._clock()
        with self._pool.connection() as connection:
            connection.execute(
                "INSERT INTO desk_approvals (ticket_id, pause_id, skill, intent, priority, question, state, asked_at, "
                "expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (
                    question.ticket_id,
                    question.pause_id,
                    question.skill,
                    question.intent,
                    question.priority,
                    Jsonb(question.question),
                    Jsonb(question.state),
                    now,
                    now + self._ttl,
                ),
            )
        self.deal()

    def deal(self) -> None:
        """Give unassigned questions, the most urgent first, to the least busy reviewer who can judge and has room."""
        with self._pool.connection() as connection, connection.transaction():
            # One dealer at a time, or two of them would both see the same free place.
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            load = {reviewer.name: 0 for reviewer in self._reviewers}
            for row in connection.execute(
                "SELECT reviewer, count(*) AS n FROM desk_approvals "
                "WHERE decision IS NULL AND reviewer IS NOT NULL GROUP BY reviewer"
            ):
                load[row["reviewer"]] = row["n"]
            waiting = connection.execute(
                "SELECT ticket_id, pause_id, skill, escalations FROM desk_approvals "
                "WHERE decision IS NULL AND reviewer IS NULL ORDER BY priority DESC, asked_at, ticket_id"
            ).fetchall()
            for row in waiting:
                skill = LEAD if row["escalations"] else row["skill"]
                able = [r for r in self._reviewers if skill in r.skills and load[r.name] < r.cap]
                if not able:
                    continue
                chosen = min(able, key=lambda r: (load[r.name], r.name))
                load[chosen.name] += 1
                connection.execute(
                    "UPDATE desk_approvals SET reviewer = %s WHERE ticket_id = %s AND pause_id = %s",
                    (chosen.name, row["ticket_id"], row["pause_id"]),
                )

    def open_for(self, reviewer: str | None) -> list[dict[str, Any]]:
        """A reviewer's open questions, the most urgent first; of None: the ones nobody has room for yet."""
        with self._pool.connection() as connection:
            return connection.execute(
                "SELECT ticket_id, priority, question, asked_at, expires_at, escalations FROM desk_approvals "
                "WHERE decision IS NULL AND reviewer IS NOT DISTINCT FROM %s ORDER BY priority DESC, asked_at",
                (reviewer,),
            ).fetchall()

    def take(self, ticket_id: str, reviewer: str, decision: Decision, notes: str) -> Answer:
        """Write a reviewer's answer down, once. Raises one of the QueueErrors."""
        with self._pool.connection() as connection:
            row = connection.execute(
                "UPDATE desk_approvals SET decision = %(decision)s, decided_by = %(who)s, notes = %(notes)s, "
                "decided_at = %(now)s WHERE ticket_id = %(ticket)s AND decision IS NULL AND reviewer = %(who)s "
                "AND expires_at > %(now)s RETURNING pause_id",
                {"decision": decision, "who": reviewer, "notes": notes, "now": self._clock(), "ticket": ticket_id},
            ).fetchone()
            if row is not None:
                return Answer(ticket_id, row["pause_id"], decision, reviewer, notes)
            row = connection.execute(
                "SELECT reviewer FROM desk_approvals WHERE ticket_id = %s AND decision IS NULL", (ticket_id,)
            ).fetchone()
        if row is None:
            raise NotWaitingError(f"ticket {ticket_id} waits for no answer")
        if row["reviewer"] != reviewer:
            raise NotYoursError(f"ticket {ticket_id} is with {row['reviewer'] or 'nobody yet'}, not with {reviewer}")
        raise ExpiredError(f"the time to answer ticket {ticket_id} is over")

    def expire(self) -> list[Answer]:
        """Escalate what is overdue for the first time, and reject the rest; returns the rejections."""
        now = self._clock()
        with self._pool.connection() as connection, connection.transaction():
            if self._on_expiry == "escalate":
                connection.execute(
                    "UPDATE desk_approvals SET escalations = 1, reviewer = NULL, expires_at = %s "
                    "WHERE decision IS NULL AND expires_at <= %s AND escalations = 0",
                    (now + self._ttl, now),
                )
            rows = connection.execute(
                "UPDATE desk_approvals SET decision = 'reject', decided_by = 'policy:ttl', notes = %s, "
                "decided_at = %s WHERE decision IS NULL AND expires_at <= %s RETURNING ticket_id, pause_id, notes",
                ("nobody answered in time", now, now),
            ).fetchall()
        self.deal()
        return [Answer(r["ticket_id"], r["pause_id"], "reject", "policy:ttl", r["notes"]) for r in rows]

    def applied(self, answer: Answer) -> None:
        """The graph has the answer and ran on."""
        with self._pool.connection() as connection:
            connection.execute(
                "UPDATE desk_approvals SET applied = true WHERE ticket_id = %s AND pause_id = %s",
                (answer.ticket_id, answer.pause_id),
            )
        self.deal()

    def unapplied(self) -> list[Answer]:
        """Answers that a desk that died had taken and not applied."""
        with self._pool.connection() as connection:
            rows = connection.execute(
                "SELECT ticket_id, pause_id, decision, decided_by, notes FROM desk_approvals "
                "WHERE decision IS NOT NULL AND NOT applied ORDER BY decided_at"
            ).fetchall()
        return [Answer(**row) for row in rows]

    def examples(self, intent: str) -> list[str]:
        """The newest decisions about an intent with the reviewers' words, for the planner to learn from."""
        with self._pool.connection() as connection:
            rows = connection.execute(
                "SELECT decision, notes FROM desk_approvals WHERE decision IS NOT NULL AND notes <> '' AND intent = %s "
                "ORDER BY decided_at DESC LIMIT 3",
                (intent,),
            ).fetchall()
        return [f"{row['decision']}: {row['notes']}" for row in rows]
