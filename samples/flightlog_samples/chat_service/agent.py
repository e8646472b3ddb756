"""The agent: a ReAct loop that stops before its tools run."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

from langchain.agents import create_agent
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, InjectedToolCallId, tool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import interrupt

from flightlog_samples.chat_service.guardrail import Guardrail
from flightlog_samples.chat_service.outbox import Outbox
from flightlog_samples.scripted_model import Reply, chat_model, this_turn

Agent = CompiledStateGraph[Any, Any, Any, Any]
PROMPT = "You are an office assistant. Look things up before you write, and ask when you do not know whom to write to."
_FILES = {
    "factory": "The agent factory builds an agent from a template, a set of tools and a checkpointer.",
    "holiday": "The office is closed from 24 December to 2 January.",
}


@tool(description="Search the office's files.")
def search_files(query: str) -> str:
    found = [text for word, text in _FILES.items() if word in query.lower()]
    return " ".join(found) or "nothing found"


@tool(description="Ask the user a question when the request can be read in several ways.")
def request_clarification(question: str) -> str:
    return str(interrupt({"clarify": question}))


def tools_of(outbox: Outbox) -> list[BaseTool]:
    """The agent's tools; emails go to `outbox`."""

    @tool(description="Send an email. This cannot be undone.")
    def send_email(
        to: str, subject: str, tool_call_id: Annotated[str, InjectedToolCallId], config: RunnableConfig
    ) -> str:
        outbox.send(config["configurable"]["thread_id"], tool_call_id, to, subject)
        return f"sent to {to}: {subject}"

    return [search_files, request_clarification, send_email]


def build_agent(checkpointer: BaseCheckpointSaver[Any], tools: Sequence[BaseTool]) -> Agent:
    """The agent, stopping before the node `tools` each time it is reached."""
    return create_agent(
        chat_model(script),
        list(tools),
        system_prompt=PROMPT,
        middleware=[Guardrail()],
        checkpointer=checkpointer,
        interrupt_before=["tools"],
        name="chat",
    )


def script(messages: Sequence[BaseMessage]) -> Reply:
    """Look the subject up, then write to the address in the question, asking for it when there is none.

    A plain question is only looked up; small talk gets an answer without any tool.
    """
    question, results = this_turn(messages)
    said = " ".join([question, *(result.text for result in results if result.name == "request_clarification")])
    names = [str(result.name) for result in results]
    rejected = next((result.text for result in results if result.text.startswith("rejected")), None)
    if rejected is not None:
        return Reply(f"I left it: {rejected}.")
    if "send_email" in names:
        return Reply(f"Done: {results[-1].text}")
    address = re.search(r"[\w.]+@[\w.]+\w", said)
    if "email" in question.lower():
        if "search_files" not in names:
            return Reply("I look it up first.", (("search_files", {"query": question}),))
        if address is None:
            return Reply(tool_calls=(("request_clarification", {"question": "To which address?"}),))
        subject = results[names.index("search_files")].text
        return Reply(tool_calls=(("send_email", {"to": address.group(), "subject": subject}),))
    if results:
        return Reply(results[-1].text)
    if "search" in question.lower():
        return Reply(tool_calls=(("search_files", {"query": question}),))
    return Reply("Hello! Ask me to search the office's files or to email what is in them.")
