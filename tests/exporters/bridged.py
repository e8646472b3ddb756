"""An application with OpenTelemetry's SDK, for the tests of the bridge."""

import asyncio
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from flightlog import JsonlTracer
from flightlog_exporters import OTelBridge


class Sdk:
    """A tracer provider of the application, and what it would export."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("application")

    def spans(self) -> list[ReadableSpan]:
        """What has been exported."""
        return list(self.exporter.get_finished_spans())

    def parent_name(self, name: str) -> list[str | None]:
        """The names of the parents of the spans of that name."""
        by_id = {span.context.span_id: span.name for span in self.spans() if span.context}
        return [by_id.get(span.parent.span_id) if span.parent else None for span in self.spans() if span.name == name]


class HttpModel(BaseChatModel):
    """A model whose call makes a span, as an instrumented HTTP client does."""

    tracer: Any

    @property
    def _llm_type(self) -> str:
        return "http"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with self.tracer.start_as_current_span(f"GET {messages[0].content}"):
            pass
        return ChatResult(generations=[ChatGeneration(message=AIMessage("ok"))])

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        await asyncio.sleep(0)
        return self._generate(messages)


def config(sdk: Sdk, **options: Any) -> Any:
    """A config with a tracer that has only the bridge."""
    return {"callbacks": [JsonlTracer(sinks=[OTelBridge(tracer_provider=sdk.provider, **options)])]}
