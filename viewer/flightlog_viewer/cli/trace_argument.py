"""The argument TRACE: which trace is meant by an id, the beginning of one, or a word."""

from typing import TYPE_CHECKING, Final

from flightlog.errors import UsageError
from flightlog_viewer.analysis.filter import compile_filter
from flightlog_viewer.store.files.sources import SUFFIXES

if TYPE_CHECKING:
    from flightlog_viewer import Store

TRACE: Final = "Id of a trace or of a run in it (its beginning is enough), or: last, slowest, failed, interrupted."
"""Its help."""
NAMED: Final = {
    "last": ("", "newest"),
    "slowest": ("", "slowest"),
    "failed": ("status:error", "newest"),
    "interrupted": ("status:interrupted", "newest"),
}
"""Words that stand for a trace: the filter it passes and the order it is first in."""
_NONE: Final = {"failed": "no trace has an error", "interrupted": "no trace stopped to ask a human"}


def check_trace(trace: str, command: str) -> None:
    """Raise UsageError for a file in the place of a trace."""
    if trace.endswith(SUFFIXES):
        raise UsageError(f"the trace comes before the files: flightlog {command} last {trace}")


def find(store: "Store", prefix: str) -> str:
    """The one trace whose id, or the id of a run in it, begins so; or the one that a word of ``NAMED`` stands for.

    Raises UsageError for none or several.
    """
    wanted = prefix.strip()
    if not wanted:
        raise UsageError("the id of the trace is empty: `flightlog traces` lists them")
    found = [row["trace_id"] for row in store.query("find_trace", prefix=wanted)]
    if wanted in found:
        return wanted
    if not found and wanted in NAMED:
        text, order = NAMED[wanted]
        found = [row["trace_id"] for row in store.query("trace_rows", where=compile_filter(text), limit=1, order=order)]
        if not found:
            raise UsageError(f"{_NONE.get(wanted, 'there is no trace')}: `flightlog traces` lists them")
    if not found:
        raise UsageError(f"no trace or run begins with {prefix!r}: `flightlog traces` lists them")
    if len(found) > 1:
        more = ", ..." if len(found) > 3 else ""
        raise UsageError(f"several traces begin with {prefix!r}: {', '.join(found[:3])}{more}; give more of the id")
    return str(found[0])
