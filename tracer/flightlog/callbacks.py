"""LangChain's callbacks, each as one call of the recorder.

A raw handler, not LangChain's ``BaseTracer``: that one copies every payload and never forgets a cancelled run. Nothing
here raises into the application.
"""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID, uuid4

from langchain_core.callbacks.base import BaseCallbackHandler

from flightlog.events import usage
from flightlog.events.failure import tool_message_error
from flightlog.events.kinds import chain_kind
from flightlog.events.names import run_name
from flightlog.events.no_such_tool import no_such_tools
from flightlog.events.runs import OpenRun
from flightlog.payloads.plain import text_of
from flightlog.recorder import NOTHING, Recorder
from flightlog.span import Kind

_NO_METADATA: Final[dict[str, Any]] = {}


class Callbacks(BaseCallbackHandler):
    """Tells a recorder of every chain, LLM, tool and retriever run."""

    # Asked before every event: as properties, which they are in the base class, they cost a call each time.
    ignore_chain = False
    ignore_llm = False
    ignore_chat_model = False
    ignore_agent = False
    ignore_retriever = False

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder: Final = recorder
        self._runs: Final = recorder.runs
        self._now: Final = recorder.now
        self._caught: Final = recorder.containment.caught

    def on_chain_start(
        self,
        serialized: dict[str, Any] | None,
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        try:
            if kwargs.get("run_type") == "llm":
                # A decision model: LangChain tells of it as of a chain.
                self._model_start(serialized, inputs, run_id, parent_run_id, tags, metadata, kwargs)
                return
            name = run_name(serialized, kwargs.get("name"), "chain")
            about = metadata or _NO_METADATA
            kind: Kind = "node"
            last = tags[-1] if tags else None
            if type(last) is not str or not last.startswith("graph:step:"):
                parent = self._runs.open.get(parent_run_id.int) if parent_run_id is not None else None
                kind = chain_kind(about, tags, parent, name, "run_type" in kwargs)
            self._recorder.start("chain", run_id, parent_run_id, name, inputs, about, tags, kind)
        except Exception as error:
            self._caught("on_chain_start", error)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any) -> None:
        now = self._now()
        try:
            run = self._runs.open.get(run_id.int)
            fields = None
            if run is not None:
                if run.kind == "node":
                    try:
                        answers = no_such_tools(outputs)
                    except Exception as error:
                        self._caught("on_chain_end", error)
                    else:
                        if answers:
                            self._no_such_tools(answers, run_id, run)
                elif run.type == "llm":
                    fields = self._decision(outputs)
            self._recorder.end(run_id, "ok", now, outputs, fields, parent_key=parent_run_id)
        except Exception as error:
            self._caught("on_chain_end", error)

    def on_chain_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        self._failed("chain", error, run_id, parent_run_id)

    def on_chat_model_start(
        self,
        serialized: dict[str, Any] | None,
        messages: list[list[Any]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        try:
            given = {"messages": messages[0] if len(messages) == 1 else messages}
            self._model_start(serialized, given, run_id, parent_run_id, tags, metadata, kwargs)
        except Exception as error:
            self._caught("on_chat_model_start", error)

    def on_llm_start(
        self,
        serialized: dict[str, Any] | None,
        prompts: list[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        try:
            self._model_start(serialized, {"prompts": prompts}, run_id, parent_run_id, tags, metadata, kwargs)
        except Exception as error:
            self._caught("on_llm_start", error)

    def _model_start(
        self,
        serialized: dict[str, Any] | None,
        inputs: Any,
        run_id: UUID,
        parent_run_id: UUID | None,
        tags: list[str] | None,
        metadata: dict[str, Any] | None,
        kwargs: dict[str, Any],
    ) -> None:
        invocation = kwargs.get("invocation_params")
        invocation = invocation if isinstance(invocation, dict) else {}
        about = metadata or _NO_METADATA
        fields: dict[str, Any] = {}
        try:
            fields = usage.request_fields(invocation, about)
            if tools := invocation.get("tools"):
                inputs["tools"] = tools
        except Exception as error:
            self._caught("a model's parameters", error)
        name = run_name(serialized, kwargs.get("name") or fields.get("request_model"), "llm")
        self._recorder.start("llm", run_id, parent_run_id, name, inputs, about, tags, None, fields)

    def on_llm_new_token(self, token: Any = "", *, chunk: Any = None, run_id: UUID, **kwargs: Any) -> None:
        try:
            run = self._runs.open.get(run_id.int)
            if run is not None:
                told = run.remark()
                told.chunks += 1
                if not told.first_token_ns and (token or usage.has_tool_call(chunk)):
                    told.first_token_ns = self._now()
        except Exception as error:
            self._caught("on_llm_new_token", error)

    def on_stream_event(self, event: Any, *, run_id: UUID, **kwargs: Any) -> None:
        try:
            run = self._runs.open.get(run_id.int)
            if run is not None and event.get("event") == "content-block-delta":
                told = run.remark()
                told.stream_events += 1
                if not told.first_token_ns:
                    told.first_token_ns = self._now()
        except Exception as error:
            self._caught("on_stream_event", error)

    def on_llm_end(self, response: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any) -> None:
        now = self._now()
        try:
            output, fields = self._answer(response)
            self._recorder.end(run_id, "ok", now, output, fields, type_="llm", parent_key=parent_run_id)
        except Exception as error:
            self._caught("on_llm_end", error)

    def on_llm_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        self._failed("llm", error, run_id, parent_run_id, kwargs.get("response"))

    def on_tool_start(
        self,
        serialized: dict[str, Any] | None,
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        inputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        try:
            name = run_name(serialized, kwargs.get("name"), "tool")
            call = kwargs.get("tool_call_id")
            fields = {"tool_call_id": call} if isinstance(call, str) else None
            given = input_str if inputs is None else inputs
            self._recorder.start(
                "tool", run_id, parent_run_id, name, given, metadata or _NO_METADATA, tags, None, fields
            )
        except Exception as error:
            self._caught("on_tool_start", error)

    def on_tool_end(self, output: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any) -> None:
        now = self._now()
        try:
            fields = self._tool_answer(output, run_id)
            status = "error" if "error" in fields else "ok"
            self._recorder.end(run_id, status, now, output, fields, type_="tool", parent_key=parent_run_id)
        except Exception as error:
            self._caught("on_tool_end", error)

    def on_tool_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        self._failed("tool", error, run_id, parent_run_id)

    def on_retriever_start(
        self,
        serialized: dict[str, Any] | None,
        query: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        try:
            name = run_name(serialized, kwargs.get("name"), "retriever")
            self._recorder.start("retriever", run_id, parent_run_id, name, query, metadata or _NO_METADATA, tags)
        except Exception as error:
            self._caught("on_retriever_start", error)

    def on_retriever_end(
        self, documents: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        now = self._now()
        try:
            fields = {"document_count": len(documents)} if isinstance(documents, list | tuple) else None
            self._recorder.end(run_id, "ok", now, documents, fields, type_="retriever", parent_key=parent_run_id)
        except Exception as error:
            self._caught("on_retriever_end", error)

    def on_retriever_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        self._failed("retriever", error, run_id, parent_run_id)

    def on_custom_event(
        self,
        name: str,
        data: Any,
        *,
        run_id: UUID,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        try:
            # It carries its parent's run_id, and is a span of its own without duration.
            own = uuid4()
            named = name if isinstance(name, str) else text_of(name)
            self._recorder.start("event", own, run_id, named, data, metadata or _NO_METADATA, tags)
            self._recorder.end(own, "ok", self._now())
        except Exception as error:
            self._caught("on_custom_event", error)

    def on_interrupt(self, event: Any) -> None:
        """LangGraph: a graph pauses, for an ``interrupt()`` or at a static breakpoint."""
        try:
            self._runs.paused(event.run_id, event.checkpoint_id, event.interrupts)
        except Exception as error:
            self._caught("on_interrupt", error)

    def on_resume(self, event: Any) -> None:
        """LangGraph: a graph goes on from a checkpoint."""
        try:
            self._runs.resumed(event.run_id, event.checkpoint_id)
        except Exception as error:
            self._caught("on_resume", error)

    def _answer(self, response: Any) -> tuple[Any, dict[str, Any] | None]:
        """What to record of a model's answer; all of it where it is none that can be read."""
        try:
            return usage.output(response), usage.response_fields(response)
        except Exception as error:
            self._caught("on_llm_end", error)
            return response, None

    def _decision(self, response: Any) -> dict[str, Any] | None:
        """What a decision model's answer says of the call; nothing where it cannot be asked."""
        try:
            return usage.decision_fields(response)
        except Exception as error:
            self._caught("on_chain_end", error)
            return None

    def _no_such_tools(self, answers: Iterable[Any], run_id: UUID, node: OpenRun) -> None:
        """Record calls of tools that do not exist, below the node that answered them."""
        about = node.place.as_metadata()
        for answer in answers:
            own = uuid4()
            fields: dict[str, Any] = {"tool_call_id": answer.tool_call_id}
            run = self._recorder.start("tool", own, run_id, answer.name, None, about, None, None, fields)
            if run is not None:
                run.inputs = None  # they stand in the call, which the node was given
            self._recorder.end(own, "error", self._now(), answer, {"error": tool_message_error(answer)}, type_="tool")

    def _tool_answer(self, output: Any, run_id: UUID) -> dict[str, Any]:
        """What a tool's answer says of the call; nothing where it cannot be asked."""
        fields: dict[str, Any] = {}
        try:
            if (failed := tool_message_error(output)) is not None:
                fields["error"] = failed
            run = self._runs.open.get(run_id.int)
            if run is None or "tool_call_id" not in run.record:
                # Before langchain-core 1.2 only the answer says to which call it belongs.
                call = getattr(output, "tool_call_id", None)
                if isinstance(call, str):
                    fields["tool_call_id"] = call
        except Exception as error:
            self._caught("on_tool_end", error)
        return fields

    def _failed(
        self, type_: str, error: BaseException, run_id: UUID, parent_run_id: UUID | None, response: Any = None
    ) -> None:
        now = self._now()
        try:
            output, fields = NOTHING, None
            if response is not None:
                output, fields = self._answer(response)
            self._recorder.fail(run_id, error, now, output, fields, type_=type_, parent_key=parent_run_id)
        except Exception as fault:
            self._caught(f"on_{type_}_error", fault)
