"""What a list of approvals says: what waits and for how long, how fast people answer, how often they agree."""

import contextlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from flightlog_viewer.approvals.approval import Approval

BUCKET = 0.1
"""Width of a risk bucket."""
SLOW_MS = 4 * 3600 * 1000.0
"""A 95th percentile of the lag over four hours says that people are too few for what is asked."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often people approved: `approve / (approve + edit + reject)`; other answers are no verdict."""

    key: str
    approve: int
    edit: int
    reject: int
    other: int
    """Answers that the usual words and fields do not classify."""
    unrecorded: int
    """Answered, but no row holds the answer."""

    @property
    def n(self) -> int:
        """Verdicts: what the rate is a share of."""
        return self.approve + self.edit + self.reject

    @property
    def rate(self) -> float | None:
        """From 0 to 1, None without a verdict."""
        return self.approve / self.n if self.n else None


@dataclass(frozen=True, slots=True)
class Lag:
    """How long answers took, in milliseconds; percentiles interpolate between the two nearest (as quantile_cont)."""

    n: int
    p50_ms: float | None
    p95_ms: float | None

    @property
    def slow(self) -> bool:
        """Whether those who answer hold up what is asked."""
        return (self.p95_ms or 0.0) > SLOW_MS


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for an answer now."""

    count: int
    past_ttl: int | None
    """None without a TTL."""
    oldest_ms: float | None
    p50_ms: float | None


@dataclass(frozen=True, slots=True)
class ApprovalMetrics:
    """All of it."""

    questions: int
    answered: int
    abandoned: int
    waiting: Waiting
    exact_lag: Lag
    """Over answers whose times are exact."""
    window_lag_min: Lag
    """Over answers known within a window: the least they can have taken."""
    window_lag_max: Lag
    """The most they can have taken."""
    overall: Agreement
    by_node: Sequence[Agreement]
    by_week: Sequence[Agreement]
    """ISO weeks of the answer, like `2026-W47`."""
    by_risk: Sequence[Agreement]
    """Buckets of `risk_score` 0.1 wide, like `0.6-0.7`; a question without a score is in none."""
    by_person: Sequence[Agreement]
    """Who decided; an answer that names nobody is in none."""


def measure(
    approvals: Sequence[Approval], now: datetime, ttl: timedelta | None = None, tz: tzinfo = UTC
) -> ApprovalMetrics:
    """The metrics of approvals as of a time; weeks begin at midnight in `tz`."""
    answered = [approval for approval in approvals if approval.status == "answered"]
    exact = [approval for approval in answered if approval.exact]
    windows = [approval for approval in answered if not approval.exact]
    return ApprovalMetrics(
        questions=len(approvals),
        answered=len(answered),
        abandoned=sum(approval.status == "abandoned" for approval in approvals),
        waiting=_waiting(approvals, now, ttl),
        exact_lag=_lag(approval.lag_max_ms for approval in exact),
        window_lag_min=_lag(approval.lag_min_ms for approval in windows),
        window_lag_max=_lag(approval.lag_max_ms for approval in windows),
        overall=agreement("all", answered),
        by_node=agreements(answered, lambda approval: approval.node),
        by_week=agreements(answered, lambda approval: week(approval, tz)),
        by_risk=agreements(answered, risk_bucket),
        by_person=agreements(answered, lambda approval: approval.decided_by),
    )


def agreement(key: str, approvals: Iterable[Approval]) -> Agreement:
    """The agreement in a group of answered questions."""
    counts = dict.fromkeys(("approve", "edit", "reject", "other", ""), 0)
    for approval in approvals:
        counts[approval.decision or ""] += 1
    return Agreement(key, counts["approve"], counts["edit"], counts["reject"], counts["other"], counts[""])


def agreements(approvals: Iterable[Approval], key: Callable[[Approval], str | None]) -> list[Agreement]:
    """The agreement by group, in the order of the keys; what has no key is left out."""
    groups: dict[str, list[Approval]] = {}
    for approval in approvals:
        if (name := key(approval)) is not None:
            groups.setdefault(name, []).append(approval)
    return [agreement(name, groups[name]) for name in sorted(groups)]


def week(approval: Approval, tz: tzinfo = UTC) -> str | None:
    """The ISO week of the answer in a zone."""
    moment = approval.answered_at
    if moment is None:
        return None
    with contextlib.suppress(ValueError, OverflowError):  # the first and the last day there is stay where they are
        moment = moment.astimezone(tz)
    year, number, _ = moment.isocalendar()
    return f"{year}-W{number:02}"


def risk_bucket(approval: Approval) -> str | None:
    """The bucket of a question's risk score."""
    if approval.risk is None or not math.isfinite(approval.risk) or abs(approval.risk) > 1e6:
        return None
    low = math.floor(round(approval.risk / BUCKET, 6)) * BUCKET
    return f"{low:.1f}-{low + BUCKET:.1f}"


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which that share of the values lies, interpolated linearly; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _waiting(approvals: Iterable[Approval], now: datetime, ttl: timedelta | None) -> Waiting:
    pending = [approval for approval in approvals if approval.status == "pending"]
    ages = [age for approval in pending if (age := approval.waited_ms(now)) is not None]
    past = None if ttl is None else sum(age > ttl.total_seconds() * 1000 for age in ages)
    return Waiting(len(pending), past, max(ages, default=None), percentile(ages, 0.5))


def _lag(lags: Iterable[float | None]) -> Lag:
    known = [lag for lag in lags if lag is not None]
    return Lag(len(known), percentile(known, 0.5), percentile(known, 0.95))
