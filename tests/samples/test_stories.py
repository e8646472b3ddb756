"""Every sample's story: its span file and its checkpoint database tell the same."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flightlog import Span, read_spans
from flightlog_viewer.checkpoints import Step, ThreadSummary, open_source

PAIRS = {
    "spans": "checkpoints",
    "report_service": "report_service",
    "chat_service": "chat_service",
    "support_desk": "support_desk",
}


@dataclass
class Thread:
    """What both sides know of one thread."""

    summary: ThreadSummary
    steps: list[Step]
    spans: list[Span]

    @property
    def roots(self) -> list[Span]:
        """Its runs of a graph, oldest first; writing to the state by hand is none."""
        runs = [s for s in self.spans if s.parent_run_id is None and not s.name.endswith("UpdateState")]
        return sorted(runs, key=lambda span: span.start_ns)


@dataclass
class Story:
    """One span file with its database."""

    threads: dict[str, Thread]
    spans: list[Span]

    def named(self, prefix: str) -> dict[str, Thread]:
        """The threads whose id begins so."""
        return {name: thread for name, thread in self.threads.items() if name.startswith(prefix)}


def read(folder: Path, stem: str) -> Story:
    """Both files of a story."""
    spans = list(read_spans(folder / f"{stem}.jsonl"))
    with open_source(folder / f"{PAIRS[stem]}.sqlite") as source:
        threads = {
            summary.thread_id: Thread(
                summary,
                list(source.history(summary.thread_id).steps),
                [span for span in spans if span.thread_id == summary.thread_id],
            )
            for summary in source.threads()
        }
    return Story(threads, spans)


@pytest.fixture(scope="module", params=PAIRS)
def story(recorded: Path, request: pytest.FixtureRequest) -> Story:
    """Each of the recorded stories."""
    return read(recorded, request.param)


@pytest.fixture(scope="module")
def plain(recorded: Path) -> Story:
    """The samples that share one pair of files."""
    return read(recorded, "spans")


def questions(thread: Thread) -> Iterator[str]:
    """The ids of every question in the thread's database."""
    for step in thread.steps:
        for interrupt in step.interrupts:
            yield interrupt.id


def answers(thread: Thread) -> list[Any]:
    """Every answer in the thread's database, oldest first."""
    return [answer for step in thread.steps for task in step.tasks for answer in task.resumes]


def test_both_sides_know_the_same_threads(story: Story) -> None:
    """No thread is in the spans only, and none in the database only."""
    assert {span.thread_id for span in story.spans if span.thread_id} == set(story.threads)


def test_both_sides_know_the_same_questions_and_answers(story: Story) -> None:
    """Interrupt ids of root spans are those of the database, and so are the values that runs were resumed with."""
    for thread in story.threads.values():
        asked = Counter(
            interrupt["id"] for root in thread.roots for interrupt in root.interrupts or [] if "id" in interrupt
        )
        assert asked == Counter(questions(thread))
        assert [resume["value"] for root in thread.roots for resume in root.resumes or []] == answers(thread)


def test_what_waits_waits_on_both_sides(story: Story) -> None:
    """The last run of a thread is interrupted exactly when its database has something left to do."""
    for thread in story.threads.values():
        waits = thread.summary.status in ("interrupted", "paused_or_running")
        assert (thread.roots[-1].status == "interrupted") == waits
        assert {root.status for root in thread.roots[:-1]} <= {"ok", "interrupted"}


def test_nothing_is_an_error(story: Story) -> None:
    """A pause is no error: no span of any story is one, and no span is left open."""
    assert {span.status for span in story.spans} <= {"ok", "interrupted"}


def test_the_nodes_that_ran_are_the_nodes_that_wrote(story: Story) -> None:
    """Each finished node span has its task in the database, by task id and node."""
    for thread in story.threads.values():
        spans = {(s.task_id, s.node) for s in thread.spans if s.kind == "node" and s.status == "ok"}
        tasks = {
            (task.task_id, task.node)
            for step in thread.steps
            for task in step.tasks
            if task.status == "finished" and task.node != "__start__" and not task.by_update
        }
        assert spans == tasks


