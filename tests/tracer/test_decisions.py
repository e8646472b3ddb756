"""Decision models: LangChain tells of them as of chains, and they cost tokens all the same."""

import asyncio
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig, RunnableLambda, RunnableSerializable
from langgraph.graph import START, StateGraph
from pydantic import BaseModel, SecretStr

from flightlog import JsonlTracer, Span
from tests.tracer.graphs import Log, is_clean
from tests.tracer.openai_server import Server, openai_server

URGENT: Any = {"answers": [{"name": "urgent", "type": "predicate", "probability": 0.93}]}
COUNTS = {"input_tokens": 40, "output_tokens": 2}


@pytest.fixture
def server() -> Iterator[Server]:
    with openai_server() as found:
        yield found


def decisions(server: Server) -> Any:
    from langchain_openai.decisions import OpenAIDecisions

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is in beta
        return OpenAIDecisions(model="gpt-judge", base_url=server.url, api_key=SecretStr("sk-never-recorded"))


def asked(text: str = "The site is down!") -> dict[str, Any]:
    from langchain_openai.decisions import Predicate

    return {"input": text, "questions": {"urgent": Predicate(instructions="Is this urgent?")}}


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_decision_is_a_model_call(server: Server, is_async: bool) -> None:
    """Its model, provider, tokens, question and answer are recorded as those of a chat model."""
    server.script = [{**URGENT, "usage": COUNTS}]
    tracer = JsonlTracer()
    model = decisions(server)
    config: RunnableConfig = {"callbacks": [tracer]}
    if is_async:

        async def ask() -> None:
            await model.ainvoke(asked(), config)
            await model._async_client.close()

        asyncio.run(ask())
    else:
        model.invoke(asked(), config)
    assert is_clean(tracer)
    (span,) = tracer.spans
    assert (span.type, span.kind, span.name, span.status) == ("llm", None, "OpenAIDecisions", "ok")
    assert (span.request_model, span.model, span.provider) == ("gpt-judge", "gpt-judge-0613", "openai")
    assert (span.token_usage, span.response_id) == ({**COUNTS, "total_tokens": 42}, "req_1")
    assert span.inputs["input"] == "The site is down!"
    assert span.inputs["questions"]["urgent"]["instructions"] == "Is this urgent?"
    assert span.output["answers"]["urgent"]["probability"] == 0.93
    assert tracer.summary()["llm"]["total_tokens"] == 42
    assert "sk-never-recorded" not in str(span)


def test_a_decision_that_a_node_asks_for(server: Server) -> None:
    """It stands below its node, which stays one, also where the model itself was added as the node."""
    server.script = [{**URGENT, "usage": COUNTS}, {**URGENT, "usage": COUNTS}]
    model = decisions(server)

    def in_code(state: Any, config: RunnableConfig) -> dict[str, Any]:
        return {"log": [model.invoke(asked(), config).predicates["urgent"].probability]}

    as_node = RunnableLambda(lambda state: asked()) | model | (lambda answer: {"log": [answer.predicates]})
    for node in (in_code, as_node):
        graph: Any = StateGraph(Log)
        graph.add_node("judge", node)
        graph.add_edge(START, "judge")
        tracer = JsonlTracer()
        graph.compile().invoke({"log": []}, {"callbacks": [tracer]})
        assert is_clean(tracer)
        by_id: dict[str | None, Span] = {span.run_id: span for span in tracer.spans}
        (call,) = (span for span in tracer.spans if span.type == "llm")
        above = []
        found = by_id.get(call.parent_run_id)
        while found is not None:
            above.append(found.kind)
            found = by_id.get(found.parent_run_id)
        assert [kind for kind in above if kind in ("node", "graph")] == ["node", "graph"]
        assert call.node == "judge"


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": None}], ids=["none", "empty", "null"])
def test_counts_that_are_not_reported_are_none(server: Server, usage: Any) -> None:
    """No counts are no token_usage, and never zero tokens."""
    server.script = [{**URGENT, "usage": usage}]
    tracer = JsonlTracer()
    decisions(server).invoke(asked(), {"callbacks": [tracer]})
    assert tracer.spans[0].token_usage is None


def test_a_decision_that_is_refused_is_an_error(server: Server) -> None:
    """What the server refuses is an error of the call, with the model that was asked."""
    server.script = [400]
    tracer = JsonlTracer()
    with pytest.raises(Exception, match="slow down"):
        decisions(server).invoke(asked(), {"callbacks": [tracer]})
    assert is_clean(tracer)
    (span,) = tracer.spans
    assert (span.type, span.status, span.request_model) == ("llm", "error", "gpt-judge")


class Answer(BaseModel):
    """Shaped as ``ClassifierResponse`` of langchain-core 1.8."""

    model: str
    answers: dict[str, Any]
    usage: Any = None
    request_id: str | None = None


class Classifier(RunnableSerializable[Any, Any]):
    """Calls as ``BaseDecisionModel`` of langchain-core 1.8 does."""

    answer: Any

    def invoke(self, input: Any, config: RunnableConfig | None = None, **_: Any) -> Any:
        return self._call_with_config(lambda _: self.answer, input, config, run_type="llm")


DETAILED = {**COUNTS, "total_tokens": 50, "input_token_details": {"cache_read": 8}}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(model="judge-1", answers={}, usage=DETAILED, request_id="r"), DETAILED),
        (Answer(model="", answers={}, usage={"input_tokens": 3}), {"input_tokens": 3, "total_tokens": 3}),
        ("an answer in words", None),
        (None, None),
    ],
    ids=["LangChain's", "in part", "text", "nothing"],
)
def test_other_decision_models(answer: Any, expected: Any) -> None:
    """Counts that are a dictionary are kept whole; an answer of any other kind is a model call too."""
    tracer = JsonlTracer()
    Classifier(answer=answer).invoke({"state": "s", "questions": {}}, {"callbacks": [tracer]})
    assert is_clean(tracer)
    (span,) = tracer.spans
    assert (span.type, span.status, span.token_usage) == ("llm", "ok", expected)


def test_an_answer_that_fails_when_asked_is_recorded() -> None:
    """An object whose attributes raise costs its counts, and nothing else."""

    class Hostile:
        @property
        def usage(self) -> Any:
            raise RuntimeError("no")

    tracer = JsonlTracer()
    Classifier(answer=Hostile()).invoke("s", {"callbacks": [tracer]})
    (span,) = tracer.spans
    assert (span.type, span.status) == ("llm", "ok")
    assert tracer.stats()["faults"] == 1
