"""The line at the top: what is open, how much of it is there, and what waits."""

from pathlib import Path

from flightlog_viewer.analysis import units
from flightlog_viewer.tui.glyphs import Glyphs
from flightlog_viewer.tui.session import Session
from flightlog_viewer.tui.text import Part

_NAMES = 60


def status_line(
    session: Session, loaded: bool | None, pending: int, glyphs: Glyphs, *, following: bool, zone: str
) -> list[Part]:
    """Its parts. ``loaded`` is None while it is being done, False when it has failed."""
    # Without paths it is the newest span file here that was taken: which one that is has to be seen.
    taken = [str(source.path) for source in session.cursors.store.sources] if loaded and not session.paths else []
    shown = session.paths or [*taken, *(target.rpartition("@")[2] for target in session.checkpoints)]
    names = ", ".join(Path(path).name or path for path in shown) or "newest span file here"
    parts: list[Part] = [("flightlog ", "bold"), names if len(names) < _NAMES else names[: _NAMES - 3] + "...", "  "]
    if loaded is None:
        parts.append("loading, counts are so far")
    elif not loaded:
        parts.append(("not loaded; r tries again", "bold $warning"))
    else:
        parts.append(units.plural(session.span_count, "span"))
        gaps = [units.plural(session.reject_count, "bad line")] if session.reject_count else []
        gaps += [f"{session.lost:,} lost"] if session.lost else []
        gaps += [f"{units.plural(len(session.left_out), 'file')} left out"] if session.left_out else []
        if gaps:
            parts += ["  ", (f"{', '.join(gaps)} (R)", "bold $warning")]
        if session.newer:
            parts += ["  ", (f"{session.newer:,} of a later version", "bold $warning")]
        if pending:
            parts += ["  ", (f"{glyphs.status['interrupted']} {pending} pending", "bold $warning")]
    if following:
        parts += ["  ", ("LIVE", "bold reverse")]
    parts.append((f"  {zone}", "dim"))
    return parts


def load_line(done: int, total: int, rows: int, seconds: float) -> str:
    """``loading 12.0 of 80.0 MB, 14,000 spans so far, 3s left, Esc stops``."""
    left = (
        f", {units.duration((total - done) / done * seconds * 1000)} left"
        if done and total > done and seconds > 0.5
        else ""
    )
    if done >= total > 0:
        return "all read: working out traces, times and costs, Esc stops"
    spans = f", {rows:,} spans so far" if rows else ""
    return f"loading {units.size(done)} of {units.size(total)}{spans}{left}, Esc stops"
