"""Who asks a human: the node, and the agent whose node it is.

LangChain's ``create_agent`` writes the agent's name into the metadata of all that it runs. Nodes of a middleware have
the same name in every agent, and so has ``tools``.
"""

from collections.abc import Mapping
from typing import Any, Final

from flightlog_viewer.approvals.approval import Approval

_AGENT: Final = "lc_agent_name"


def agent_in(metadata: Mapping[Any, Any]) -> str | None:
    """The agent that a run's metadata names, or a checkpoint's."""
    name = metadata.get(_AGENT)
    return name if isinstance(name, str) and name else None


def asker(agent: str | None, node: str) -> str:
    """``researcher: tools``, or the node alone."""
    return node if agent is None or agent == node else f"{agent}: {node}"


def asker_of(approval: Approval) -> str:
    """The same of a question."""
    return asker(approval.agent, approval.node)
