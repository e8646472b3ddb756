"""The graph: search the web, write, ask a person, and write again until the answer is yes."""

from typing import Any, Literal

from langchain_core.documents import Document
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import interrupt
from pydantic import BaseModel, Field

from flightlog_samples.report_service.corpus import Corpus
from flightlog_samples.report_service.writer import source_lines, writer


class Review(BaseModel):
    """A person's answer. `expired` marks the one that nobody gave in time."""

    approved: bool
    feedback: str | None = None
    decided_by: str | None = None
    expired: bool = False


class ReportState(BaseModel):
    """Validated by Pydantic at the entry of every node."""

    theme: str = Field(min_length=1)
    web_search_results: list[Document] = Field(default_factory=list)
    report: str = ""
    review: Review | None = None


Graph = CompiledStateGraph[ReportState, None, ReportState, ReportState]


def build_graph(checkpointer: BaseCheckpointSaver[Any]) -> Graph:
    """`web_search`, `report_generation`, `human_review`."""
    search, write = Corpus(), writer()

    def web_search(state: ReportState, config: RunnableConfig) -> dict[str, Any]:
        return {"web_search_results": list(search.invoke(state.theme, config))}

    def report_generation(state: ReportState, config: RunnableConfig) -> dict[str, Any]:
        given = {
            "theme": state.theme,
            "feedback": (state.review.feedback if state.review else None) or "",
            "sources": source_lines(state.web_search_results),
            "report": state.report,
        }
        return {"report": write.invoke(given, config)}

    graph = StateGraph(ReportState)
    graph.add_node("web_search", web_search)
    graph.add_node("report_generation", report_generation)
    graph.add_node("human_review", human_review)
    graph.add_edge(START, "web_search")
    graph.add_edge("web_search", "report_generation")
    graph.add_edge("report_generation", "human_review")
    graph.add_conditional_edges("human_review", route, ["report_generation", END])
    return graph.compile(checkpointer=checkpointer, name="report")


def human_review(state: ReportState) -> dict[str, Any]:
    """Ask, showing what is asked about. Raises ValidationError for an answer that is no Review."""
    answer = interrupt(
        {
            "question": "Approve this report?",
            "theme": state.theme,
            "report": state.report,
            "answer": "approved, feedback",
        }
    )
    # As plain data: a checkpoint should be readable without this module.
    return {"review": Review.model_validate(answer).model_dump(exclude_none=True)}


def route(state: ReportState) -> Literal["report_generation", "__end__"]:
    """Only a no that somebody gave leads back to the writer."""
    review = state.review
    return "report_generation" if review and not review.approved and not review.expired else "__end__"
