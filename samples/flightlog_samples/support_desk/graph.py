"""The graph: classify, plan, ask a person when it is risky, respond."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import interrupt
from pydantic import BaseModel, Field

from flightlog_samples.scripted_model import Reply, chat_model, this_turn
from flightlog_samples.support_desk.risk import THRESHOLD, score
from flightlog_samples.support_desk.state import SCHEMA_VERSION, Action, SupportState

Graph = CompiledStateGraph[SupportState, None, SupportState, SupportState]
Act = Callable[[str, Action], None]
"""Carries an action out for a ticket, at most once for each ticket however often it is called."""
Examples = Callable[[str], Sequence[str]]
"""What reviewers noted lately about tickets of an intent."""
INTENTS = ("refund", "merge", "delete", "password", "question")


class ProposedAction(BaseModel):
    """The action that settles a ticket: answer, reset_password, refund, merge_accounts or delete_data."""

    name: str
    amount: float = Field(default=0.0, ge=0)
    """In euros."""


def build_graph(
    checkpointer: BaseCheckpointSaver[Any],
    act: Act,
    examples: Examples = lambda intent: (),
    threshold: float = THRESHOLD,
) -> Graph:
    """`classify`, `plan`, `review` for what is riskier than `threshold`, `respond`."""
    classifier, planner, responder = (chat_model(s) for s in (classify_script, plan_script, respond_script))
    structured = planner.with_structured_output(ProposedAction)

    def classify(state: SupportState, config: RunnableConfig) -> SupportState:
        order = SystemMessage(f"Answer with the intent of the message, one of: {', '.join(INTENTS)}.")
        said = classifier.invoke([order, HumanMessage(state["user_message"])], config).text.strip().lower()
        return {"schema_version": SCHEMA_VERSION, "intent": said if said in INTENTS else "question"}

    def plan(state: SupportState, config: RunnableConfig) -> SupportState:
        notes = "\n".join(f"- {note}" for note in examples(state["intent"]))
        order = SystemMessage(
            f"Propose the action that settles this {state['intent']} ticket. Reviewers noted:\n{notes}"
        )
        made = ProposedAction.model_validate(structured.invoke([order, HumanMessage(state["user_message"])], config))
        action: Action = {"name": made.name, "amount": made.amount}
        risk, rationale = score(action)
        return {"proposed_action": action, "risk_score": risk, "rationale": rationale}

    def respond(state: SupportState, config: RunnableConfig) -> SupportState:
        decision = state.get("decision", "approve")
        if decision == "approve":
            act(state["ticket_id"], state["proposed_action"])
        about = f"{decision} {state['proposed_action']['name']}"
        order = SystemMessage("Write to the customer in two sentences about what was decided.")
        text = responder.invoke([order, HumanMessage(about)], config).text
        return {"acted": decision == "approve", "final_response": text}

    def route(state: SupportState) -> Literal["review", "respond"]:
        return "review" if state["risk_score"] > threshold else "respond"

    graph = StateGraph(SupportState)
    graph.add_node("classify", classify)
    graph.add_node("plan", plan)
    graph.add_node("review", review)
    graph.add_node("respond", respond)
    graph.add_edge(START, "classify")
    graph.add_edge("classify", "plan")
    graph.add_conditional_edges("plan", route, ["review", "respond"])
    graph.add_edge("review", "respond")
    graph.add_edge("respond", END)
    return graph.compile(checkpointer=checkpointer, name="support_desk")


def review(state: SupportState) -> SupportState:
    """Ask, with all that a reviewer needs. Only a plain approval acts; what cannot be meant counts as a rejection."""
    answer = interrupt(
        {
            "question": "Approve this action?",
            "ticket_id": state["ticket_id"],
            "message": state["user_message"],
            "proposed_action": state["proposed_action"],
            "risk_score": state["risk_score"],
            "rationale": state["rationale"],
            "customer_tier": state.get("customer_tier", "standard"),
        }
    )
    given = answer if isinstance(answer, dict) else {}
    decision = given.get("decision")
    return {
        "decision": decision if decision in ("approve", "escalate") else "reject",
        "decided_by": str(given.get("decided_by", "unknown")),
        "notes": str(given.get("notes", "")),
    }


def classify_script(messages: Sequence[BaseMessage]) -> Reply:
    """The first intent whose word is in the message."""
    message, _ = this_turn(messages)
    return Reply(next((intent for intent in INTENTS if intent in message.lower()), "question"))


def plan_script(messages: Sequence[BaseMessage]) -> Reply:
    """The usual action for the message, with the amount it names."""
    message, _ = this_turn(messages)
    names = {"refund": "refund", "merge": "merge_accounts", "delete": "delete_data", "password": "reset_password"}
    name = next((action for word, action in names.items() if word in message.lower()), "answer")
    numbers = [float(word) for word in message.replace(",", "").split() if word.isdigit()]
    return Reply(tool_calls=(("ProposedAction", {"name": name, "amount": numbers[0] if numbers else 0.0}),))


def respond_script(messages: Sequence[BaseMessage]) -> Reply:
    """Two sentences about the decision."""
    about, _ = this_turn(messages)
    decision, _, action = about.partition(" ")
    said = {
        "approve": f"We have taken care of it: {action.replace('_', ' ')}.",
        "reject": "We looked at your request and cannot grant it.",
        "escalate": "A colleague of ours takes over and will write to you.",
    }
    return Reply(f"{said.get(decision, said['reject'])} Thank you for your patience.")
