"""What docs/production.md says is what the tracer does."""

from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import interrupt

import flightlog
from flightlog import JsonlTracer, read_spans
from tests.docs.test_pages import ROOT, blocks
from tests.tracer import graphs

PAGE = "docs/production.md"
STEP: Any = RunnableLambda(lambda text: text.upper(), name="step")


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The page's Python, with paths of this test's own folder."""
    monkeypatch.chdir(tmp_path)
    return [block.replace("/var/log/agents/", f"{tmp_path}/") for block in blocks(PAGE, "python")]


def test_the_setup_records_and_is_healthy(examples: list[str]) -> None:
    """What is installed records every run with its service, and the page's question about it has an answer."""
    install, _, watch = examples
    names: dict[str, Any] = {}
    exec(compile(install, PAGE, "exec"), names)
    try:
        STEP.invoke("hello")
        exec(compile(watch, PAGE, "exec"), names)
    finally:
        flightlog.uninstall()
    assert names["healthy"] is True
    [span] = read_spans(names["tracer"].path)
    assert (span.name, span.service, span.environment) == ("step", "desk", "production")


def test_every_count_is_described(tmp_path: Path) -> None:
    """The pages name all that the tracer counts."""
    with JsonlTracer(tmp_path / "trace.jsonl") as tracer:
        counts = tracer.stats()
    text = "".join((ROOT / page).read_text() for page in (PAGE, "docs/span-files.md"))
    assert not [name for name in counts if f"`{name}`" not in text]


def test_the_runs_of_somebody_are_left_out(examples: list[str]) -> None:
    """The file that is written anew has the other threads, whole, and nothing of the one to forget."""
    with JsonlTracer("trace.jsonl") as tracer:
        app = graphs.graph_of(graphs.Log, _answer)
        for thread in ("alice", "bob"):
            config: Any = {"callbacks": [tracer], "configurable": {"thread_id": thread}}
            app.invoke({"log": [f"I am {thread}"]}, config)
    before = list(read_spans("trace.jsonl"))
    exec(compile(examples[1], PAGE, "exec"), {})
    assert b"alice" not in Path("kept.jsonl").read_bytes()
    assert list(read_spans("kept.jsonl")) == [span for span in before if span.thread_id == "bob"]


def test_what_capture_leaves_in(tmp_path: Path) -> None:
    """Without inputs and outputs a pause is still recorded with its question, and rules hide in that too."""

    def ask(state: graphs.Log) -> dict[str, Any]:
        return {"log": [interrupt({"question": "pay?", "iban": "DE00"})]}

    with JsonlTracer(tmp_path / "trace.jsonl", capture="none", redact="iban") as tracer:
        config: Any = {"callbacks": [tracer], "configurable": {"thread_id": "t"}}
        graphs.graph_of(graphs.Log, ask, checkpointer=InMemorySaver()).invoke({"log": ["secret"]}, config)
    spans = list(read_spans(tmp_path / "trace.jsonl"))
    assert all(span.inputs is None and span.output is None for span in spans)
    assert spans[-1].interrupts is not None
    assert spans[-1].interrupts[0]["value"] == {"question": "pay?", "iban": "[redacted]"}


def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    """Others may be let in by making the file first; the sidecar and what follows a rotation are the owner's."""
    path = tmp_path / "trace.jsonl"
    path.touch(mode=0o640)
    path.chmod(0o640)
    seen: dict[str, int] = {}

    def look(text: str) -> str:
        seen.update({file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()})
        return text

    with JsonlTracer(path, max_bytes=300) as tracer:
        for _ in range(2):
            RunnableLambda(look).invoke("x", {"callbacks": [tracer]})
    assert seen["trace.jsonl"] == 0o640
    assert {mode for name, mode in seen.items() if name.endswith(".open")} == {0o600}
    assert path.stat().st_mode & 0o777 == 0o600


def _answer(state: graphs.Log) -> dict[str, Any]:
    return {"log": ["hello"]}
