"""What the service can do, without HTTP: start a report, answer its question, list and read."""

import logging
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, StateSnapshot

from flightlog import JsonlTracer
from flightlog_samples.decision_log import Decision, DecisionLog
from flightlog_samples.pause import failed, pause_of, paused_since
from flightlog_samples.recording import sqlite_saver
from flightlog_samples.report_service import errors
from flightlog_samples.report_service.graph import Review, build_graph

log = logging.getLogger(__name__)
Status = Literal["interrupted", "finished", "expired", "failed", "running"]


@dataclass(frozen=True)
class Entry:
    """A line of the list."""

    thread_id: str
    theme: str
    status: Status


class Reports:
    """The reports of one database. Its one connection lives as long as this object; safe for many threads."""

    def __init__(self, database: Path, tracer: JsonlTracer | None = None, ttl_s: float | None = None) -> None:
        """`ttl_s`: seconds after which an open question is too old; None means never."""
        self._saver = sqlite_saver(database)
        # The same connection, under the saver's own lock.
        self._decisions = DecisionLog(self._saver.conn, self._saver.lock)
        self._graph = build_graph(self._saver)
        self._tracer = tracer
        self._ttl_s = ttl_s

    def close(self) -> None:
        """Close the database."""
        self._saver.conn.close()

    def generate(self, theme: str) -> str:
        """Write the first version and return the thread's id; the report then waits for an answer."""
        thread_id = str(uuid.uuid4())
        # Plain data rather than a ReportState: the checkpoint stays readable without this module.
        inputs: Any = {"theme": theme}
        self._graph.invoke(inputs, self._config(thread_id))
        log.info("report %s waits for an answer", thread_id)
        return thread_id

    def feedback(self, thread_id: str, approved: bool, feedback: str | None, decided_by: str | None) -> None:
        """Answer the open question. Raises one of the ReportErrors."""
        snapshot = self._find(thread_id)
        if not snapshot.interrupts:
            raise errors.NotWaitingError("Report is not awaiting feedback.")
        if not approved and not (feedback or "").strip():
            raise errors.FeedbackMissingError("Feedback is required when report is not approved.")
        if self._ttl_s is not None and time.time() - paused_since(snapshot) > self._ttl_s:
            late = Review(approved=False, expired=True, decided_by="policy:ttl", feedback="no answer in time")
            self._answer(snapshot, late)
            raise errors.ExpiredError("The question was open for too long; the report is closed.")
        self._answer(snapshot, Review(approved=approved, feedback=feedback or None, decided_by=decided_by))

    def entries(self, max_results: int) -> list[Entry]:
        """The newest reports first."""
        with self._saver.cursor(transaction=False) as cursor:
            cursor.execute(
                "SELECT thread_id FROM checkpoints WHERE checkpoint_ns = '' "
                "GROUP BY thread_id ORDER BY max(checkpoint_id) DESC LIMIT ?",
                (max_results,),
            )
            threads = [str(row[0]) for row in cursor.fetchall()]
        return [self._entry(thread) for thread in threads]

    def report(self, thread_id: str) -> str:
        """The newest version of a report, in Markdown. Raises NotFoundError."""
        report: str = self._find(thread_id).values.get("report", "")
        return report

    def recover(self) -> None:
        """Apply the answers that a server that died had taken and not applied."""
        for decision in self._decisions.unapplied():
            config = self._config(decision.thread_id)
            try:
                head = self._graph.get_state(config)
                if pause_of(head) == decision.pause_id:
                    self._graph.invoke(Command(resume=decision.decision), config)
                elif head.next and not head.interrupts:
                    self._graph.invoke(None, config)
            except Exception:
                # One report that cannot go on must not keep the server from starting; it is tried at the next start.
                log.exception("the answer to report %s could not be applied", decision.thread_id)
                continue
            self._decisions.applied(decision)

    def _answer(self, snapshot: StateSnapshot, review: Review) -> None:
        thread_id = snapshot.config["configurable"]["thread_id"]
        decision = Decision(thread_id, pause_of(snapshot), review.model_dump(exclude_none=True))
        if not self._decisions.take(decision):
            raise errors.AlreadyAnsweredError("This question has been answered already.")
        try:
            self._graph.invoke(Command(resume=decision.decision), self._config(thread_id))
        except Exception:
            # Where nothing moved the question is open again. Where something did the answer was used, and stays on
            # record as not applied, so that the next start finishes what it began.
            if pause_of(self._graph.get_state(self._config(thread_id))) == decision.pause_id:
                self._decisions.release(decision)
            raise
        self._decisions.applied(decision)
        log.info("report %s was answered by %s", thread_id, review.decided_by)

    def _entry(self, thread_id: str) -> Entry:
        snapshot = self._graph.get_state(self._config(thread_id))
        return Entry(thread_id, str(snapshot.values.get("theme", "")), _status(snapshot))

    def _find(self, thread_id: str) -> StateSnapshot:
        snapshot = self._graph.get_state(self._config(thread_id))
        if not snapshot.values:
            raise errors.NotFoundError("Report not found")
        return snapshot

    def _config(self, thread_id: str) -> RunnableConfig:
        callbacks: list[Any] = [self._tracer] if self._tracer else []
        return {"configurable": {"thread_id": thread_id}, "callbacks": callbacks}


def _status(snapshot: StateSnapshot) -> Status:
    if snapshot.interrupts:
        return "interrupted"
    if failed(snapshot):
        return "failed"
    if snapshot.next:
        return "running"
    review = snapshot.values.get("review")
    return "expired" if review and Review.model_validate(review).expired else "finished"
