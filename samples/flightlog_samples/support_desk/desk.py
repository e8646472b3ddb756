"""The desk: tickets in, answers out, with the risky ones through the queue."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.types import Command
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from flightlog import JsonlTracer
from flightlog.errors import UnreadableError
from flightlog_samples.pause import pause_of
from flightlog_samples.support_desk.graph import build_graph
from flightlog_samples.support_desk.review_queue import Answer, OnExpiry, Pool, Question, Reviewer, ReviewQueue
from flightlog_samples.support_desk.risk import priority, skill
from flightlog_samples.support_desk.state import Action, Decision, SupportState, Tier, migrate

log = logging.getLogger(__name__)
HOLDING_REPLY = "We are looking at this and will be back soon."
REVIEWERS = (
    Reviewer("ana", frozenset(("refunds",)), cap=2),
    Reviewer("ben", frozenset(("accounts", "data")), cap=2),
    Reviewer("lea", frozenset(("lead", "refunds", "accounts", "data")), cap=3),
)
_LOCK = 7_205_760
_ACTIONS = """
CREATE TABLE IF NOT EXISTS desk_actions (
    ticket_id text PRIMARY KEY,
    action jsonb NOT NULL,
    runs int NOT NULL DEFAULT 1
)
"""


def open_pool(url: str) -> Pool:
    """A pool that saver and queue share; a context manager. Raises UnreadableError when no server answers."""
    try:
        # A pool would keep trying in the background and tell nobody why.
        psycopg.connect(url, connect_timeout=10).close()
    except psycopg.Error as error:
        raise UnreadableError(f"no PostgreSQL server answers there: {str(error).strip()}") from None
    # As the saver wants its connections; see `persistence.postgres_checkpointer`.
    options: dict[str, Any] = {"autocommit": True, "prepare_threshold": None, "row_factory": dict_row}
    return ConnectionPool(url, min_size=1, max_size=10, open=True, kwargs=options, timeout=30)


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class Desk:
    """Tickets of one database; each is a thread. Every method may be called from any process that has the database."""

    def __init__(
        self,
        pool: Pool,
        tracer: JsonlTracer | None = None,
        *,
        reviewers: Sequence[Reviewer] = REVIEWERS,
        ttl: timedelta = timedelta(hours=24),
        on_expiry: OnExpiry = "escalate",
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._pool = pool
        self._tracer = tracer
        self.saver = PostgresSaver(pool)
        self.saver.setup()
        with pool.connection() as connection:
            connection.execute(_ACTIONS)
        self.reviewers = reviewers
        self.queue = ReviewQueue(pool, reviewers, clock, ttl, on_expiry)
        self.graph = build_graph(self.saver, self._act, self.queue.examples)

    def open(self, ticket_id: str, message: str, tier: Tier = "standard") -> str:
        """Take a ticket in; returns the answer, or a holding reply while it waits. Raises ValueError for a known id."""
        if self.graph.get_state(self._config(ticket_id)).values:
            raise ValueError(f"there is a ticket {ticket_id} already")
        first: SupportState = {"ticket_id": ticket_id, "user_message": message, "customer_tier": tier}
        self.graph.invoke(first, self._config(ticket_id))
        return self._standing(ticket_id)

    def decide(self, ticket_id: str, reviewer: str, decision: Decision, notes: str = "") -> str:
        """A reviewer's answer; returns what the customer gets. Raises one of the QueueErrors."""
        self._apply(self.queue.take(ticket_id, reviewer, decision, notes))
        return self._standing(ticket_id)

    def sweep(self) -> int:
        """Escalate or reject what is overdue; returns the number of rejections. To be called now and then."""
        late = self.queue.expire()
        for answer in late:
            self._apply(answer)
        return len(late)

    def recover(self) -> int:
        """Apply the answers that a desk that died had taken and not applied; returns how many."""
        count = 0
        for answer in self.queue.unapplied():
            try:
                self._apply(answer)
            except Exception:
                log.exception("the answer to ticket %s could not be applied", answer.ticket_id)
            else:
                count += 1
        return count

    def adopt(self, ticket_id: str) -> str:
        """Go on with a ticket that an older desk paused: bring its state up to date and ask again.

        Raises LookupError for an unknown ticket, ValueError for state of a newer desk.
        """
        saved = self.saver.get_tuple(self._config(ticket_id))
        if saved is None:
            raise LookupError(f"there is no ticket {ticket_id}")
        update = migrate(saved.checkpoint["channel_values"])
        if update:
            # As if `plan` had written it: the new risk decides anew whether somebody must be asked.
            self.graph.update_state(self._config(ticket_id), update, as_node="plan")
            self.graph.invoke(None, self._config(ticket_id))
        return self._standing(ticket_id)

    def regret(self, ticket_id: str) -> None:
        """Say that an approved action was a mistake after all; `flightlog approvals --regret-path regret` counts it."""
        self.graph.update_state(self._config(ticket_id), {"regret": True}, as_node="respond")

    def state(self, ticket_id: str) -> SupportState:
        """A ticket's state; empty for an unknown one."""
        values: SupportState = self.graph.get_state(self._config(ticket_id)).values  # type: ignore[assignment]
        return values

    def actions(self) -> dict[str, int]:
        """Every ticket whose action was done, and how often a node tried to."""
        with self._pool.connection() as connection:
            return {r["ticket_id"]: r["runs"] for r in connection.execute("SELECT ticket_id, runs FROM desk_actions")}

    def _apply(self, answer: Answer) -> None:
        config = self._config(answer.ticket_id)
        # Another desk may be at it: the lock ends with that desk's connection, however that ends. A connection of its
        # own, because with one of the pool's the last of them would be waited for by all.
        conninfo = self._pool.conninfo
        with psycopg.connect(conninfo if isinstance(conninfo, str) else conninfo(), autocommit=True) as lock:
            lock.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", (_LOCK, answer.ticket_id))
            snapshot = self.graph.get_state(config)
            if pause_of(snapshot) == answer.pause_id:
                resume = {"decision": answer.decision, "decided_by": answer.decided_by, "notes": answer.notes}
                self.graph.invoke(Command(resume=resume), config)
            elif snapshot.next and not snapshot.interrupts:
                # The desk that died had brought the answer in and got no further.
                self.graph.invoke(None, config)
        self.queue.applied(answer)

    def _standing(self, ticket_id: str) -> str:
        snapshot = self.graph.get_state(self._config(ticket_id))
        if not snapshot.interrupts:
            return str(snapshot.values.get("final_response", ""))
        state = snapshot.values
        question = Question(
            ticket_id=ticket_id,
            pause_id=pause_of(snapshot),
            skill=skill(state["proposed_action"]),
            intent=state["intent"],
            priority=priority(state["risk_score"], state.get("customer_tier", "standard")),
            question=snapshot.interrupts[0].value,
            state=dict(state),
        )
        log.info("ticket %s waits: %s", ticket_id, question.state)
        self.queue.add(question)
        return HOLDING_REPLY

    def _act(self, ticket_id: str, action: Action) -> None:
        with self._pool.connection() as connection:
            connection.execute(
                "INSERT INTO desk_actions (ticket_id, action) VALUES (%s, %s) "
                "ON CONFLICT (ticket_id) DO UPDATE SET runs = desk_actions.runs + 1",
                (ticket_id, Jsonb(action)),
            )

    def _config(self, ticket_id: str) -> RunnableConfig:
        callbacks: list[Any] = [self._tracer] if self._tracer else []
        return {"configurable": {"thread_id": ticket_id}, "callbacks": callbacks}
