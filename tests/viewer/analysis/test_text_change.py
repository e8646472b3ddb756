"""What is shown of a long text that changed: where it changed."""

from pathlib import Path
from typing import TypedDict

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph

from flightlog_viewer.analysis.step_document import document
from flightlog_viewer.analysis.text_change import changed_lines, from_where_they_part
from flightlog_viewer.checkpoints import open_source
from flightlog_viewer.cli.app import main

HEAD = "# The report\n\nThe Model Context Protocol is a framework for tools and for data, "
FIRST = f"{HEAD}made for speed.\n\n## End\n\nIt is good.\n"
SECOND = f"{HEAD}made for ease.\n\n## End\n\nIt is good.\n\n## References\n"


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("short text", "short test", ("short text", "short test")),
        ("a" * 90 + "b", "a" * 90 + "c", ("…" + "a" * 20 + "b", "…" + "a" * 20 + "c")),
        ("a" * 90, "a" * 91, ("…" + "a" * 20, "…" + "a" * 21)),
        ("", "x" * 90, ("", "x" * 90)),
        ("x" * 5_000_000 + "a", "x" * 5_000_000, ("…" + "x" * 20 + "a", "…" + "x" * 20)),
    ],
    ids=["in sight", "far behind", "longer", "nothing before", "much text"],
)
def test_texts_that_begin_alike(before: str, after: str, shown: tuple[str, str]) -> None:
    """They are shown from where they part, unless that is in sight anyway."""
    assert from_where_they_part(before, after, 60) == shown


def test_the_lines_that_changed() -> None:
    """With one line around them, and dots for what is left out; nothing of one line, or of too many."""
    numbered = [f"line {number}" for number in range(9)]
    changed = ["LINE 0", *numbered[1:8], "LINE 8"]
    assert changed_lines("\n".join(numbered), "\n".join(changed)) == [
        *("-line 0", "+LINE 0", " line 1", "...", " line 7", "-line 8", "+LINE 8"),
    ]
    assert changed_lines("one", "two") == []
    assert changed_lines("a\n" * 1001, "b\n") == []


class Report(TypedDict, total=False):
    """The state."""

    text: str


def test_a_second_draft(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Viewer and `replay` say where the drafts of a report differ; `--diff`, and a change unfolded, have the lines."""
    graph = StateGraph(Report).add_node("write", lambda _: {"text": SECOND}).add_edge(START, "write")
    path = tmp_path / "c.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph.compile(checkpointer=saver).invoke({"text": FIRST}, {"configurable": {"thread_id": "t"}})
    with open_source(path) as source:
        *_, step = source.history("t").steps
    (block,) = [block for block in document("Changes", step, step.changes, "parent", [], {}).blocks if block.key]
    assert "speed" in block.text
    assert "ease" in block.text
    lines = [("-", "error"), ("+", "ok")]
    assert [(below.text[0], below.tone) for below in block.open()][1:3] == lines
    assert main(["replay", "t", str(path)]) == 0
    [shown] = [line for line in capsys.readouterr().out.splitlines() if "~ text" in line]
    assert "made for speed" in shown
    assert "made for ease" in shown
    assert main(["replay", "t", str(path), "--diff", "0", "1"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert "      +## References" in told
    assert "       It is good." in told
