"""A small library to search offline, in the place of a web search."""

import re

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

MAX_RESULTS = 5
_PAGES = {
    "mcp/overview": "The Model Context Protocol (MCP) lets an application offer data and actions to a language model "
    "through one interface instead of one integration for each pair.",
    "mcp/servers": "An MCP server exposes tools, resources and prompts; a client inside the application discovers them "
    "when it connects.",
    "mcp/transports": "Model Context Protocol messages are JSON-RPC, carried over standard input and output on one "
    "machine, or over streamed HTTP between machines.",
    "mcp/security": "An MCP tool runs with its server's rights, so a host asks the user before a tool with effects "
    "runs.",
    "a2a/overview": "The Agent2Agent (A2A) protocol lets agents of different makers hand tasks to each other without "
    "sharing memory or tools.",
    "a2a/cards": "An A2A agent publishes a card that says what it can do, where to reach it and how to authenticate.",
    "a2a/tasks": "A task in the Agent2Agent protocol has a state, may take hours, and reports progress by streaming.",
    "agents/approval": "Agents that act in the world are paired with people who approve what cannot be undone.",
    "agents/checkpoints": "A checkpoint after every step lets an agent stop, wait for days and go on.",
    "agents/tracing": "A trace of an agent's run shows which step took the time and which one failed.",
}


class Corpus(BaseRetriever):
    """The pages that share most words with the query, best first; every query finds something."""

    max_results: int = MAX_RESULTS

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        wanted = _words(query)
        ranked = sorted(_PAGES, key=lambda page: (-len(wanted & _words(page + " " + _PAGES[page])), page))
        return [
            Document(page_content=_PAGES[page], metadata={"source": f"corpus:{page}"})
            for page in ranked[: self.max_results]
        ]


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]{3,}", text.lower()))
