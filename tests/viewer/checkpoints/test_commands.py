"""`threads` and `replay` on databases that LangGraph itself has written."""

import csv
import json
import re
import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict
from zoneinfo import ZoneInfo

import pytest
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.types import Command, interrupt

from flightlog_viewer.analysis.step_document import document
from flightlog_viewer.checkpoints import open_source
from flightlog_viewer.cli.app import main
from tests.viewer.span_lines import SpanLines


class Refund(TypedDict, total=False):
    amount: int
    decision: str


def plan(state: Refund) -> Refund:
    return {"amount": state["amount"] * 2}


def approve(state: Refund) -> Refund:
    return {"decision": interrupt({"question": "refund?", "amount": state["amount"]})}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("refunds") / "checkpoints.sqlite"
    builder = StateGraph(Refund).add_node("plan", plan).add_node("approve", approve)
    builder.add_edge(START, "plan").add_edge("plan", "approve")
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph = builder.compile(checkpointer=saver)
        graph.invoke({"amount": 3}, {"configurable": {"thread_id": "waits"}})
        answered: Any = {"configurable": {"thread_id": "answered"}}
        graph.invoke({"amount": 4}, answered)
        graph.invoke(Command(resume="yes"), answered)
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: str | Path) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["threads"], ["--json"]),
        (["threads", "--filter", "status:interrupted"], []),
        (["replay", "waits"], ["--json"]),
        (["approvals"], []),
        (["sql", "SELECT thread_id, status FROM threads"], ["--csv"]),
    ],
)
def test_a_database_needs_no_option(before: list[str], after: list[str], run: Run, database: Path) -> None:
    """A database that stands among the paths is taken for what it is."""
    status, named, said = run(*before, "--checkpoints", database, *after)
    assert (status, said) == (0, "")
    status, found, said = run(*before, database, *after)
    assert (status, said) == (0, "")
    # A pause grows older, and so wider.
    words, expected = (re.sub("waits .*", "", text).split() for text in (found, named))
    assert words == expected != []


@pytest.mark.parametrize("command", ["summary", "doctor", "traces", "report"])
def test_a_database_is_no_span_file(command: str, run: Run, database: Path, tmp_path: Path) -> None:
    """A command about spans says what it was given, beside span files too, and which commands open it."""
    said = (
        f"flightlog: {database} is not a span file but a database: `flightlog view` and `flightlog threads` open it\n"
    )
    assert run(command, database) == (2, "", said)
    spans = SpanLines().add("root", None, 0).write(tmp_path / "s.jsonl")
    assert run(command, spans, database) == (2, "", said)


@pytest.mark.parametrize("command", ["threads", "approvals"])
def test_what_is_neither_database_nor_span_file(command: str, run: Run, tmp_path: Path) -> None:
    """Where both are taken the sentence names both, and of a folder without span files what to do."""
    path = tmp_path / "notes.txt"
    path.write_text("Dear diary")
    status, _, said = run(command, path)
    assert (status, said.partition(":")[2].partition(":")[0]) == (
        2,
        f" {path} is neither a checkpoint database nor a span file",
    )
    status, _, said = run(command, tmp_path)
    assert (status, "a checkpoint database has to be named itself" in said) == (2, True)


@pytest.mark.parametrize(
    "before", [["summary"], ["doctor"], ["sql", "FROM spans"], ["export", "otlp"], ["import", "-o", "x"], []]
)
@pytest.mark.parametrize("after", ["", "?connect_timeout=1"])
def test_no_sentence_has_a_password(before: list[str], after: str, run: Run) -> None:
    """An address that is given in the wrong place is not repeated."""
    status, _, said = run(*before, f"postgresql://ana:hunter2@localhost:9/graphs{after}")
    assert status == 2
    assert "hunter2" not in said
    assert said.count("\n") == 1


def test_no_database_at_all(run: Run) -> None:
    """Without a database the commands about threads ask for one."""
    asked = (2, "", "flightlog: name the checkpoint database: a SQLite file or a postgresql:// URL\n")
    assert run("threads") == asked
    assert run("replay", "waits") == asked


def test_threads_json_shows_the_pending_question(database: Path, run: Run) -> None:
    """A thread that waits for a human is `interrupted`, with the question and the node that asks it."""
    status, out, _ = run("threads", "--checkpoints", database, "--json")
    answered, waits = json.loads(out)
    assert status == 0
    assert (answered["thread_id"], answered["status"], answered["pending"]) == ("answered", "finished", [])
    assert (waits["thread_id"], waits["status"], waits["inferred"]) == ("waits", "interrupted", False)
    assert (waits["checkpoints"], waits["steps"]) == (3, 1)
    [question] = waits["pending"]
    assert question["id"]
    assert (question["node"], question["value"]) == ("approve", {"question": "refund?", "amount": 6})


