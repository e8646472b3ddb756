"""What the desk keeps of a ticket, and how what an older desk kept is brought up to date.

Version 1 knew `risk` as "low" or "high" and no customer tier. A ticket may wait for days, so a new desk finds tickets
that an old one paused: `migrate` says what must be written before such a ticket goes on.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, TypedDict

SCHEMA_VERSION: Final = 2
Tier = Literal["standard", "business"]
Decision = Literal["approve", "reject", "escalate"]


class Action(TypedDict):
    """What the desk proposes to do."""

    name: str
    amount: float
    """In euros; 0 where no money moves."""


class SupportState(TypedDict, total=False):
    """One ticket. Small on purpose: the whole of it is in every checkpoint."""

    schema_version: int
    ticket_id: str
    customer_tier: Tier
    user_message: str
    intent: str
    proposed_action: Action
    risk_score: float
    rationale: str
    decision: Decision
    """Absent when nobody was asked."""
    decided_by: str
    notes: str
    acted: bool
    final_response: str
    regret: bool
    """Said afterwards: the action was a mistake."""


def migrate(values: Mapping[str, Any]) -> SupportState:
    """What to write to bring a ticket's state to the current version; empty when it is current.

    `values` are the raw channels: a graph compiled from the new schema does not show the old ones. Raises ValueError
    for a version newer than this desk knows.
    """
    version = values.get("schema_version", 1)
    if version == SCHEMA_VERSION:
        return {}
    if version != 1:
        raise ValueError(f"this ticket has state of version {version}; this desk knows versions up to {SCHEMA_VERSION}")
    return {
        "schema_version": SCHEMA_VERSION,
        "customer_tier": "standard",
        "risk_score": 0.9 if values.get("risk") == "high" else 0.3,
        "rationale": "brought over from an earlier version, which knew high and low only",
    }
