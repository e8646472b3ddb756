"""What the vocabularies share when a foreign span is read: checked values, and LangGraph's own metadata keys."""

from typing import Any, Final

from flightlog.events.langgraph import GRAPH_MAKERS
from flightlog_exporters.otel_span import Attributes
from flightlog_exporters.semconv import names

Record = dict[str, Any]

_UNKNOWN: Final = frozenset(("", "unknown", "None"))
"""What instrumentations write where they do not know."""

_LANGGRAPH: Final = {
    "thread_id": "thread_id",
    "langgraph_node": "node",
    "langgraph_step": "step",
    "langgraph_checkpoint_ns": "checkpoint_ns",
}
_NO_PROVIDERS: Final = frozenset(("_OTHER", "langchain", "langgraph"))
"""What stands for no provider: the conventions' own word, and frameworks that some instrumentations put there."""
_PROVIDERS: Final = {theirs: ours for ours, theirs in reversed(names.PROVIDERS.items())}
_TYPE_OF_ROLE: Final = {"user": "human", "assistant": "ai", "developer": "system"}


def put(record: Record, field: str, value: Any) -> None:
    """Set a field that is known, and that nobody set before."""
    if value is None or (isinstance(value, str) and value in _UNKNOWN):
        return
    record.setdefault(field, value)


def text(attributes: Attributes, *keys: str) -> str | None:
    """The first of the attributes that is text and says something."""
    for key in keys:
        value = attributes.get(key)
        if isinstance(value, str) and value not in _UNKNOWN:
            return value
    return None


def message_type(role: Any, otherwise: str) -> str:
    """What LangChain calls a message of this role; ``otherwise`` for a role that is not text."""
    return _TYPE_OF_ROLE.get(role, role) if isinstance(role, str) else otherwise


def count(attributes: Attributes, *keys: str) -> int | None:
    """The first of the attributes that is a whole number from 0."""
    for key in keys:
        value = attributes.get(key)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def put_provider(record: Record, provider: str | None) -> None:
    """The provider under the name LangChain has for it."""
    if provider is not None and provider not in _NO_PROVIDERS:
        put(record, "provider", _PROVIDERS.get(provider, provider))


def put_usage(record: Record, usage: dict[str, int | None], read: dict[str, int | None], made: int | None) -> None:
    """Token counts; the total is filled in when both halves are known."""
    known: dict[str, Any] = {name: value for name, value in usage.items() if value is not None}
    if not known:
        return
    if "total_tokens" not in known and {"input_tokens", "output_tokens"} <= known.keys():
        known["total_tokens"] = known["input_tokens"] + known["output_tokens"]
    if details := {name: value for name, value in read.items() if value is not None}:
        known["input_token_details"] = details
    if made is not None:
        known["output_token_details"] = {"reasoning": made}
    put(record, "token_usage", known)


def put_messages(record: Record, asked: list[Record], answered: list[Record]) -> None:
    """What a model was asked and answered; a single answer stands by itself."""
    put(record, "inputs", {"messages": asked} if asked else None)
    put(record, "output", answered[0] if len(answered) == 1 else {"messages": answered} if answered else None)


def take_langgraph(record: Record, metadata: Attributes, *, chain: bool) -> Attributes:
    """Move LangGraph's metadata keys to the record's fields and answer what is left.

    A chain that is named as its node is the node; a LangGraph run outside every node is the graph.
    """
    rest = {key: value for key, value in metadata.items() if key not in _LANGGRAPH and not key.startswith("langgraph_")}
    for key, field in _LANGGRAPH.items():
        put(record, field, metadata.get(key))
    node = metadata.get("langgraph_node")
    if chain and (node is not None or rest.get("ls_integration") in GRAPH_MAKERS):
        kind = "graph" if node is None else "node" if record.get("name") == node else "runnable"
        put(record, "kind", kind)
    rest.pop("ls_integration", None)
    for key in ("checkpoint_ns", "lc_versions"):
        rest.pop(key, None)
    return rest