def test_replay_json_holds_every_step_in_order(database: Path, run: Run) -> None:
    """`replay --json` gives the steps oldest first, with tasks, state, changes and the nodes that made them."""
    status, out, _ = run("replay", "answered", "--checkpoints", database, "--json")
    steps = json.loads(out)["steps"]
    assert status == 0
    assert [(step["step"], step["source"], step["next"]) for step in steps] == [
        (-1, "input", ["__start__"]),
        (0, "loop", ["plan"]),
        (1, "loop", ["approve"]),
        (2, "loop", []),
    ]
    [task] = steps[2]["tasks"]
    assert (task["node"], task["status"], task["resume"]) == ("approve", "finished", "yes")
    assert steps[1]["parent_checkpoint_id"] == steps[0]["checkpoint_id"]
    assert steps[3]["values"] == {"amount": 8, "decision": "yes"}
    assert steps[2]["changes"] == [{"op": "changed", "path": "amount", "before": 4, "after": 8, "node": "plan"}]


def test_replay_prints_how_to_answer(database: Path, run: Run) -> None:
    """`replay` of a waiting thread ends with the call that answers it, for the user's own code."""
    status, out, _ = run("replay", "wai", "--checkpoints", database)
    assert status == 0
    assert "approve interrupted  asks" in out
    assert "graph.invoke(Command(resume={'" in out


def test_messages_read_as_messages(tmp_path: Path, run: Run) -> None:
    """In the text form a message is its kind, its text and its tool calls, and another order of theirs is a change."""
    builder: Any = StateGraph(MessagesState)
    call = {"name": "search", "args": {"q": "x"}, "id": "c1", "type": "tool_call"}
    builder.add_node("model", lambda state: {"messages": [AIMessage("I look it up.", tool_calls=[call])]})
    everything = RemoveMessage(id=REMOVE_ALL_MESSAGES)
    builder.add_node("turn", lambda state: {"messages": [everything, *reversed(state["messages"])]})
    path = tmp_path / "chat.sqlite"
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph = builder.add_edge(START, "model").add_edge("model", "turn").compile(checkpointer=saver)
        graph.invoke({"messages": [HumanMessage("hello")]}, {"configurable": {"thread_id": "t"}})
    _, out, _ = run("replay", "t", "--checkpoints", path)
    assert "+ messages: human: hello  by __start__" in out
    assert 'ai: I look it up. -> search({"q":"x"})  by model' in out
    assert "~ reordered messages: [" in out
    with open_source(str(path)) as source:
        step = list(source.history("t").steps)[-1]
    shown = [block.text for block in document("Changes", step, step.changes, "parent", [], {}).blocks]
    assert "reordered: 1 2 -> 2 1   by turn" in shown


def test_replay_at_and_diff(database: Path, run: Run) -> None:
    """`--at` limits the output to one step, `--diff` compares two."""
    _, out, _ = run("replay", "answered", "--at", "0", "--checkpoints", database, "--json")
    assert [step["step"] for step in json.loads(out)["steps"]] == [0]
    _, out, _ = run("replay", "answered", "--diff", "0", "2", "--checkpoints", database, "--json")
    changes = json.loads(out)["changes"]
    assert [(change["path"], change["node"]) for change in changes] == [("amount", "plan"), ("decision", "approve")]
    for second, end in (("2", ": 2 changes"), ("1", ": 1 change")):
        _, out, _ = run("replay", "answered", "--diff", "0", second, "--checkpoints", database)
        assert out.splitlines()[0].endswith(end)


def test_a_diff_says_who_wrote_it_on_the_way(tmp_path: Path, run: Run) -> None:
    """Between two branches those of both, not those before the fork; steps of subgraphs are named by their ids."""
    path = tmp_path / "c.sqlite"
    inner = StateGraph(Refund).add_node("plan", plan).add_edge(START, "plan").compile()
    builder = StateGraph(Refund).add_node("inner", inner).add_node("approve", approve)
    builder.add_edge(START, "inner").add_edge("inner", "approve")
    here: Any = {"configurable": {"thread_id": "t"}}
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph = builder.compile(checkpointer=saver)
        graph.invoke({"amount": 4}, here)
        asked = graph.get_state(here).config
        graph.invoke(Command(resume="yes"), here)
        answered = graph.get_state(here).config["configurable"]["checkpoint_id"]
        graph.invoke(None, asked)
        graph.invoke(Command(resume="no"), here)
        fork = graph.get_state(here).config["configurable"]["checkpoint_id"]
    changes = json.loads(run("replay", "t", path, "--diff", answered, fork, "--json")[1])["changes"]
    assert [(change["path"], change["op"], change["node"]) for change in changes] == [
        ("decision", "changed", "approve")
    ]
    text = run("replay", "t", path, "--diff", "-1", fork)[1].splitlines()
    assert text[0].endswith(f" -> step 3 {fork}: 2 changes")
    assert text[1:] == ["  + amount: 8  by __start__, inner", '  + decision: "no"  by approve']
    steps = json.loads(run("replay", "t", path, "--json")[1])["steps"]
    first, *_, last = [step["checkpoint_id"] for step in steps if step["checkpoint_ns"]]
    assert run("replay", "t", path, "--diff", first, last)[1].endswith(
        ": 1 change\n  + amount: 8  by __start__, plan\n"
    )


