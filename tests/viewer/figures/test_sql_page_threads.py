"""The example queries of the page about SQL that ask about threads and questions, over a written story."""

from pathlib import Path

from flightlog_viewer import open_store
from tests.viewer.figures.test_sql_page import ask
from tests.viewer.span_lines import SpanLines, usage

HOUR = 3_600_000


def asking(lines: SpanLines, thread: str, hour: float, tenant: str) -> None:
    """A run that asks at that hour after Friday noon (of 2026-11-20, UTC)."""
    metadata = {"tenant": tenant}
    lines.add(f"{thread}-q", None, hour * HOUR - 2, 2, thread_id=thread, status="interrupted", metadata=metadata)
    asked = {"thread_id": thread, "status": "interrupted", "interrupts": [{"id": thread, "value": f"{thread}?"}]}
    lines.add(f"{thread}-n", f"{thread}-q", hour * HOUR - 1, 1, kind="node", node="ask", **asked)


def answering(lines: SpanLines, thread: str, hour: float, tenant: str) -> None:
    """The run that brings the answer."""
    resumes = [{"interrupt_id": thread, "value": "yes"}]
    lines.add(f"{thread}-a", None, hour * HOUR, 5, thread_id=thread, resumes=resumes, metadata={"tenant": tenant})


def test_questions_by_who_is_there(tmp_path: Path) -> None:
    """What waits stands by its node; a tenant has each question once; the hours of a weekend and of nights are none."""
    lines = SpanLines()
    for thread, asked, answered, tenant in [
        ("weekend", 0, 70, "acme"),  # Friday 12:00 to Monday 10:00
        ("night", 6, 20, "acme"),
        ("noon", 1, 3, "umbrella"),
    ]:
        asking(lines, thread, asked, tenant)
        answering(lines, thread, answered, tenant)
    asking(lines, "open", 2, "acme")
    with open_store(lines.write(tmp_path / "a.jsonl"), cache=False) as store:
        assert [row[:2] for row in ask(store, "Who waits for an answer")] == [("open", "ask")]
        assert ask(store, "By tenant") == [("acme", 3, 1, (70 + 14) / 2 * 60), ("umbrella", 1, 0, 120)]
        found = {thread: (hours, there) for _, thread, hours, there in ask(store, "Of the time until an answer")}
    assert found == {"weekend": (70, 5 + 1), "night": (14, 0), "noon": (2, 2)}


def test_what_a_subgraph_spends(tmp_path: Path) -> None:
    """Calls in a subgraph belong to the node of the outermost graph; calls of unknown price are counted."""
    lines = SpanLines().add("root", None, 0, 9, kind="graph")
    for run, place, model in [("a", "plan:1", "gpt-4o"), ("b", "team:2|write:3", "gpt-4o"), ("c", "team:2", "nobody")]:
        told = {"model": model, "provider": "openai", "token_usage": usage(1000, 0), "checkpoint_ns": place}
        lines.add(run, "root", 1, 1, type="llm", **told)
    with open_store(lines.write(tmp_path / "a.jsonl"), cache=False) as store:
        found = {
            node: (calls, usd, unknown) for node, calls, usd, unknown in ask(store, "Cost by node of the outermost")
        }
    assert found["plan"][1] == found["team"][1] > 0
    assert {node: row[::2] for node, row in found.items()} == {"plan": (1, 0), "team": (2, 1)}
