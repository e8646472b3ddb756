"""A person goes through the tool calls a model proposes: some run, the others are skipped.

Tutorials approve by looking for the tool's name inside a string of names, so approving "repost" also runs "post", and
two calls of one tool cannot be told apart. Here the review is by call id, and a skipped call still gets its
answer, a message that says it was skipped: models refuse a conversation in which a call has no result.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, interrupt

from flightlog_samples.recording import Recording, run
from flightlog_samples.scripted_model import Reply, chat_model, this_turn

THREAD = "tool-review"


class Review(TypedDict, total=False):
    """The conversation, and the ids of the calls that may run."""

    messages: Annotated[list[AnyMessage], add_messages]
    allowed: list[str]


Graph = CompiledStateGraph[Review, None, Review, Review]


@tool(description="Look something up.")
def search(query: str) -> str:
    return f"3 pages about {query}"


@tool(description="Make a text short.")
def summarize(text: str) -> str:
    return f"in short: {text}"


@tool(description="Publish a text.")
def post(platform: str, text: str) -> str:
    return f"posted on {platform}: {text}"


TOOLS: dict[str, BaseTool] = {each.name: each for each in (search, summarize, post)}


def build(checkpointer: BaseCheckpointSaver[Any]) -> Graph:
    """`propose`, then `review` and `act` as long as calls are proposed."""
    model = chat_model(script).bind_tools(list(TOOLS.values()))

    def propose(state: Review) -> Review:
        return {"messages": [model.invoke(state["messages"])]}

    graph = StateGraph(Review)
    graph.add_node("propose", propose)
    graph.add_node("review", review)
    graph.add_node("act", act)
    graph.add_edge(START, "propose")
    graph.add_conditional_edges("propose", route, ["review", END])
    graph.add_edge("review", "act")
    graph.add_edge("act", "propose")
    return graph.compile(checkpointer=checkpointer, name="tool_review")


def script(messages: Sequence[BaseMessage]) -> Reply:
    """Propose three calls, then tell what came of them."""
    question, results = this_turn(messages)
    if results:
        return Reply("This is what came of it: " + "; ".join(result.text for result in results) + ".")
    return Reply(
        tool_calls=(
            ("search", {"query": question}),
            ("summarize", {"text": question}),
            ("post", {"platform": "the fediverse", "text": question}),
        )
    )


def proposed(state: Review) -> list[ToolCall]:
    """The calls of the newest message, none when it is an answer."""
    last = state["messages"][-1]
    return last.tool_calls if isinstance(last, AIMessage) else []


def route(state: Review) -> Literal["review", "__end__"]:
    """An answer ends the run."""
    return "review" if proposed(state) else "__end__"


def review(state: Review) -> Review:
    """Ask which calls may run; the answer names their ids under `approved`, and no others run."""
    calls = [{"id": call["id"], "tool": call["name"], "args": call["args"]} for call in proposed(state)]
    answer = interrupt({"question": "Which of these calls may run?", "calls": calls})
    named = answer.get("approved", []) if isinstance(answer, dict) else []
    return {"allowed": [str(call["id"]) for call in calls if isinstance(named, list) and call["id"] in named]}


def act(state: Review, config: RunnableConfig) -> Review:
    """Run what is allowed, and answer for what is not."""
    results: list[AnyMessage] = []
    for call in proposed(state):
        if call["id"] in state["allowed"]:
            results.append(TOOLS[call["name"]].invoke(call, config))
        else:
            results.append(ToolMessage("skipped by the reviewer", name=call["name"], tool_call_id=call["id"]))
    return {"messages": results}


def start(graph: Graph, question: str, config: RunnableConfig) -> list[dict[str, Any]]:
    """Run until the review and return the proposed calls: `{"id", "tool", "args"}` each; none when none is needed."""
    state = graph.invoke({"messages": [HumanMessage(question)]}, config)
    return state["__interrupt__"][0].value["calls"] if "__interrupt__" in state else []


def answer(graph: Graph, approved: Sequence[str], config: RunnableConfig, notes: str = "") -> str:
    """Let the calls with these ids run, skip the others, and return the model's answer.

    Raises ValueError when no review is asked for.
    """
    waiting = graph.get_state(config).interrupts
    if not waiting:
        raise ValueError("this thread waits for no review")
    asked = len(waiting[0].value["calls"])
    word = "reject" if not approved else "approve" if len(approved) == asked else "edit"
    decision = {"decision": word, "approved": list(approved), "decided_by": "ana", "notes": notes}
    text: str = graph.invoke(Command(resume=decision), config)["messages"][-1].text
    return text


def story(out: Path) -> None:
    """Three calls proposed: the search and the summary may run, the post may not."""
    with Recording(out) as recording:
        graph, config = build(recording.checkpointer), recording.config(THREAD)
        calls = start(graph, "python basics", config)
        harmless = [call["id"] for call in calls if call["tool"] != "post"]
        if calls:
            print(answer(graph, harmless, config, "nothing goes public without the editor"))


if __name__ == "__main__":
    sys.exit(run("tool_review", story))
