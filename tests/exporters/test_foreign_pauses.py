"""Questions and answers of LangGraph in the spans of other instrumentations."""

import dataclasses
import subprocess
import sys
from typing import Any

import pytest
from langgraph.errors import GraphInterrupt
from langgraph.types import Command, Interrupt

from flightlog.span import Span
from flightlog_exporters.otel_span import ERROR, Event, OtelSpan
from flightlog_exporters.readers.foreign import to_span
from flightlog_exporters.semconv.json_text import encode

ID = "f132bc3cd9b76486d311cb628e6ca576"
OTHER = "9510546f80de48fdca0cb6879590e61e"


class Review:
    """A question that is no literal."""

    def __repr__(self) -> str:
        return "Review(order=7)"


def stopped(*interrupts: Interrupt, text: str | None = None) -> Span:
    """A node that raised these questions, as OpenInference and OpenLLMetry record it."""
    error = GraphInterrupt(interrupts)
    about = {"exception.type": "langgraph.errors.GraphInterrupt", "exception.message": text or str(error)}
    return to_span(foreign({}, status=ERROR, status_message=repr(error), events=[Event("exception", 2, about)]))


def foreign(attributes: dict[str, Any], **more: Any) -> OtelSpan:
    """A span of somebody else."""
    ids: dict[str, Any] = {"trace_id": b"t" * 16, "span_id": b"s" * 8, "parent_span_id": b"", "kind": 1}
    return OtelSpan(name="node", start_ns=0, end_ns=2, attributes=attributes, **ids, **more)


def resumed(given: Any) -> Span:
    """The root of a graph with this input, as OpenInference records it."""
    return to_span(
        foreign(
            {
                "openinference.span.kind": "CHAIN",
                "metadata": '{"thread_id": "t", "ls_integration": "langgraph"}',
                "input.value": encode(given),
                "input.mime_type": "application/json",
            }
        )
    )


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("go on?", "go on?"),
        ("it's (odd), id='no'", "it's (odd), id='no'"),
        ({"action": "refund", "args": {"order": 7, 8: None}}, {"action": "refund", "args": {"order": 7, "8": None}}),
        ([("a", True), 1.5, -2], [["a", True], 1.5, -2]),
        ([{"x": [None, ()]}, 1e300, 1e-7, "\"'\\n#("], [{"x": [None, []]}, 1e300, 1e-7, "\"'\\n#("]),
        (2**80, str(2**80)),
        (Review(), "Review(order=7)"),
        ({"order": Review()}, "{'order': Review(order=7)}"),
        (b"bytes", "b'bytes'"),
        (float("inf"), "inf"),
    ],
)
def test_a_question_is_read_out_of_the_exception(asked: Any, told: Any) -> None:
    """What a human was asked is there as the JSON it was; what is no literal as its text."""
    span = stopped(Interrupt(value=asked, id=ID))
    assert span.interrupts == [{"id": ID, "value": told}]
    assert Span.from_json(span.to_json()) == span


@pytest.mark.parametrize(
    ("message", "status", "asked"),
    [
        (repr(GraphInterrupt([Interrupt(value="go on?", id=ID)])), "interrupted", [{"id": ID, "value": "go on?"}]),
        ("langgraph.errors.GraphInterrupt: ()", "interrupted", None),
        ("CancelledError", "cancelled", None),
        ("ValueError: GraphInterrupt(", "error", None),
        ("GraphInterrupted: no", "error", None),
    ],
)
def test_a_pause_is_known_by_its_status_alone(message: str, status: str, asked: Any) -> None:
    """Where the event of the exception was left out, the message of the status still says what stopped the run."""
    span = to_span(foreign({}, status=ERROR, status_message=message))
    assert (span.status, span.interrupts) == (status, asked)


def test_several_questions_of_one_step_are_each_there_once() -> None:
    """Each question has its own id and value, though message and status both name it."""
    span = stopped(Interrupt(value="first", id=ID), Interrupt(value={"second": 2}, id=OTHER))
    assert span.interrupts == [{"id": ID, "value": "first"}, {"id": OTHER, "value": {"second": 2}}]


@pytest.mark.parametrize(
    "value",
    [
        "[" * 5_000,
        "-" * 5_000 + "1",
        "().a" * 3_000,
        "9" * 9_000,
        "'\\d'",
        "__import__('os').abort()",
        "'\\ud800'",
        "1e999",
    ],
)
def test_a_hostile_question_is_only_text(value: str) -> None:
    """What Python's parser will not take as a literal is neither executed nor an error."""
    span = stopped(text=f"(Interrupt(value={value}, id='{ID}'),)")
    assert span.interrupts is not None
    assert span.interrupts[0]["id"] == ID
    assert isinstance(span.interrupts[0]["value"], str)
    Span.from_json(span.to_json())


IN_A_SMALL_THREAD = """
import threading
from flightlog_exporters.readers.pauses import questions

def look():
    for text in ("-" * 16_000 + "1", "1+" * 8_000 + "1", "1-" * 8_000 + "1", "1 " * 8_000, "()" * 8_000, "[0]" * 5_000,
                 "not " * 4_000 + "1", "(" * 49 + "-" * 16_000, "a." * 8_000 + "a", "f(" * 8_000, "1if 1else " * 1_500):
        found = questions(f"(Interrupt(value={text}, id='" + "a" * 32 + "'),)")
        assert found[0]["value"] == text, text[:20]
    print("alive")

threading.stack_size(128 * 1024)
thread = threading.Thread(target=look)
thread.start()
thread.join()
"""


def test_a_hostile_question_does_not_end_the_process() -> None:
    """Chains that Python's parser follows deeper than a small stack goes are not given to it."""
    done = subprocess.run([sys.executable, "-c", IN_A_SMALL_THREAD], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


def test_a_question_that_was_cut_keeps_its_id() -> None:
    """Instrumentations cut long texts; an id without its question still names it."""
    assert stopped(text=f"... id='{ID}'),)").interrupts == [{"id": ID}]


@pytest.mark.parametrize(
    ("resume", "told"),
    [
        ("yes", [{"value": "yes"}]),
        (False, [{"value": False}]),
        ({ID: "yes", OTHER: "no"}, [{"interrupt_id": ID, "value": "yes"}, {"interrupt_id": OTHER, "value": "no"}]),
        ({"type": "accept"}, [{"value": {"type": "accept"}}]),
    ],
)
def test_a_run_that_went_on_tells_the_answer(resume: Any, told: Any) -> None:
    """A graph whose input was a Command with an answer has that answer, as one that we record has."""
    given = dataclasses.asdict(Command(resume=resume))
    assert resumed(given).resumes == told


@pytest.mark.parametrize(
    "given", [{"resume": "yes"}, "resume", {"graph": None, "update": {}, "resume": None, "goto": []}]
)
def test_other_input_is_no_answer(given: Any) -> None:
    """State that has a key called resume, and a Command without an answer, answer nothing."""
    assert resumed(given).resumes is None
