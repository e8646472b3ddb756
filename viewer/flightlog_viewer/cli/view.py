"""``flightlog view``: the viewer in this terminal."""

from typing import Annotated

import typer

from flightlog_viewer.cli.options import Checkpoints, NoCache, Paths
from flightlog_viewer.cli.terminal import interactive


def view(
    paths: Paths = None,
    checkpoints: Checkpoints = None,
    ascii: Annotated[bool, typer.Option("--ascii", help="Draw with ASCII characters only.")] = False,
    theme: Annotated[
        str | None,
        typer.Option("--theme", help="flightlog-dark, flightlog-light, ansi-dark, or another theme of Textual."),
    ] = None,
    ttl: Annotated[
        str, typer.Option("--ttl", help="How long an approval may wait before the inbox marks it: 30m, 4h, 2d.")
    ] = "1d",
    no_cache: NoCache = False,
) -> int:
    """Browse span files and checkpoint databases in the terminal; `?` shows the keys.

    An empty file is waited for. Without a terminal it prints the summary and the threads.

    \b
    Example:
      flightlog view flightlog-demo --checkpoints flightlog-demo/checkpoints.sqlite
    """
    if not interactive():
        from flightlog_viewer.cli.summary import summary
        from flightlog_viewer.cli.threads import threads

        if paths or not checkpoints:
            summary(paths, no_cache=no_cache)
        if checkpoints:
            threads(paths, checkpoints)
        return 0
    from flightlog_viewer.analysis.times import milliseconds
    from flightlog_viewer.tui.app import run

    return run(
        paths or [],
        checkpoints or [],
        cache=not no_cache,
        ascii_only=ascii,
        theme=theme,
        ttl_seconds=milliseconds(ttl) / 1000,
    )
