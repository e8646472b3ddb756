"""How risky an action is, which skill its reviewer needs, and what comes first. Rules, not a model: they can be read.

THRESHOLD is the one number to calibrate. `flightlog approvals --threshold` shows how often reviewers agree and what
that says about it: above nine in ten agreed it asks too often, and above three in a hundred regretted too seldom.
"""

from typing import Final

from flightlog_samples.support_desk.state import Action, Tier

THRESHOLD: Final = 0.7
"""Actions above it wait for a person. New desks start lower, at 0.4, to learn faster."""
_BASE = {"answer": 0.05, "reset_password": 0.3, "refund": 0.35, "merge_accounts": 0.75, "delete_data": 0.9}
_SKILLS = {"refund": "refunds", "merge_accounts": "accounts", "delete_data": "data"}
_LARGE_EUR = 1000.0


def score(action: Action) -> tuple[float, str]:
    """Risk from 0 to 1, and the reason in words; an action without a rule counts as the riskiest."""
    base = _BASE.get(action["name"], 1.0)
    money = min(action["amount"] / _LARGE_EUR, 1.0) * 0.6
    risk = round(min(base + money, 1.0), 2)
    reason = f"{action['name']} starts at {base:.2f}"
    return risk, f"{reason}, {action['amount']:.0f} EUR add {money:.2f}" if money else reason


def skill(action: Action) -> str:
    """What the reviewer of this action must know."""
    return _SKILLS.get(action["name"], "lead")


def priority(risk: float, tier: Tier) -> float:
    """The higher, the sooner: business customers count half as much again."""
    return round(risk * (1.5 if tier == "business" else 1.0), 3)
