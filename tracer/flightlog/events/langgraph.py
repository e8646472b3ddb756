"""What LangGraph adds to a run: node, step, namespace and task; interrupts, resumes and lifecycle events.

LangGraph is never imported here: its classes are known by name, and its callback class is taken from ``sys.modules``
once the application has loaded it.
"""

import sys
from collections.abc import Iterable
from typing import Any, Final

from flightlog.light_fields import more
from flightlog.payloads.plain import mro, text_of
from flightlog.span import Status

MOVED: Final = frozenset(
    (
        "thread_id",
        "checkpoint_ns",
        "checkpoint_id",
        "langgraph_step",
        "langgraph_node",
        "langgraph_triggers",
        "langgraph_path",
        "langgraph_checkpoint_ns",
        "langgraph_request_id",
        "ls_integration",
        "ls_provider",
        "ls_model_name",
        "ls_model_type",
        "ls_temperature",
        "ls_max_tokens",
        "ls_stop",
        "lc_versions",
    )
)
"""Metadata that LangChain and LangGraph add themselves: it is in the span's own fields, or the same on every span."""

_RESUME_ID_LENGTH: Final = 32
"""Hexadecimal digits of an interrupt id (xxh3_128)."""


GRAPH_MAKERS: Final = ("langgraph", "langchain_create_agent", "deepagents")
"""What ``ls_integration`` says of a graph, by what made it. No set: the value may be one that has no hash."""


class Place:
    """Where in a graph a run is, and the fields that say so.

    The runs of one task are at one place, and their metadata hold the very same objects.
    """

    __slots__ = ("checkpoint", "fields", "json", "namespace", "thread")

    def __init__(self, metadata: dict[str, Any]) -> None:
        get = metadata.get
        self.namespace = get("langgraph_checkpoint_ns")
        self.thread = get("thread_id")
        checkpoint = get("checkpoint_id")
        self.checkpoint: str | None = checkpoint if checkpoint and type(checkpoint) is str else None
        """Where the application went back to; LangGraph tells later at which checkpoint the run is."""
        self.fields = _graph_fields(self.thread, get("langgraph_node"), get("langgraph_step"), self.namespace)
        """thread_id, node, step, checkpoint_ns and task_id, as far as they are known."""
        self.json = more(self.fields)
        """The same as they stand behind others."""

    def as_metadata(self) -> dict[str, Any]:
        """What it was made of, as far as fields tell."""
        get = self.fields.get
        return {
            "thread_id": self.thread,
            "langgraph_checkpoint_ns": self.namespace,
            "langgraph_node": get("node"),
            "langgraph_step": get("step"),
            "checkpoint_id": self.checkpoint,
        }


def _graph_fields(thread: Any, node: Any, step: Any, namespace: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if thread is not None:
        fields["thread_id"] = thread if type(thread) is str else text_of(thread)
    if node is not None:
        fields["node"] = node if type(node) is str else text_of(node)
        if type(step) is int:
            fields["step"] = step
        if type(namespace) is str:
            fields["checkpoint_ns"] = namespace
            # The last segment is node:task_id; a numbered call of a subgraph has a number behind it.
            task = namespace.rpartition("|")[2].partition(":")[2]
            if task:
                fields["task_id"] = task
    return fields


NOWHERE: Final = Place({})


def users_own(metadata: dict[str, Any]) -> dict[str, Any]:
    """The user's own metadata."""
    return {key: value for key, value in metadata.items() if key not in MOVED}


def bubble_up(error: BaseException) -> Status | None:
    """The status that LangGraph's control flow means, or None when the error is one."""
    names = {base.__name__ for base in mro(type(error)) if base.__module__.startswith("langgraph.")}
    if "GraphBubbleUp" not in names:
        return None
    if "GraphInterrupt" in names:
        return "interrupted"
    return "handoff" if "ParentCommand" in names else "cancelled"


def raised_interrupts(error: BaseException) -> list[Any]:
    """The Interrupt objects that a GraphInterrupt carries."""
    found: Any = error.args[0] if error.args else ()
    return list(found) if isinstance(found, list | tuple) else [found]


def interrupt_records(interrupts: Iterable[Any]) -> list[dict[str, Any]]:
    """``{id, value}`` of each interrupt, each once, with the ``response_schema`` of those that have one."""
    records: list[dict[str, Any]] = []
    seen: set[tuple[Any, int]] = set()
    for interrupt in interrupts:
        identity = getattr(interrupt, "id", None) or getattr(interrupt, "interrupt_id", None)
        value = getattr(interrupt, "value", interrupt)
        mark = (identity, id(value))
        if mark in seen:
            continue
        seen.add(mark)
        record = {"id": identity, "value": value} if isinstance(identity, str) else {"value": value}
        schema = getattr(interrupt, "response_schema", None)
        if isinstance(schema, dict):
            record["response_schema"] = schema
        records.append(record)
    return records


def resume_records(inputs: Any) -> list[dict[str, Any]] | None:
    """What a human answered, when a graph's input is ``Command(resume=...)``."""
    kind = type(inputs)
    if kind.__name__ != "Command" or not kind.__module__.startswith("langgraph."):
        return None
    resume = getattr(inputs, "resume", None)
    if resume is None:
        return None
    if isinstance(resume, dict) and resume and all(_is_interrupt_id(key) for key in resume):
        return [{"interrupt_id": key, "value": value} for key, value in resume.items()]
    return [{"value": resume}]


def refuses_answer(error: BaseException) -> bool:
    """Whether an exception says that an answer is not of the question's ``response_schema``: it still waits."""
    try:
        return getattr(error, "_langgraph_invalid_resume", False) is True
    except Exception:
        return False


def aware_class(own: type) -> type:
    """A subclass of ``own`` that is LangGraph's callback class too, or ``own`` while LangGraph is not loaded."""
    base = getattr(sys.modules.get("langgraph.callbacks"), "GraphCallbackHandler", None)
    if not isinstance(base, type):
        return own
    if base in own.__mro__:
        return own
    known = _aware_classes.get((own, base))
    if known is None:
        # Its instances need no property to say what they are; LangChain asks some twenty times an invoke.
        body = {"__module__": own.__module__, "__class__": object.__dict__["__class__"]}
        known = _aware_classes[own, base] = type(own.__name__, (own, base), body)
    return known


_aware_classes: dict[tuple[type, type], type] = {}


def _is_interrupt_id(key: Any) -> bool:
    return isinstance(key, str) and len(key) == _RESUME_ID_LENGTH and all(c in "0123456789abcdef" for c in key)
