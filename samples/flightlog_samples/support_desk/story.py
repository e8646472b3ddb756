"""A day at the desk: settled without anybody, approved, rejected, escalated in time, escalated by time, and left open.

The hands of the desk's clock are moved so that nobody has to wait for a day; the spans and checkpoints keep the real
time. The server is gone when the story ends, so its threads are copied to `support_desk.sqlite`.
"""

import uuid
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from langchain_core.runnables import RunnableConfig

from flightlog import JsonlTracer
from flightlog_samples.support_desk.checkpoint_copy import copy_threads
from flightlog_samples.support_desk.desk import Desk, now, open_pool
from flightlog_samples.support_desk.embedded_postgres import postgres_server
from flightlog_samples.support_desk.state import Decision, Tier
from flightlog_samples.support_desk.version_1 import build_graph_1

NAME = "support_desk"
TICKETS: tuple[tuple[str, str, Tier], ...] = (
    ("question", "I have a question about opening hours", "standard"),
    ("password", "I forgot my password", "standard"),
    ("small", "Please refund 40 EUR for a broken cup", "standard"),
    ("large", "Please refund 900 EUR for the cancelled course", "business"),
    ("twice", "Please refund 800 EUR, I was charged twice", "standard"),
    ("later", "Please refund 700 EUR for a late delivery", "standard"),
    ("merge", "Please merge my two accounts", "business"),
    ("erase", "Please delete all data about me", "standard"),
)


def story(out: Path) -> None:
    """Record it on a server of its own."""
    story_on(out, None)


def story_on(out: Path, url: str | None) -> None:
    """Record it on the server at `url`, or on one of its own; into `support_desk.jsonl` and `support_desk.sqlite`."""
    # On a server that stays, tickets of an earlier recording stay as well.
    prefix = "ticket" if url is None else f"ticket-{uuid.uuid4().hex[:6]}"
    with ExitStack() as stack:
        tracer = stack.enter_context(JsonlTracer(out / f"{NAME}.jsonl", service=NAME))
        pool = stack.enter_context(open_pool(url or stack.enter_context(postgres_server())))
        ahead = timedelta()
        desk = Desk(pool, tracer, clock=lambda: now() + ahead)
        for name, message, tier in TICKETS:
            print(f"{name:<10} {desk.open(f'{prefix}-{name}', message, tier)}")
        old = build_graph_1(desk.saver)
        config: RunnableConfig = {"configurable": {"thread_id": f"{prefix}-old"}, "callbacks": [tracer]}
        old.invoke({"ticket_id": f"{prefix}-old", "user_message": "Please delete my history"}, config)
        desk.adopt(f"{prefix}-old")

        decided: dict[str, tuple[Decision, str]] = {
            "large": ("approve", "the course was cancelled by us"),
            "twice": ("approve", "both charges are in the books"),
            "merge": ("approve", "same address, same phone"),
            "erase": ("reject", "there is an open invoice"),
        }
        holders = {row["ticket_id"]: r.name for r in desk.reviewers for row in desk.queue.open_for(r.name)}
        for name, (decision, notes) in decided.items():
            # A real model may have settled one of them without asking.
            if holder := holders.get(f"{prefix}-{name}"):
                desk.decide(f"{prefix}-{name}", holder, decision, notes)
        desk.regret(f"{prefix}-merge")
        ahead = timedelta(hours=25)
        desk.sweep()
        with_lea = [row["ticket_id"] for row in desk.queue.open_for("lea")]
        if f"{prefix}-later" in with_lea:
            desk.decide(f"{prefix}-later", "lea", "escalate", "a partner shop sold it, they must answer")
        names = [f"{prefix}-{name}" for name, _, _ in TICKETS]
        copy_threads(desk.saver, pool, [*names, f"{prefix}-old"], out / f"{NAME}.sqlite")