def test_tokens_are_what_the_models_reported(plain: Story) -> None:
    """The usage in the LLM spans is the usage that the messages in the database carry."""
    thread = plain.threads["react-agent"]
    reported = [
        message["usage_metadata"]["total_tokens"]
        for message in thread.steps[-1].values["messages"]
        if message["type"] == "ai"
    ]
    recorded = [(span.token_usage or {}).get("total_tokens") for span in thread.spans if span.type == "llm"]
    assert len(reported) == 6
    assert recorded == reported
    assert sum(span.type == "tool" for span in thread.spans) == 4


def test_the_accumulator_counts_in_the_file(plain: Story) -> None:
    """Alice's third step was made by a second opening of the database; bob's count is his own."""
    counts = {name: thread.steps[-1].values["count"] for name, thread in plain.named("accumulator-").items()}
    assert counts == {"accumulator-alice": 3, "accumulator-bob": 1}
    assert len({root.writer_id for root in plain.threads["accumulator-alice"].roots}) == 2


def test_of_three_requests_one_waits_one_was_done_and_one_was_not(plain: Story) -> None:
    """The pending thread shows its question, the approved one its result, the rejected one nothing done."""
    threads = {name.removeprefix("approval-"): t for name, t in plain.named("approval-").items()}
    assert {name: t.summary.status for name, t in threads.items()} == {
        "pending": "interrupted",
        "approved": "finished",
        "rejected": "finished",
    }
    (pending,) = threads["pending"].summary.pending
    assert (pending.node, pending.value) == ("gate", {"approve_action": "pay 12,000 EUR to a new supplier"})
    assert threads["approved"].steps[-1].values["result"] == "done: pay 450 EUR to the caterer"
    assert threads["rejected"].steps[-1].values["result"] == "rejected"


def test_breakpoints_are_pauses_in_the_spans(plain: Story) -> None:
    """The database cannot tell a breakpoint from a run in progress; the spans can."""
    waiting = plain.threads["breakpoint-before-waiting"]
    assert (waiting.summary.status, list(waiting.summary.next)) == ("paused_or_running", ["execute"])
    assert waiting.roots[-1].status == "interrupted"
    answered = [t for name, t in plain.named("breakpoint-").items() if name != "breakpoint-before-waiting"]
    assert [[root.status for root in t.roots] for t in answered] == [["interrupted", "ok"]] * 4
    assert [next(s for s in t.steps if s.source == "update").values["approved"] for t in answered] == [
        True,
        False,
        True,
        False,
    ]


def test_only_amounts_above_the_limit_were_asked_about(plain: Story) -> None:
    """Of four payments two were asked about, and each ended as it was decided."""
    threads = plain.named("payment-")
    assert {name for name, t in threads.items() if list(questions(t))} == {"payment-large", "payment-too-large"}
    assert {t.steps[-1].values["result"] for t in threads.values()} == {
        "paid 80.00",
        "paid 1000.00",
        "paid 4200.00",
        "not paid",
    }


def test_skipped_calls_have_no_span(plain: Story) -> None:
    """Of three proposed calls two ran; the third has a message that it was skipped, and no tool span."""
    thread = plain.threads["tool-review"]
    assert sorted(span.name for span in thread.spans if span.type == "tool") == ["search", "summarize"]
    results = {m["name"]: m["content"] for m in thread.steps[-1].values["messages"] if m["type"] == "tool"}
    assert results["post"] == "skipped by the reviewer"


def test_the_past_is_a_tree(plain: Story) -> None:
    """The replay, the revert and the fork each branch off, and every branch is still there."""
    steps = plain.threads["time-travel"].steps
    parents = Counter(step.parent_checkpoint_id for step in steps)
    assert Counter(step.source for step in steps) == {"loop": 6, "input": 1, "fork": 2, "update": 1}
    assert sum(count - 1 for count in parents.values() if count > 1) >= 2
    assert "Vienna to Addis Ababa" in steps[-1].values["legs"]


