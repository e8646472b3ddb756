"""What a chain run is: a graph, a node, a routing function, a task, or some other runnable."""

from typing import Any, Final

from flightlog.events.langgraph import GRAPH_MAKERS, interrupt_records
from flightlog.events.runs import OpenRun
from flightlog.span import Kind

_STEPS: Final = ("graph:step:", "seq:step:")


def chain_kind(
    metadata: dict[str, Any], tags: list[str] | None, parent: OpenRun | None, name: str | None, from_runnable: bool
) -> Kind:
    """What a chain run is, as far as its start tells.

    Nodes carry the tag ``graph:step:N``. Runs that LangGraph starts itself lack the ``run_type`` argument that
    LangChain's runnables pass (``from_runnable``); among those, a task call has a namespace of its own and a push path
    that ends in True, and a routing function is a later step of its node's sequence. What is left inside a subgraph
    may be a graph or a plain function: its children show (``has_a_node``, ``end_of_graph``).
    """
    first = tags[-1] if tags else ""
    if type(first) is not str or (first and not first.startswith(_STEPS)):
        # LangChain passes on tags that are not text.
        first = next((tag for tag in tags or () if type(tag) is str and tag.startswith(_STEPS)), "")
    if first.startswith("graph:step:"):
        return "node"
    if from_runnable:
        return "runnable"
    if name == "LangGraph":
        return "graph"
    get = metadata.get
    if "langgraph_node" not in metadata:
        return "graph" if get("ls_integration") in GRAPH_MAKERS else "runnable"
    called_in = get("checkpoint_ns")
    namespace = get("langgraph_checkpoint_ns")
    if called_in is not None and called_in == namespace:
        return "graph"  # called by the code of a node of the outermost graph
    if first.startswith("seq:step:"):
        if first == "seq:step:1":
            path = get("langgraph_path")
            is_call = type(path) is tuple and path[:1] == ("__pregel_push",) and path[-1] is True
            if is_call and (parent is None or parent.place.fields.get("checkpoint_ns") != namespace):
                return "task"
        elif parent is not None and parent.kind in ("node", "task"):
            return "edge"
    return "runnable" if called_in is None else "graph"


def has_a_node(run: OpenRun) -> None:
    """A node has begun below a run: a graph, whatever it looked like. Nothing else has nodes."""
    if run.kind != "graph":
        run.kind = run.record["kind"] = "graph"
        run.head = None


def end_of_graph(
    run: OpenRun, status: str, fields: dict[str, Any] | None, *, at_work: bool
) -> tuple[str, dict[str, Any] | None]:
    """The status and the fields with which a graph ends: it holds the questions that its nodes asked.

    What was taken for a graph and never had a node is a function, unless its name, its place or its pause tell.

    One whose stream is left at the question has paused all the same. ``at_work`` says that something in it still ran:
    then it was cut short, whatever it had asked.
    """
    unusual = run.unusual
    left = status == "abandoned" and not at_work
    if unusual is not None and (status == "ok" or left) and (unusual.paused or unusual.interrupts):
        status = "interrupted"
        if unusual.interrupts:
            fields = {**(fields or {}), "interrupts": interrupt_records(unusual.interrupts)}
    record = run.record
    if (
        run.attempts is None
        and "node" in run.place.fields
        and record["name"] != "LangGraph"
        and status != "interrupted"
    ):
        run.kind = record["kind"] = "runnable"
        run.head = None
    return status, fields
