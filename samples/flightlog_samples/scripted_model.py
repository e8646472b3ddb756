"""A chat model that follows a script: offline, deterministic, with tools, streaming and usage metadata.

The script is a pure function of the conversation. The model holds no position of its own, so a graph that pauses in
one process and resumes in another goes on exactly where it was.
"""

import asyncio
import json
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field

MODEL_NAME = "scripted-1"
_PIECE = re.compile(r"\s*\w+|\s*[^\w\s]|\s+$")


@dataclass(frozen=True)
class Reply:
    """What the script says next: some text, some tool calls as (name, arguments), or both."""

    text: str = ""
    tool_calls: tuple[tuple[str, dict[str, Any]], ...] = ()


Script = Callable[[Sequence[BaseMessage]], Reply]


class ScriptedChatModel(BaseChatModel):
    """Answers by `script`, a token at a time when streamed."""

    script: Script = Field(exclude=True)
    seconds_per_token: float = 0.001
    """So that a recorded run has a shape in time; 0 for none."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": MODEL_NAME}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return LangSmithParams(ls_provider="scripted", ls_model_name=MODEL_NAME, ls_model_type="chat")

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offer the tools to the script's replies, as a provider would be told of them."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        reply = self.script(messages)
        time.sleep(self.seconds_per_token * output_tokens(reply))
        return _result(messages, reply)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        reply = self.script(messages)
        await asyncio.sleep(self.seconds_per_token * output_tokens(reply))
        return _result(messages, reply)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in _chunks(messages, self.script(messages)):
            time.sleep(self.seconds_per_token)
            if run_manager is not None:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in _chunks(messages, self.script(messages)):
            await asyncio.sleep(self.seconds_per_token)
            if run_manager is not None:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


def chat_model(script: Script) -> BaseChatModel:
    """The scripted model, or the provider's that FLIGHTLOG_MODEL names (`openai:gpt-4o-mini`).

    Raises ImportError when the provider's package is missing.
    """
    wanted = os.environ.get("FLIGHTLOG_MODEL")
    if not wanted:
        return ScriptedChatModel(script=script)
    from langchain.chat_models import init_chat_model

    return init_chat_model(wanted)


def this_turn(messages: Sequence[BaseMessage]) -> tuple[str, list[ToolMessage]]:
    """The latest question and the tool results since: what most scripts decide by."""
    question, results = "", list[ToolMessage]()
    for message in messages:
        if isinstance(message, HumanMessage):
            question, results = message.text, []
        elif isinstance(message, ToolMessage):
            results.append(message)
    return question, results


def pieces(text: str) -> list[str]:
    """The tokens of a text, which joined give it back: words and signs with the space before them."""
    return _PIECE.findall(text)


def output_tokens(reply: Reply) -> int:
    """What a reply costs, tool calls included."""
    return len(pieces(reply.text)) + sum(len(pieces(name + json.dumps(args))) for name, args in reply.tool_calls)


def _usage(messages: Sequence[BaseMessage], reply: Reply) -> UsageMetadata:
    asked = sum(len(pieces(m.text)) + 3 for m in messages)
    asked += sum(
        len(pieces(call["name"] + json.dumps(call["args"])))
        for m in messages
        if isinstance(m, AIMessage)
        for call in m.tool_calls
    )
    answered = output_tokens(reply)
    return UsageMetadata(input_tokens=asked, output_tokens=answered, total_tokens=asked + answered)


def _call_ids(messages: Sequence[BaseMessage], reply: Reply) -> list[str]:
    # The place in the conversation makes the ids unique in a thread and the same in every run.
    return [f"call_{len(messages)}_{index}" for index in range(len(reply.tool_calls))]


def _about(reply: Reply) -> dict[str, Any]:
    reason = "tool_calls" if reply.tool_calls else "stop"
    return {"model_name": MODEL_NAME, "model_provider": "scripted", "finish_reason": reason}


def _result(messages: Sequence[BaseMessage], reply: Reply) -> ChatResult:
    calls = [
        {"name": name, "args": args, "id": call_id, "type": "tool_call"}
        for (name, args), call_id in zip(reply.tool_calls, _call_ids(messages, reply), strict=True)
    ]
    message = AIMessage(
        content=reply.text,
        tool_calls=calls,
        usage_metadata=_usage(messages, reply),
        response_metadata=_about(reply),
    )
    return ChatResult(generations=[ChatGeneration(message=message)])


def _chunks(messages: Sequence[BaseMessage], reply: Reply) -> Iterator[ChatGenerationChunk]:
    for piece in pieces(reply.text):
        yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
    for index, ((name, args), call_id) in enumerate(zip(reply.tool_calls, _call_ids(messages, reply), strict=True)):
        call = tool_call_chunk(name=name, args=json.dumps(args), id=call_id, index=index)
        yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[call]))
    # Usage comes once, with the last chunk, as providers send it.
    last = AIMessageChunk(
        content="", usage_metadata=_usage(messages, reply), response_metadata=_about(reply), chunk_position="last"
    )
    yield ChatGenerationChunk(message=last)
