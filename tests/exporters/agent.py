"""A small ReAct agent with a model that is played from a script: llm -> tool -> llm, then a human is asked."""

from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.documents import Document
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import interrupt


class ScriptedModel(BaseChatModel):
    """Asks for the weather once, then answers with what the tool said."""

    model_name: str = "scripted-1"

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return {"ls_provider": "openai", "ls_model_name": self.model_name, "ls_model_type": "chat"}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        asked_tool = any(message.type == "tool" for message in messages)
        answer = AIMessage(
            content="It is sunny in Oslo." if asked_tool else "",
            tool_calls=[] if asked_tool else [{"name": "weather", "args": {"city": "Oslo"}, "id": "call-1"}],
            usage_metadata={
                "input_tokens": 40 + 10 * len(messages),
                "output_tokens": 7,
                "total_tokens": 47 + 10 * len(messages),
                "input_token_details": {"cache_read": 30},
            },
            response_metadata={"model_name": self.model_name, "finish_reason": "stop" if asked_tool else "tool_calls"},
        )
        return ChatResult(generations=[ChatGeneration(message=answer)])


class Notes(BaseRetriever):
    """Finds one document, always."""

    def _get_relevant_documents(self, query: str, **kwargs: Any) -> list[Document]:
        return [Document(page_content="Oslo lies at a fjord.", metadata={"source": "atlas"}, id="doc-1")]


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def build_agent() -> Any:
    """The graph: lookup -> agent -> tools -> agent -> approve, with an in-memory checkpointer."""
    model = ScriptedModel()

    def lookup(state: MessagesState) -> dict[str, Any]:
        Notes().invoke("Oslo")
        return {}

    def agent(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    def approve(state: MessagesState) -> dict[str, Any]:
        answer = interrupt({"question": "Send it?"})
        return {"messages": [HumanMessage(f"human said {answer}")]}

    def route(state: MessagesState) -> str:
        last = state["messages"][-1]
        return "tools" if isinstance(last, AIMessage) and last.tool_calls else "approve"

    graph = StateGraph(MessagesState)
    graph.add_node("lookup", lookup)
    graph.add_node("agent", agent)
    graph.add_node("tools", ToolNode([weather]))
    graph.add_node("approve", approve)
    graph.add_edge(START, "lookup")
    graph.add_edge("lookup", "agent")
    graph.add_conditional_edges("agent", route, ["tools", "approve"])
    graph.add_edge("tools", "agent")
    graph.add_edge("approve", END)
    return graph.compile(checkpointer=InMemorySaver(), name="assistant")


QUESTION: dict[str, Any] = {"messages": [("user", "How is the weather in Oslo?")]}


def run_agent(callbacks: list[Any], thread_id: str = "thread-1") -> None:
    """Ask, wait at the human, and go on with yes."""
    from langgraph.types import Command

    agent = build_agent()
    config: Any = {"configurable": {"thread_id": thread_id}, "callbacks": callbacks}
    agent.invoke(QUESTION, config)
    agent.invoke(Command(resume="yes"), config)
