"""Advice on the risk threshold above which a human is asked, from how people have answered.

The rules, each over ISO weeks: people approve more than 90 % of what is paused: the threshold asks too often, raise it
by 0.1. More than 3 % of a week's approvals turned out wrong: lower it by 0.1. Automatic execution only after four weeks
in a row of more than 95 % agreement at one threshold. A week of few verdicts says little: none below 10 counts.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

from flightlog_viewer.approvals.approval import Approval
from flightlog_viewer.approvals.metrics import agreements, week

STEP = 0.1
RAISE_ABOVE = 0.90
LOWER_ABOVE = 0.03
AUTOMATE_ABOVE = 0.95
AUTOMATE_WEEKS = 4
LEAST_VERDICTS = 10
"""Our own addition to the rules: with fewer, a single answer moves the rate by more than the rules distinguish."""


@dataclass(frozen=True, slots=True)
class WeekVerdict:
    """One week as the rules see it."""

    week: str
    n: int
    agreement: float | None
    approved: int
    regretted: int | None
    """Approvals that turned out wrong; None when nothing says so."""

    @property
    def regret(self) -> float | None:
        """Their share of the approvals."""
        return None if self.regretted is None or not self.approved else self.regretted / self.approved


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do with the threshold, and why."""

    action: Literal["raise", "lower", "keep", "automate"]
    threshold: float
    suggested: float
    reason: str
    weeks: Sequence[WeekVerdict]
    unknown: Sequence[str] = field(default=())
    """What the rules would need and is not recorded."""


def advise(approvals: Sequence[Approval], threshold: float, regretted: Collection[str] | None = None) -> Advice:
    """Advice for today's threshold. `regretted` holds the ids of approved questions whose action went wrong."""
    answered = [approval for approval in approvals if approval.status == "answered" and not approval.breakpoint]
    weeks = [
        WeekVerdict(
            group.key,
            group.n,
            group.rate,
            group.approve,
            None if regretted is None else _regretted(answered, group.key, regretted),
        )
        for group in agreements(answered, week)
    ]
    unknown = _unknown(answered, weeks, regretted)
    counted = [verdict for verdict in weeks if verdict.n >= LEAST_VERDICTS]
    if not counted:
        reason = f"no week has {LEAST_VERDICTS} verdicts yet"
        return Advice("keep", threshold, threshold, reason, weeks, unknown)
    last = counted[-1]
    if last.regret is not None and last.regret > LOWER_ABOVE:
        reason = f"{last.regretted} of {last.approved} approvals of {last.week} went wrong, more than 3 %"
        return Advice("lower", threshold, _moved(threshold, -STEP), reason, weeks, unknown)
    run = counted[-AUTOMATE_WEEKS:]
    if (
        len(run) == AUTOMATE_WEEKS
        and all((verdict.agreement or 0) > AUTOMATE_ABOVE for verdict in run)
        and _in_a_row(weeks, run)
    ):
        reason = f"four weeks in a row above 95 % agreement, {run[0].week} to {run[-1].week}"
        return Advice("automate", threshold, _moved(threshold, STEP), reason, weeks, unknown)
    if last.agreement is not None and last.agreement > RAISE_ABOVE:
        reason = f"{last.agreement:.0%} of {last.n} verdicts of {last.week} agreed, more than 90 %"
        return Advice("raise", threshold, _moved(threshold, STEP), reason, weeks, unknown)
    agreed = "no rate" if last.agreement is None else f"{last.agreement:.0%} of {last.n} verdicts agreed"
    return Advice("keep", threshold, threshold, f"{last.week}: {agreed}", weeks, unknown)


def _unknown(
    answered: Sequence[Approval], weeks: Sequence[WeekVerdict], regretted: Collection[str] | None
) -> list[str]:
    unknown = ["when the threshold took its value: every week is taken to have had today's"]
    if regretted is None:
        unknown.append("regret: no --regret-path says which approved actions went wrong")
    if missing := sum(approval.risk is None for approval in answered):
        unknown.append(f"the risk score of {missing} of {len(answered)} answered questions")
    if lost := sum(not approval.answer_recorded for approval in answered):
        unknown.append(f"the answer of {lost} of {len(answered)} answered questions")
    if len(weeks) < AUTOMATE_WEEKS:
        unknown.append(f"{AUTOMATE_WEEKS} weeks of answers: {len(weeks)} recorded")
    return unknown


def _in_a_row(weeks: Sequence[WeekVerdict], run: Sequence[WeekVerdict]) -> bool:
    """Whether no week with answers lies between those of the run."""
    names = [verdict.week for verdict in weeks]
    first = names.index(run[0].week)
    return names[first : first + len(run)] == [verdict.week for verdict in run]


def _regretted(answered: Sequence[Approval], name: str, regretted: Collection[str]) -> int:
    return sum(
        approval.interrupt_id in regretted
        for approval in answered
        if week(approval) == name and approval.decision == "approve"
    )


def _moved(threshold: float, by: float) -> float:
    return round(min(1.0, max(0.0, threshold + by)), 6)
