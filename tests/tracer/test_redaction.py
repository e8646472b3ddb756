"""Secrets are hidden before anything is written; a failing rule drops the field."""

import re
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda

from flightlog import JsonlTracer, UsageError
from flightlog.payloads.redaction import REDACTED
from tests.tracer.models import ScriptedModel, call

SECRET = "sk-1234567890"


def run(value: Any, **options: Any) -> JsonlTracer:
    tracer = JsonlTracer(**options)
    RunnableLambda(lambda found: found).invoke(value, {"callbacks": [tracer], "metadata": {"api_key": SECRET, "u": 1}})
    return tracer


@pytest.mark.parametrize(
    "key", ["password", "API_KEY", "Authorization", "x-api-key", "Set-Cookie", "aws_secret_access_key"]
)
def test_default_keys_are_hidden_at_any_depth(key: str) -> None:
    """Whole keys, whatever their case and dashes, in inputs, output and metadata."""
    (span,) = run({"config": [{key: SECRET, "kept": 1}]}).spans
    assert span.inputs == span.output == {"config": [{key: REDACTED, "kept": 1}]}
    assert span.metadata == {"api_key": REDACTED, "u": 1}


@pytest.mark.parametrize("key", ["password", "X-API-Key", "Set-Cookie"])
def test_keys_are_hidden_in_long_tables_too(key: str) -> None:
    """Many rows of plain values, which are encoded in one piece, are searched for the same keys."""
    rows = [{"n": number, **({key: SECRET} if number == 150 else {})} for number in range(200)]
    (span,) = run({"rows": rows}).spans
    assert span.inputs["rows"][150] == {"n": 150, key: REDACTED}
    assert span.inputs["rows"][149] == {"n": 149}


def test_only_whole_keys_are_hidden() -> None:
    """A key that merely contains a secret word, and text that speaks of one, stay."""
    value = {"password_hint": "pet", "input_tokens": 5, "text": 'the "password": here', "author": "x"}
    (span,) = run(value).spans
    assert span.inputs == value


def test_secrets_in_tool_calls_and_messages_are_hidden() -> None:
    """Arguments of tool calls and extra fields of messages are looked at like everything else."""
    tracer = JsonlTracer()
    answer = AIMessage("", tool_calls=[call("login", {"user": "u", "password": SECRET})])
    model = ScriptedModel(script=[answer])
    model.invoke([HumanMessage("x", additional_kwargs={"cookie": SECRET})], {"callbacks": [tracer]})
    (span,) = tracer.spans
    assert span.output["tool_calls"][0]["args"] == {"user": "u", "password": REDACTED}
    assert span.inputs["messages"][0]["additional_kwargs"] == {"cookie": REDACTED}


def test_the_key_of_messages_can_be_hidden() -> None:
    """What has a quick way of its own, a state of messages, is hidden by a rule for its key all the same."""
    (span,) = run({"messages": [HumanMessage(SECRET)]}, redact=["messages"]).spans
    assert span.inputs == span.output == {"messages": REDACTED}


def test_keys_of_ones_own_are_added_and_none_switches_off() -> None:
    """redact= adds one rule or several to the default keys; None hides nothing."""
    (span,) = run({"ssn": "1", "password": "2"}, redact=["SSN"]).spans
    assert span.inputs == {"ssn": REDACTED, "password": REDACTED}
    (span,) = run({"ssn": "1", "s": "2"}, redact="ssn").spans
    assert span.inputs == {"ssn": REDACTED, "s": "2"}
    (span,) = run({"ssn": "1", "password": "2"}, redact=None).spans
    assert span.inputs == {"ssn": "1", "password": "2"}


def test_patterns_apply_to_every_string() -> None:
    """Keys, values, messages, errors and stack traces; ids stay whole."""
    pattern = re.compile(r"sk-\d+|\d{4}")

    def fail(_: Any) -> None:
        raise ValueError(f"refused {SECRET}")

    tracer = JsonlTracer(redact=pattern)
    with pytest.raises(ValueError, match="refused"):
        RunnableLambda(fail).invoke({"messages": [HumanMessage(f"my key is {SECRET}")]}, {"callbacks": [tracer]})
    (span,) = tracer.spans
    assert span.inputs["messages"][0]["content"] == f"my key is {REDACTED}"
    assert span.error is not None
    assert span.error["message"] == f"refused {REDACTED}"
    assert SECRET not in str(span)
    assert span.run_id == span.trace_id