def test_the_executor_did_the_approved_steps(plain: Story) -> None:
    """The edited plan was carried out without the step that lost its tick, one super-step for each."""
    thread = plain.threads["task-edited"]
    assert [list(step.values.get("done", [])) for step in thread.steps][-1] == [
        "done: collect what is known about the incident report",
        "done: draft two pages",
        "done: check the incident report",
    ]
    assert sum(span.node == "work" and span.kind == "node" for span in thread.spans) == 4
    assert [root.status for root in thread.roots] == ["interrupted", "interrupted", "ok"]
    assert plain.threads["task-rejected"].steps[-1].values["status"] == "rejected"


def test_tokens_and_events_are_in_the_spans(plain: Story) -> None:
    """Streamed LLM spans know their first token and their chunks, and a dispatched event is a span."""
    (poem,) = [s for s in plain.threads["token-stream"].spans if s.type == "llm"]
    assert poem.chunks is not None
    assert poem.chunks > 20
    assert poem.time_to_first_token_ms is not None
    assert poem.duration_ms is not None
    assert poem.time_to_first_token_ms < poem.duration_ms
    (event,) = [s for s in plain.threads["streaming-modes"].spans if s.type == "event"]
    assert event.name == "narrated"


def test_a_report_was_revised_once_and_approved(recorded: Path) -> None:
    """One report went round once, the other still waits; each search is a retriever span with five documents."""
    story = read(recorded, "report_service")
    done, waiting = sorted(story.threads.values(), key=lambda thread: thread.summary.status)
    assert (done.summary.status, waiting.summary.status) == ("finished", "interrupted")
    assert [answer["approved"] for answer in answers(done)] == [False, True]
    assert "## References" in done.steps[-1].values["report"]
    searches = [span for span in story.spans if span.type == "retriever"]
    assert [span.document_count for span in searches] == [5, 5]


def test_the_chat_paused_before_every_tool(recorded: Path) -> None:
    """No tool ran in a run that was not let through; the blocked question reached no tool."""
    story = read(recorded, "chat_service")
    tools = {
        name: [s.name for s in t.spans if s.type == "tool" and s.status == "ok"] for name, t in story.threads.items()
    }
    assert tools["chat-blocked"] == tools["chat-hello"] == tools["chat-waiting"] == tools["chat-redirected"] == []
    assert tools["chat-rejected"] == ["search_files"]
    assert sorted(tools["chat-clarified"]) == ["request_clarification", "search_files", "send_email"]
    assert [root.status for root in story.threads["chat-email"].roots] == ["interrupted", "interrupted", "ok"]
    (sent,) = [s for s in story.threads["chat-modified"].spans if s.name == "send_email"]
    assert sent.inputs["to"] == "board@example.org"


def test_the_desk_asked_about_the_risky_tickets_only(recorded: Path) -> None:
    """Tickets above the threshold have a question with their risk, the others none; only approvals acted."""
    story = read(recorded, "support_desk")
    threads = {name.removeprefix("ticket-"): thread for name, thread in story.threads.items()}
    asked = {name for name, thread in threads.items() if list(questions(thread))}
    assert asked == {"large", "twice", "later", "merge", "erase", "old"}
    risks = {name: t.steps[-1].values["risk_score"] for name, t in threads.items()}
    assert {name for name, risk in risks.items() if risk > 0.7} == asked
    decisions = {name: answer["decision"] for name, t in threads.items() for answer in answers(t)}
    assert decisions == {
        "large": "approve",
        "twice": "approve",
        "merge": "approve",
        "erase": "reject",
        "later": "escalate",
    }
    acted = {name for name, t in threads.items() if t.steps[-1].values.get("acted")}
    assert acted == {"question", "password", "small", "large", "twice", "merge"}
    assert threads["old"].summary.status == "interrupted"
    assert threads["merge"].steps[-1].values["regret"] is True
