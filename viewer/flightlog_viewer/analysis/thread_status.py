"""A thread's status when there are spans beside its checkpoints."""

from collections.abc import Collection, Sequence


def refine(
    status: str, due: Sequence[str], newest_run: str | None = None, breakpoints: Collection[str] = ()
) -> tuple[str, bool]:
    """The status, and whether it is inferred rather than read from the rows.

    `newest_run` is the status of the thread's newest root span: `running` or `unfinished` (its process is dead) while
    it has not ended. A run that ended well while nodes are due stopped at a static breakpoint: it waits for a human.
    One that failed did so without a word in the database: at the recursion limit, say. `breakpoints` are nodes before
    which a pause is a wait for a human, spans or not.
    """
    if status != "paused_or_running":
        return status, False
    if newest_run == "running":
        return "running", False
    if newest_run == "unfinished":
        return "crashed", False
    if newest_run == "error":
        return "errored", True
    if newest_run in ("ok", "interrupted") or any(node in breakpoints for node in due):
        return "interrupted", True
    return status, False