def test_patterns_apply_to_tags() -> None:
    """A tag may name a customer: it is a text of the application's as any other."""
    tracer = JsonlTracer(redact=re.compile("acme"))
    RunnableLambda(lambda found: found).invoke(1, {"callbacks": [tracer], "tags": ["tenant:acme", "beta"]})
    (span,) = tracer.spans
    assert span.tags == [f"tenant:{REDACTED}", "beta"]


def test_a_pattern_that_matches_in_a_key_does_not_uncover_its_value() -> None:
    """A key that is to be hidden is known by what it was before a pattern hid a part of it."""
    (span,) = run({"password": SECRET, "pass": "kept"}, redact=re.compile("pass")).spans
    assert span.inputs == {f"{REDACTED}word": REDACTED, REDACTED: "kept"}


def test_keys_of_bytes_are_hidden_too() -> None:
    """Headers as a server has them, with keys of bytes, are looked at like others, and their keys are text."""
    (span,) = run({b"Authorization": SECRET, b"host": "h", b"\xff": 1}).spans
    assert span.inputs == {"Authorization": REDACTED, "host": "h", "\\xff": 1}


def test_every_rule_applies() -> None:
    """Several patterns and callables all apply, the callables one after the other."""
    rules = [re.compile("one"), re.compile("two"), lambda _, value: [value, 3], lambda _, value: [*value, 4]]
    (span,) = run("one two", redact=rules).spans
    assert span.inputs == [f"{REDACTED} {REDACTED}", 3, 4]


def test_a_callable_sees_and_answers_whole_payloads() -> None:
    """A callable gets the field's name and plain JSON values, and what it answers is recorded."""
    seen: list[str] = []

    def rule(field: str, value: Any) -> Any:
        seen.append(field)
        return {"only": "this"} if field == "inputs" else value

    (span,) = run({"a": 1}, redact=rule).spans
    assert (span.inputs, span.output) == ({"only": "this"}, {"a": 1})
    assert sorted(set(seen)) == ["inputs", "metadata", "output"]


def test_a_failing_rule_drops_the_field_and_is_counted(tmp_path: Path) -> None:
    """What could not be redacted is not written, and the application does not notice."""

    def rule(field: str, value: Any) -> Any:
        raise RuntimeError(SECRET)

    path = tmp_path / "trace.jsonl"
    with JsonlTracer(path, redact=rule) as tracer:
        plus_one: Any = RunnableLambda(lambda n: n + 1)
        assert plus_one.invoke(1, {"callbacks": [tracer]}) == 2
        assert tracer.stats()["redaction_failures"] == 2
    text = path.read_text()
    assert SECRET not in text
    assert '"inputs"' not in text
    assert '"status":"ok"' in text


def test_the_sidecar_is_redacted_too(tmp_path: Path) -> None:
    """What is written of a run in flight has been through the same rules."""
    path = tmp_path / "trace.jsonl"
    seen: list[str] = []

    def look(_: Any) -> None:
        seen.extend(file.read_text() for file in tmp_path.glob("*.open"))

    with JsonlTracer(path) as tracer:
        RunnableLambda(look).invoke({"password": SECRET}, {"callbacks": [tracer]})
    assert seen
    assert SECRET not in seen[0]
    assert REDACTED in seen[0]


@pytest.mark.parametrize(
    ("capture", "inputs", "output"),
    [
        ("none", None, None),
        ({"inputs": "none"}, None, {"b": 2}),
        ({"output": "none"}, {"a": 1}, None),
    ],
)
def test_capture_none_records_nothing_of_a_payload(capture: Any, inputs: Any, output: Any) -> None:
    """Each side can be left out."""
    tracer = JsonlTracer(capture=capture)
    chain: Any = RunnableLambda(lambda _: {"b": 2})
    chain.invoke({"a": 1}, {"callbacks": [tracer]})
    (span,) = tracer.spans
    assert (span.inputs, span.output) == (inputs, output)


def test_capture_metadata_records_type_size_and_hash() -> None:
    """The payload itself is not there, but equal payloads can be told."""
    tracer = JsonlTracer(capture="metadata")
    chain: Any = RunnableLambda(lambda found: dict(found))
    chain.invoke({"a": SECRET}, {"callbacks": [tracer]})
    (span,) = tracer.spans
    assert set(span.inputs) == {"type", "bytes", "sha256"}
    assert span.inputs == span.output
    assert span.inputs["type"] == "dict"
    assert SECRET not in str(span)


@pytest.mark.parametrize("capture", ["some", {"inputs": "all", "outputs": "all"}, {"inputs": "half"}])
def test_a_capture_that_cannot_be_meant_is_refused(capture: Any) -> None:
    """A misspelt mode must not record what it was meant to hide."""
    with pytest.raises(UsageError):
        JsonlTracer(capture=capture)
