"""Which traces are recorded: a share of them, each whole or not at all."""

import zlib
from collections.abc import Iterable
from typing import Final, TypedDict, cast

from flightlog.errors import UsageError
from flightlog.span import STATUSES, Status

MAX_HELD_BYTES: Final = 32 * 1024 * 1024
"""Bytes of lines held for traces whose fate is open; beyond it a trace is kept, whole, rather than cut."""


class SamplingOptions(TypedDict, total=False):
    """The options of JsonlTracer that choose traces."""

    sample: float
    always_keep: Iterable[Status] | Status


def sampling_options(sample: str | None, always_keep: str | None) -> SamplingOptions:
    """JsonlTracer's ``sample`` and ``always_keep`` from texts: a number, and statuses with commas between them.

    Raises UsageError for what cannot be meant.
    """
    options: SamplingOptions = {}
    if sample:
        try:
            options["sample"] = float(sample)
        except ValueError:
            raise UsageError(f"sample must be a share between 0 and 1, not {sample!r}") from None
    if always_keep:
        statuses = (part.strip() for part in always_keep.split(","))
        options["always_keep"] = tuple(cast(Status, status) for status in statuses if status)
    Sampler(options.get("sample", 1.0), options.get("always_keep", ()))  # its own checks
    return options


class Held:
    """The lines of one trace that is kept only if one of its spans turns out to be worth it."""

    __slots__ = ("fate", "keep_answers", "lines")

    def __init__(self, *, keep_answers: bool = False) -> None:
        self.lines: list[bytes] = []
        """The spans that have ended."""
        self.fate: bool | None = None
        """Kept, dropped, or None while that is open."""
        self.keep_answers = keep_answers

    def goes_on(self) -> None:
        """The trace goes on after a pause: whoever keeps questions needs the answers, or they would seem to wait."""
        if self.keep_answers and self.fate is None:
            self.fate = True


class Sampler:
    """Decides by the trace id alone, so that every process and every tracer of a trace decides alike."""

    def __init__(self, share: float, always_keep: Iterable[str]) -> None:
        """
        share: of traces recorded, 0 to 1.
        always_keep: statuses, such as ``error`` and ``interrupted``; a trace with a span of one of them is recorded
        whatever the share, and with ``interrupted`` the one that goes on after the pause. Until that is known its
        finished spans are held in memory.
        """
        if not isinstance(share, int | float) or not 0 <= share <= 1:
            raise UsageError(f"sample must be a share between 0 and 1, not {share!r}")
        try:
            keep = frozenset((always_keep,) if isinstance(always_keep, str) else always_keep)
        except TypeError:
            raise UsageError(f"always_keep takes statuses, such as 'error', not {always_keep!r}") from None
        if unknown := keep - STATUSES:
            known = ", ".join(sorted(STATUSES))
            raise UsageError(f"always_keep knows no status {min(map(repr, unknown))}: use some of {known}")
        self.sampled_out = 0
        """Spans that were left out."""
        self.held_bytes = 0
        self._share = share
        self._always_keep = keep

    def takes(self, trace_id: str) -> bool:
        """Whether a trace is in the share."""
        return zlib.crc32(trace_id.encode("utf-8", "replace")) < self._share * 2**32

    def begin(self) -> Held | None:
        """For a trace outside the share: where its lines wait, or None when nothing can bring it in."""
        return Held(keep_answers="interrupted" in self._always_keep) if self._always_keep else None

    def ended(self, held: Held, line: bytes, status: str, *, is_root: bool) -> list[bytes]:
        """A span of a held trace ended. Gives the lines to write now; ``held.fate`` says what becomes of the rest."""
        if held.fate is None and status in self._always_keep:
            held.fate = True
        if held.fate is None and not is_root:
            held.lines.append(line)
            self.held_bytes += len(line)
            if self.held_bytes <= MAX_HELD_BYTES:
                return []
            held.fate = True
            return self._release(held)
        if held.fate is None:
            held.fate = False
        lines = [*self._release(held), line]
        if held.fate:
            return lines
        self.sampled_out += len(lines)
        return []

    def _release(self, held: Held) -> list[bytes]:
        lines, held.lines = held.lines, []
        self.held_bytes -= sum(len(line) for line in lines)
        return lines
