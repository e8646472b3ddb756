"""What the names of channels mean, in the layouts of all versions of checkpoints."""

from typing import Any

import pytest

from flightlog_viewer.checkpoints.channels import SENDS, START, Triggers, is_state, sends, triggers_of
from flightlog_viewer.checkpoints.inert import TYPE


@pytest.mark.parametrize(
    "name",
    ["messages", "__private", "private__", "a:b", "p:q:r:s", "branch:a:b", "__root__", "__end__", "__previous__"],
)
def test_names_that_an_application_may_choose(name: str) -> None:
    """Underlines at one end and colons make no channel the engine's."""
    assert is_state(name)


@pytest.mark.parametrize(
    "name",
    ["__start__", "__input__", "__pregel_tasks", "branch:to:a", "join:a+b:c", "start:a", "branch:a:condition:b"],
)
def test_names_of_the_engine(name: str) -> None:
    """Inputs, Sends, edges, joins and branches are no state."""
    assert not is_state(name)


@pytest.mark.parametrize(
    ("node", "triggers"),
    [
        ("c", {"branch:to:c", "join:a+b:c", "join:a+x:y:c"}),
        ("d", {"branch:to:d", "start:d"}),
        ("e", {"branch:to:e", "branch:a:condition:e"}),
        ("f", {"branch:to:f"}),
    ],
)
def test_the_channels_that_trigger_a_node(node: str, triggers: set[str]) -> None:
    """Names of the layout count; those that only look like it, or lead elsewhere, do not."""
    there = [
        "join:a+b:c",
        "join:a+x:y:c",
        "start:d",
        "branch:a:condition:e",
        "branch:a:f",
        "a:b:f",
        "p:q:r:f",
        "join:f",
    ]
    assert triggers_of(node, there) == triggers


def test_only_sends_are_sent() -> None:
    """What else stands in the channel for Sends makes no task."""
    send = {TYPE: "langgraph.types.Send", "node": "a"}
    assert sends([send, {TYPE: "of.another.Kind", "node": "b"}, {"node": "c"}, "d", send]) == [send, send]
    assert sends({"node": "a"}) == []


def test_a_channel_of_the_engine_is_no_edge() -> None:
    """That a node has seen it makes no node due, however new it is."""
    triggers = Triggers()
    triggers.learn({"a": {SENDS: 1, "branch:to:a": 1}})
    assert triggers.due({SENDS: []}, {SENDS: 2}, {"a": {SENDS: 1, "branch:to:a": 1}}) == []


def test_the_input_makes_an_entrypoint_due() -> None:
    """Where no checkpoint names it yet the rows do, and then it stays known what kind of graph this is."""
    triggers, kinds = Triggers(), []
    for ran, due in (((), [START]), ((START, "flow"), ["flow"]), ((), [START])):
        assert triggers.due({START: 1}, {START: 1}, {}, ran) == due
        kinds.append(triggers.functional)
    assert kinds == [False, True, True]


def test_a_known_entrypoint_needs_no_rows() -> None:
    """Its tasks' rows name other nodes, which the input does not make due."""
    triggers = Triggers()
    triggers.learn({"flow": {START: 1}})
    assert triggers.due({START: 2}, {START: 2}, {"flow": {START: 1}}, ["a task"]) == ["flow"]


@pytest.mark.parametrize(
    ("version", "seen", "is_due"),
    [
        (2, 1, True),
        (2, 2, False),
        (10, 9, True),
        ("0002.7", "0001.9", True),
        ("0001.9", "0001.9", False),
        (1, None, True),
        (0, None, False),
        ("3", 2, True),
        (2, "3", False),
    ],
)
def test_a_node_is_due_when_its_channel_is_newer_than_what_it_saw(version: Any, seen: Any, is_due: bool) -> None:
    """Versions are numbers or texts, by the saver; of two kinds in one database the texts are compared."""
    known = {} if seen is None else {"branch:to:a": seen}
    due = Triggers().due({"branch:to:a": None}, {"branch:to:a": version}, {"a": known})
    assert due == (["a"] if is_due else [])


@pytest.mark.parametrize(
    ("channel", "value", "is_due"),
    [
        ("join:a+b:c", {"items": ["a", "b"]}, True),
        ("join:a+b:c", {"items": ["a"]}, False),
        ("join:a+b:c", {"items": []}, False),
        ("join:a+b:c", [{"items": ["a", "b"]}, True], True),
        ("join:a+b:c", [{"items": ["a", "b"]}, False], False),
        ("branch:to:c", [None, True], True),
        ("branch:to:c", [None, False], False),
        ("branch:to:c", None, True),
    ],
)
def test_a_node_that_waits_for_others_is_due_when_they_are_through(channel: str, value: Any, is_due: bool) -> None:
    """A join waits for all of its nodes; a deferred node until LangGraph releases it, which stands beside the value."""
    assert Triggers().due({channel: value}, {channel: 1}, {}) == (["c"] if is_due else [])