def test_several_databases(database: Path, tmp_path: Path, run: Run) -> None:
    """`--checkpoints` may be given more than once: threads of all are listed, and replay finds the one it needs."""
    other = tmp_path / "other.sqlite"
    with SqliteSaver.from_conn_string(str(other)) as saver:
        graph = StateGraph(Refund).add_node("plan", plan).add_edge(START, "plan").compile(checkpointer=saver)
        graph.invoke({"amount": 1}, {"configurable": {"thread_id": "elsewhere"}})
    both = ("--checkpoints", database, "--checkpoints", other, "--json")
    _, out, _ = run("threads", *both)
    assert [thread["thread_id"] for thread in json.loads(out)] == ["elsewhere", "answered", "waits"]
    _, out, _ = run("replay", "elsewhere", *both)
    assert len(json.loads(out)["steps"]) == 3


def test_a_namespace_that_is_not_there(database: Path, run: Run) -> None:
    """A namespace that the thread has not is refused, with those that it has."""
    status, out, err = run("replay", "waits", "--ns", "sub:1", "--checkpoints", database)
    assert (status, out) == (2, "")
    assert "it has ''" in err


def test_replay_of_a_step_that_is_not_there(database: Path, run: Run) -> None:
    """A step that is not there is said on stderr with status 2, and nothing goes to stdout."""
    for form in ([], ["--json"]):
        status, out, err = run("replay", "answered", "--at", "77", "--checkpoints", database, *form)
        assert (status, out) == (2, "")
        assert "no step '77'" in err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b"no database at all", "is not a SQLite database"),
        (b"SQLite format 3\x00 and then nothing", "cannot be read|is damaged"),
    ],
)
def test_files_that_are_no_database(content: bytes | None, says: str, tmp_path: Path, run: Run) -> None:
    """A file that is no checkpoint database gives one sentence on stderr and status 2."""
    path = tmp_path / "x.sqlite"
    if content is not None:
        path.write_bytes(content)
    for command in (["threads"], ["replay", "t"]):
        status, out, err = run(*command, "--checkpoints", path)
        assert (status, out) == (2, "")
        assert str(path) in err
        assert any(part in err for part in says.split("|"))
        assert "Traceback" not in err


def test_a_database_of_something_else(tmp_path: Path, run: Run) -> None:
    """A SQLite database without LangGraph's tables is named as such."""
    path = tmp_path / "x.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE people (name TEXT)")
    connection.close()
    status, _, err = run("threads", "--checkpoints", path)
    assert status == 2
    assert "is not a LangGraph checkpoint database: it has no table checkpoints" in err


def test_reading_changes_no_byte(database: Path, run: Run) -> None:
    """The database is the same after `threads` and `replay`, byte for byte."""
    before = database.read_bytes()
    run("threads", "--checkpoints", database)
    run("replay", "waits", "--checkpoints", database)
    assert database.read_bytes() == before


def test_questions_of_one_status(database: Path, run: Run) -> None:
    """`--status` chooses what is listed; the figures are of all."""
    for name, threads in (("pending", ["waits"]), ("answered", ["answered"]), ("abandoned", [])):
        found = json.loads(run("approvals", database, "--status", name, "--json")[1])
        assert [row["thread_id"] for row in found["approvals"]] == threads
        assert found["metrics"]["questions"] == 2
    status, _, err = run("approvals", database, "--status", "open")
    assert (status, "pending" in err) == (2, True)


def test_questions_that_match(database: Path, run: Run) -> None:
    """`--filter` chooses what is listed and counted; a mistake in it and one that leaves nothing are told."""
    found = json.loads(run("approvals", database, "--filter", "status:answered lag>=0ms", "--json")[1])
    assert [row["thread_id"] for row in found["approvals"]] == ["answered"]
    assert found["metrics"]["questions"] == 1
    assert run("approvals", database, "--filter", "asked<2d")[2] == "flightlog: none of 2 questions matches\n"
    assert "a status is one of pending" in run("approvals", database, "--filter", "status:open")[2]
    status, _, err = run("approvals", database, "--filter", "nod:x")
    assert (status, "did you mean `node`?" in err) == (2, True)


