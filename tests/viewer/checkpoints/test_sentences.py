"""What `threads`, `replay` and `approvals` say about graphs that ask often, fork, fail and finish in odd ways."""

import contextlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.errors import InvalidUpdateError
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from flightlog_viewer.approvals.databases import database_approvals
from flightlog_viewer.checkpoints import open_source
from flightlog_viewer.cli.app import main
from tests.viewer.checkpoints.graphs import Refund, refunds, thread

Say = Callable[..., str]


@task
def draft(topic: str, wish: str) -> str:
    """A text."""
    return f"{topic} {wish}"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("odd") / "x.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:

        @entrypoint(checkpointer=saver)
        def write(topic: str) -> str:
            wish = "first"
            while (answer := interrupt({"text": draft(topic, wish).result()})) != "ok":
                wish = answer
            return wish

        for name, answers in (("asks again", ["shorter"]), ("asked twice", ["shorter", "ok"])):
            write.invoke("cats", thread(name))
            for answer in answers:
                write.invoke(Command(resume=answer), thread(name))

        graph = refunds().compile(checkpointer=saver)
        for name, node in (("forked", "plan"), ("edited", "approve")):
            graph.invoke({"amount": 1}, thread(name))
            [before] = [state for state in graph.get_state_history(thread(name)) if state.next == (node,)]
            graph.invoke(None, graph.update_state(before.config, {"amount": 5}))
            graph.invoke(Command(resume="no"), thread(name))
        graph.invoke({"amount": 1}, thread("exit"), durability="exit")
        graph.invoke(Command(resume="yes"), thread("exit"), durability="exit")

        def fail(state: Refund) -> Refund:
            # A failure ends what runs beside it: the question has to be in the database before.
            while not (found := saver.get_tuple(thread("fails and asks"))) or not found.pending_writes:
                sleep(0.01)
            raise KeyError("nothing")

        failing: Any = StateGraph(Refund).add_node("ask", lambda state: {"decision": interrupt("sure?")})
        failing.add_node("fail", fail).add_edge(START, "ask").add_edge(START, "fail")
        with contextlib.suppress(KeyError):
            failing.compile(checkpointer=saver).invoke({"amount": 1}, thread("fails and asks"))
        twice: Any = StateGraph(Refund).add_node("one", lambda state: {"amount": 1})
        twice.add_node("two", lambda state: {"amount": 2}).add_edge(START, "one").add_edge(START, "two")
        with contextlib.suppress(InvalidUpdateError):
            twice.compile(checkpointer=saver).invoke({"amount": 1}, thread("written twice"))
        graph.invoke({"amount": 1}, thread("by hand"))
        graph.update_state(thread("by hand"), {"decision": "yes"}, as_node="approve")
    return path


@pytest.fixture
def say(database: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    def say(*arguments: str) -> str:
        assert main([*arguments, "--checkpoints", str(database)]) == 0
        return capsys.readouterr().out

    return say


def test_each_question_stands_with_its_own_answer(say: Say) -> None:
    """The answer to an earlier question of a task is never shown as the answer to its newest one."""
    [asks] = [line for line in say("replay", "asks again").splitlines() if "> write" in line]
    assert 'write interrupted  answered "shorter" before  asks "cats shorter"' in asks
    assert asks.endswith(")")
    [asked] = [line for line in say("replay", "asked twice").splitlines() if "> write" in line]
    assert 'answered "shorter" before' in asked
    assert asked.endswith('answered "ok"')
    step = json.loads(say("replay", "asked twice", "--json"))["steps"][0]
    assert step["tasks"][0]["resume"] == ["shorter", "ok"]


def test_calls_have_their_names_once_they_are_stored(say: Say) -> None:
    """A `@task` call is named by the checkpoint that follows; until then it is `(task)`."""
    assert say("replay", "asked twice").count("> draft finished") == 2
    assert say("replay", "asks again").count("> (task) finished") == 2


@pytest.mark.parametrize("name", ["forked", "edited"])
def test_a_question_in_a_branch_that_was_left(name: str, database: Path, say: Say) -> None:
    """A question is abandoned when a fork has left its branch, and when an update had it asked again."""
    with open_source(database) as source:
        found = [approval for approval, _ in database_approvals(source) if approval.thread_id == name]
    assert [(approval.status, approval.decision) for approval in found] == [("abandoned", None), ("answered", "reject")]
    assert "finished" in next(line for line in say("threads").splitlines() if line.startswith(name))


def test_what_an_update_changed_was_written_by_no_node_that_ran(say: Say) -> None:
    """What `update_state` changed beside a step that had run is not said to be by that step's node."""
    found = {}
    for name in ("forked", "by hand"):
        steps = json.loads(say("replay", name, "--json"))["steps"]
        found[name] = [
            (change["path"], change["node"])
            for step in steps
            if step["source"] == "update"
            for change in step["changes"]
        ]
    assert found == {"forked": [("amount", None)], "by hand": [("decision", "approve")]}


def test_an_answer_that_exit_durability_did_not_store(database: Path) -> None:
    """The thread went on after the question: it was answered, and with what is not recorded."""
    with open_source(database) as source:
        [found] = [approval for approval, _ in database_approvals(source) if approval.thread_id == "exit"]
    assert (found.status, found.answer_recorded, found.decision, found.exact) == ("answered", False, None, False)
    assert found.lag_max_ms is not None


def test_what_is_open_in_a_thread(say: Say) -> None:
    """The list of threads says what failed, what is asked and what is due."""
    lines = {line[:14].strip(): line for line in say("threads").splitlines()}
    assert "errored" in lines["fails and asks"]
    assert """failed: KeyError('nothing'); ask asks "sure?\"""" in lines["fails and asks"]
    assert "due: pay" in lines["by hand"]
    assert "paused_or_running" in lines["written twice"]
    assert "what was due is done, and no checkpoint has followed" in lines["written twice"]
    found = {item["thread_id"]: item for item in json.loads(say("threads", "--json"))}
    assert (found["by hand"]["next"], found["by hand"]["error"]) == (["pay"], None)
    assert found["fails and asks"]["pending"][0]["value"] == "sure?"


def test_the_snippets_do_what_they_say(say: Say) -> None:
    """A question is answered at the newest step only; a finished thread is not told to run on."""
    assert "resume={" in say("replay", "asks again")
    assert "# nothing is due after this step" in say("replay", "asked twice")
    assert "resume={" not in say("replay", "forked", "--at", "1")
    by_hand = say("replay", "by hand")
    assert "# go on with what is due:\ngraph.invoke(None, {'configurable': {'thread_id': 'by hand'}})" in by_hand
    assert "approve finished  by update_state" in by_hand


def test_a_call_path_of_any_depth(database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A crafted path of calls inside calls is no name, and no crash."""
    path = tmp_path / "x.sqlite"
    with sqlite3.connect(database) as source, sqlite3.connect(path) as copy:
        source.backup(copy)
        nested = "~__pregel_push, " * 5000 + "~__pregel_pull, write" + ", 0000000000, 0000000001" * 5000
        copy.execute("UPDATE writes SET task_path = ? WHERE channel = '__return__'", (nested,))
    copy.close()
    source.close()
    assert main(["replay", "asked twice", "--checkpoints", str(path)]) == 0
    assert "(task) finished" in capsys.readouterr().out
