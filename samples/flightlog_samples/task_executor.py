"""A task executor that plans, lets a person edit the plan, and carries out only the steps that were approved.

Each step is a super-step of its own, so a run that dies goes on after the last step that was done. A plan that the
person sends back broken is asked about again, with what is wrong with it, instead of failing the run.
"""

import operator
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, interrupt
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from flightlog_samples.human_in_the_loop import is_approval
from flightlog_samples.recording import Recording, run
from flightlog_samples.scripted_model import Reply, chat_model


class Step(BaseModel):
    """One thing to do."""

    title: str = Field(min_length=1)
    approved: bool = True
    """The person's word; a planner's step stands approved until the person says otherwise."""


class Plan(BaseModel):
    """What to do for a task, in order: three steps or more."""

    steps: list[Step] = Field(min_length=3)


class Task(TypedDict, total=False):
    """`steps` are Steps as JSON; `position` is the next one; `done` what the steps returned."""

    task: str
    steps: list[dict[str, Any]]
    problem: str
    status: Literal["planned", "approved", "rejected", "completed"]
    position: int
    done: Annotated[list[str], operator.add]


Graph = CompiledStateGraph[Task, None, Task, Task]
Executor = Callable[[str], str]
_STEPS = TypeAdapter(list[Step])


def build(checkpointer: BaseCheckpointSaver[Any], execute: Executor) -> Graph:
    """`plan`, `review` until the answer can be meant, then `work` once for each step."""
    planner = chat_model(script).with_structured_output(Plan)

    def plan(state: Task) -> Task:
        made = planner.invoke([("system", "Plan three steps or more."), ("user", state["task"])])
        return {"steps": [step.model_dump() for step in Plan.model_validate(made).steps], "status": "planned"}

    def work(state: Task) -> Task:
        step = Step.model_validate(state["steps"][state["position"]])
        results = [execute(step.title)] if step.approved else []
        last = state["position"] + 1 == len(state["steps"])
        return {"position": state["position"] + 1, "done": results, "status": "completed" if last else "approved"}

    graph = StateGraph(Task)
    graph.add_node("plan", plan)
    graph.add_node("review", review)
    graph.add_node("work", work)
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "review")
    graph.add_conditional_edges("review", route, ["review", "work", END])
    graph.add_conditional_edges("work", route, ["work", END])
    return graph.compile(checkpointer=checkpointer, name="task_executor")


def script(messages: Sequence[BaseMessage]) -> Reply:
    """A plan of four steps for any task."""
    task = messages[-1].text
    titles = (f"collect what is known about {task}", f"draft {task}", f"check {task}", f"send {task} to everyone")
    return Reply(tool_calls=(("Plan", {"steps": [{"title": title} for title in titles]}),))


def review(state: Task) -> Task:
    """Ask about the plan. `approve` takes it as it is, `edit` brings other `steps`, anything else rejects it."""
    question: dict[str, Any] = {"question": "Carry out this plan?", "steps": state["steps"]}
    if state.get("problem"):
        question["problem"] = state["problem"]
    answer = interrupt(question)
    decision = answer.get("decision") if isinstance(answer, dict) else answer
    if is_approval(decision):
        return _take(state["steps"])
    if decision == "edit" and isinstance(answer, dict):
        try:
            steps = _STEPS.validate_python(answer.get("steps"))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            return {"problem": f"{where or 'steps'}: {first['msg']}"}
        return _take([step.model_dump() for step in steps])
    return {"status": "rejected", "problem": ""}


def _take(steps: list[dict[str, Any]]) -> Task:
    return {"steps": steps, "position": 0, "problem": "", "status": "approved" if steps else "completed"}


def route(state: Task) -> Literal["review", "work", "__end__"]:
    """Back to the review after a broken answer, on through the steps, or to the end."""
    if state.get("problem"):
        return "review"
    return "work" if state["status"] == "approved" else "__end__"


def start(graph: Graph, task: str, config: RunnableConfig) -> list[dict[str, Any]]:
    """Plan, and return the steps that wait for approval."""
    steps: list[dict[str, Any]] = graph.invoke({"task": task}, config)["__interrupt__"][0].value["steps"]
    return steps


def answer(graph: Graph, decision: object, config: RunnableConfig) -> dict[str, Any]:
    """Answer the question; the returned state holds `__interrupt__` when it is asked again.

    Raises ValueError when nothing is asked.
    """
    if not graph.get_state(config).interrupts:
        raise ValueError("this task waits for no answer")
    return graph.invoke(Command(resume=decision), config)


def story(out: Path) -> None:
    """A plan edited (a broken edit first), one approved as it is, and one rejected."""
    with Recording(out) as recording:
        graph = build(recording.checkpointer, lambda title: f"done: {title}")
        config = recording.config("task-edited")
        steps = start(graph, "the incident report", config)
        answer(graph, {"decision": "edit", "steps": [{"title": ""}], "decided_by": "ana"}, config)
        steps[1]["title"] = "draft two pages"
        steps[-1]["approved"] = False
        edited = {"decision": "edit", "steps": steps, "decided_by": "ana", "notes": "shorter, and nobody gets it yet"}
        print(answer(graph, edited, config)["done"])
        for thread, decision in (("task-approved", "approve"), ("task-rejected", "reject")):
            config = recording.config(thread)
            start(graph, "the newsletter", config)
            state = answer(graph, {"decision": decision, "decided_by": "ben"}, config)
            print(state["status"], len(state.get("done", [])))


if __name__ == "__main__":
    sys.exit(run("task_executor", story))