def test_several_statuses(database: Path, run: Run) -> None:
    """Threads and questions are listed by one status or some of them, in any case; an unknown one is said with all."""
    assert [
        row["thread_id"] for row in json.loads(run("threads", database, "--status", "Interrupted", "--json")[1])
    ] == ["waits"]
    assert len(json.loads(run("threads", database, "--status", "finished,interrupted", "--json")[1])) == 2
    assert json.loads(run("threads", database, "--status", "errored", "--json")[1]) == []
    assert len(json.loads(run("approvals", database, "--status", "Pending,answered", "--json")[1])["approvals"]) == 2
    status, _, said = run("threads", database, "--status", "done")
    assert (status, said.startswith("flightlog: no status 'done': there are finished, ")) == (2, True)


def test_the_newest_threads_come_first(tmp_path: Path, run: Run) -> None:
    """A table has the newest 50, says how many there are, and -n takes another number; JSON and CSV have all."""
    path = tmp_path / "c.sqlite"
    builder = StateGraph(Refund).add_node("plan", plan).add_edge(START, "plan")
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph = builder.compile(checkpointer=saver)
        for number in range(60):
            graph.invoke({"amount": 1}, {"configurable": {"thread_id": f"t{number % 55}"}})
    newest = [f"t{number}" for number in (*range(4, -1, -1), *range(54, 4, -1))]
    assert [thread["thread_id"] for thread in json.loads(run("threads", path, "--json")[1])] == newest
    _, table, said = run("threads", path)
    assert [line.split()[0] for line in table.splitlines()[1:]] == newest[:50]
    assert said == "flightlog: 50 of 55 threads shown: -n 0 shows all\n"
    assert len(run("threads", path, "-n", "0")[1].splitlines()) == 56
    assert len(run("threads", path, "-n", "3", "--csv")[1].splitlines()) == 4


@pytest.mark.parametrize("command", ["threads", "approvals"])
def test_csv_has_what_json_has(command: str, database: Path, run: Run) -> None:
    """Each name of the JSON is a column, and the names are there where there is no row, too."""
    found = json.loads(run(command, database, "--json")[1])
    names = (found["approvals"] if command == "approvals" else found)[0].keys()
    nothing = run(command, database, "--csv", "--filter", "nothing-like-it")[1]
    for text in (run(command, database, "--csv")[1], nothing):
        assert set(csv.DictReader(text.splitlines()).fieldnames or ()) == set(names)


def test_times_are_shown_in_a_zone(database: Path, run: Run) -> None:
    """`--tz` moves what the tables and the replay show; the JSON keeps UTC."""
    stored = json.loads(run("threads", "--checkpoints", database, "--json")[1])[0]["updated_at"]
    there = datetime.fromisoformat(stored).astimezone(ZoneInfo("Asia/Kathmandu"))
    zone = ("--checkpoints", database, "--tz", "Asia/Kathmandu")
    assert f"{there:%Y-%m-%d %H:%M:%S}" in run("threads", *zone)[1]
    assert f"{there:%H:%M}" in run("approvals", *zone)[1]
    replayed = run("replay", "answered", *zone)[1].splitlines()
    assert f"{there:%Y-%m-%d}" in replayed
    assert any(f"{there:%H:%M:%S}" in line for line in replayed)
    assert json.loads(run("threads", *zone, "--json")[1])[0]["updated_at"] == stored
    status, _, err = run("threads", "--checkpoints", database, "--tz", "Nowhere/Land")
    assert (status, "no time zone 'Nowhere/Land'" in err) == (2, True)


def test_threads_of_one_name_in_several_databases(database: Path, tmp_path: Path, run: Run) -> None:
    """The list names a thread's database; a whole id goes before the beginning of one; a second home is said."""
    other = tmp_path / "other.sqlite"
    with SqliteSaver.from_conn_string(str(other)) as saver:
        builder = StateGraph(Refund).add_node("plan", plan).add_edge(START, "plan")
        for name in ("wait", "answered"):
            builder.compile(checkpointer=saver).invoke({"amount": 1}, {"configurable": {"thread_id": name}})
    both = ("--checkpoints", database, "--checkpoints", other)
    found = {
        (thread["thread_id"], Path(thread["database"]).name)
        for thread in json.loads(run("threads", *both, "--json")[1])
    }
    assert found == {
        ("answered", database.name), ("waits", database.name), ("answered", "other.sqlite"), ("wait", "other.sqlite"),
    }  # fmt: skip
    assert "thread wait\n" in run("replay", "wait", *both)[1]
    status, out, err = run("replay", "answered", *both)
    assert (status, "step 2" in out) == (0, True)
    assert f"is in {other} as well" in err
    assert "is in" in run("replay", "ans", *both)[2]
    assert "2 or more threads" in run("replay", "wai", *both)[2]
