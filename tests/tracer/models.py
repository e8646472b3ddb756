"""A chat model that answers from a script: tool calls, usage, streaming, failures."""

from collections.abc import Iterator
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

USAGE: Any = UsageMetadata(input_tokens=10, output_tokens=5, total_tokens=15)


def call(name: str, args: dict[str, Any] | None = None, identity: str = "call-1") -> dict[str, Any]:
    """One tool call of a scripted answer."""
    return {"name": name, "args": args or {}, "id": identity, "type": "tool_call"}


class ScriptedModel(BaseChatModel):
    """Answers with the script's entries in turn, then again from its start; an exception in it is raised."""

    script: list[Any]
    model_name: str = "scripted-1"
    usage_on_chunks: bool = True
    turn: int = 0

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _answer(self) -> AIMessage:
        entry = self.script[self.turn % len(self.script)]
        self.turn += 1
        if isinstance(entry, BaseException):
            raise entry
        if callable(entry):
            entry = entry()
        if isinstance(entry, str):
            entry = AIMessage(entry, usage_metadata=USAGE, response_metadata={"model_name": self.model_name})
        assert isinstance(entry, AIMessage)
        return entry.model_copy()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._answer())])


class StreamingModel(ScriptedModel):
    """The same, word by word; usage comes on the last chunk, or not at all."""

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        answer = self._answer()
        for word in str(answer.content).split(" "):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=word + " "))
            if run_manager is not None:
                run_manager.on_llm_new_token(word, chunk=chunk)
            yield chunk
        last = AIMessageChunk(
            content="",
            usage_metadata=answer.usage_metadata if self.usage_on_chunks else None,
            response_metadata=answer.response_metadata,
            chunk_position="last",
        )
        yield ChatGenerationChunk(message=last)
