"""A ReAct agent: a model that calls tools until it can answer, over two turns of one conversation.

`create_react_agent` of langgraph.prebuilt, which older tutorials use, is deprecated: this is LangChain's
`create_agent`, which builds the same loop of two nodes, `model` and `tools`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph

from flightlog_samples.recording import Recording, run
from flightlog_samples.scripted_model import Reply, chat_model, this_turn

PROMPT = "You plan flights. Look up the wind and the flight time before you answer."
WIND_KT = {"ZRH": 14, "LIS": 22, "KEF": 41}
FLIGHT_MIN = {("ZRH", "LIS"): 170, ("ZRH", "KEF"): 235}
THREAD = "react-agent"


@tool(description="The wind at an airport, by its three-letter code.")
def wind(airport: str) -> str:
    speed = WIND_KT.get(airport.upper())
    return f"{airport.upper()}: {speed} kt" if speed is not None else f"no station at {airport}"


@tool(description="The usual flight time between two airports, by their three-letter codes.")
def flight_time(origin: str, destination: str) -> str:
    minutes = FLIGHT_MIN.get((origin.upper(), destination.upper()))
    return f"{minutes} min" if minutes is not None else f"no direct flight from {origin} to {destination}"


def build(checkpointer: BaseCheckpointSaver[Any]) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The agent, its conversation kept by `checkpointer`."""
    return create_agent(
        chat_model(script), [wind, flight_time], system_prompt=PROMPT, checkpointer=checkpointer, name="react_agent"
    )


def script(messages: Sequence[BaseMessage]) -> Reply:
    """Ask for the wind, then for the flight time, then answer with both."""
    question, results = this_turn(messages)
    destination = next((code for code in ("KEF", "LIS") if code in question), "LIS")
    if not results:
        return Reply(f"First the wind at {destination}.", (("wind", {"airport": destination}),))
    if len(results) == 1:
        return Reply(tool_calls=(("flight_time", {"origin": "ZRH", "destination": destination}),))
    return Reply(f"Wind {results[0].text}; the flight from ZRH takes {results[1].text}.")


def story(out: Path) -> None:
    """Two questions in one conversation: the second finds the first one's messages in the thread."""
    with Recording(out) as recording:
        agent = build(recording.checkpointer)
        # Whatever runs are told apart by later: `flightlog summary --by metadata.tenant`.
        config: RunnableConfig = {**recording.config(THREAD), "metadata": {"tenant": "acme"}}
        for question in ("Can I fly from ZRH to LIS this morning?", "And to KEF?"):
            agent.invoke({"messages": [("user", question)]}, config)


if __name__ == "__main__":
    sys.exit(run("react_agent", story))
