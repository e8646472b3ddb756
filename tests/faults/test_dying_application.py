"""What is left of an application that forks or dies while the tracer records it."""

import json
import os
import signal
from pathlib import Path

import pytest

from flightlog import read_open_spans, read_spans
from tests.faults.agents import SPANS, converse
from tests.faults.children import finish, run, start

pytestmark = pytest.mark.uncounted

ANSWER = converse()


def test_fork_in_the_middle_of_a_run(tmp_path: Path) -> None:
    """A tool that forks: the child's own runs are recorded under its own id, the parent's once."""
    path = tmp_path / "trace.jsonl"
    script = """
        import os, sys, warnings
        warnings.simplefilter("ignore")
        from flightlog import JsonlTracer
        from tests.faults.agents import converse
        tracer = JsonlTracer(sys.argv[1])
        def disturb():
            if os.fork() == 0:
                try:
                    converse({"callbacks": [tracer]}, thread="child")
                    tracer.close()
                finally:
                    os._exit(0)
            assert os.wait()[1] == 0
        print(converse({"callbacks": [tracer]}, disturb=disturb))
        tracer.close()
    """
    assert run(script, path).strip() == str(ANSWER)
    spans = list(read_spans(path))
    assert len(spans) == 2 * SPANS
    assert len({span.run_id for span in spans}) == 2 * SPANS
    assert len({span.writer_id for span in spans}) == 2
    assert [one.name for one in tmp_path.iterdir()] == ["trace.jsonl"]


STUCK = """
    import signal, sys, time
    from flightlog import JsonlTracer
    from tests.faults.agents import converse
    stop = []
    if sys.argv[2] == "handled":
        signal.signal(signal.SIGTERM, lambda *_: stop.append(1) or sys.exit(0))
    def disturb():
        print("ready", flush=True)
        while not stop:
            time.sleep(0.01)
    converse({"callbacks": [JsonlTracer(sys.argv[1])]}, disturb=disturb)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_killed_in_a_tool(tmp_path: Path, how: signal.Signals) -> None:
    """After a kill the file has what ended, and the sidecar names the tool and what encloses it."""
    path = tmp_path / "trace.jsonl"
    child = start(STUCK, path, "unhandled")
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    os.kill(child.pid, how)
    child.communicate()
    spans = list(read_spans(path))
    assert [span.name for span in spans] == ["scripted-1", "tools_condition", "model"]
    left = read_open_spans(path, {(span.writer_id, span.seq) for span in spans})
    assert [(one.span.name, one.state) for one in left] == [
        ("agent", "unfinished"),
        ("tools", "unfinished"),
        ("add", "unfinished"),
    ]
    assert left[2].span.inputs == {"a": 1, "b": 2}
    assert left[2].span.pid == child.pid


def test_sigterm_that_is_handled(tmp_path: Path) -> None:
    """A handler that exits lets the open runs be recorded, and no sidecar stays."""
    path = tmp_path / "trace.jsonl"
    child = start(STUCK, path, "handled")
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    os.kill(child.pid, signal.SIGTERM)
    finish(child)
    assert {span.name for span in read_spans(path)} == {
        "scripted-1",
        "tools_condition",
        "model",
        "add",
        "tools",
        "agent",
    }
    assert [one.name for one in tmp_path.iterdir()] == ["trace.jsonl"]


def test_commands_show_what_a_dead_process_was_doing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A process that dies in its very first span: summary, show and traces name it as unfinished."""
    from flightlog.__main__ import main

    script = """
        import os, sys
        from flightlog import JsonlTracer
        from langchain_core.runnables import RunnableLambda
        def die(x):
            os.kill(os.getpid(), 9)
        RunnableLambda(die).invoke("the last words", {"callbacks": [JsonlTracer(sys.argv[1])], "run_name": "fatal"})
    """
    start(script, tmp_path / "trace.jsonl").communicate()
    monkeypatch.chdir(tmp_path)
    assert main(["summary", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["spans"], summary["unfinished"]) == (1, 1)
    assert main(["show", "last", "--json"]) == 0
    (span,) = json.loads(capsys.readouterr().out)["spans"]
    assert (span["name"], span["status"]) == ("fatal", "unfinished")
    assert main(["traces"]) == 0
    assert "unfinished" in capsys.readouterr().out
