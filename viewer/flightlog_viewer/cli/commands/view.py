"""``flightlog view``: the viewer in this terminal."""

from contextlib import closing
from importlib.util import find_spec
from typing import Annotated

import typer

from flightlog.errors import MissingExtraError
from flightlog_viewer.analysis.times import milliseconds, zone
from flightlog_viewer.cli.options import Checkpoints, NoCache, Paths, Tz
from flightlog_viewer.cli.terminal import interactive
from flightlog_viewer.databases import told_apart


def view(
    paths: Paths = None,
    checkpoints: Checkpoints = None,
    ascii: Annotated[bool, typer.Option("--ascii", help="Draw with ASCII characters only.")] = False,
    theme: Annotated[
        str | None,
        typer.Option("--theme", help="flightlog-dark, flightlog-light, ansi-dark, or another theme of Textual."),
    ] = None,
    ttl: Annotated[
        str,
        typer.Option(
            "--ttl",
            metavar="LENGTH",
            help="Time limit of a question; what waits longer is marked in the inbox: 30m, 4h, 2d.",
        ),
    ] = "1d",
    tz: Tz = None,
    no_cache: NoCache = False,
    serve: Annotated[bool, typer.Option("--serve", help="Show it in a browser on this machine instead.")] = False,
    port: Annotated[int, typer.Option("--port", help="Port for --serve; 0 takes a free one.", min=0, max=65535)] = 0,
) -> int:
    """Browse span files and checkpoint databases in the terminal; `?` shows the keys.

    A path may be a checkpoint database as well. An empty file is waited for. Without a terminal it prints the summary
    and the threads.

    \b
    Example:
      flightlog view flightlog-demo --checkpoints flightlog-demo/checkpoints.sqlite
    """
    paths, checkpoints = told_apart(paths, checkpoints)
    limit, place = milliseconds(ttl), zone(tz)
    if serve:
        arguments = [part for target in checkpoints for part in ("--checkpoints", target)]
        arguments += ["--ascii"] * ascii + ["--no-cache"] * no_cache + ["--ttl", ttl]
        arguments += ["--theme", theme] if theme else []
        arguments += ["--tz", tz] if tz else []
        return _serve(paths, checkpoints, [*arguments, "--", *paths], port)
    if not interactive():
        from flightlog_viewer.cli.commands.summary import summary
        from flightlog_viewer.cli.commands.threads import threads
        from flightlog_viewer.cli.output import line

        _check(checkpoints)
        if paths or not checkpoints:
            summary(paths, no_cache=no_cache, tz=tz)
        if paths and checkpoints:
            line()
        return threads(paths, checkpoints, tz=tz, no_cache=no_cache) if checkpoints else 0
    from flightlog_viewer.tui.background import uncollected

    with uncollected(True):  # what a program is made of is no garbage, and a look at it takes 20 ms
        from flightlog_viewer.tui.start import run

    return run(
        paths,
        checkpoints,
        cache=not no_cache,
        ascii_only=ascii,
        theme=theme,
        ttl_seconds=limit / 1000,
        zone=place,
    )


def _check(checkpoints: list[str]) -> None:
    """Raises UnreadableError for what is no checkpoint database, while nothing has been printed."""
    if not checkpoints:
        return
    from flightlog_viewer.checkpoints import open_source

    for target in checkpoints:
        open_source(target).close()


def _serve(paths: list[str], checkpoints: list[str], arguments: list[str], port: int) -> int:
    if find_spec("textual_serve") is None:
        raise MissingExtraError("`flightlog view --serve`", "serve")
    from flightlog_viewer.tui.serving import serve
    from flightlog_viewer.tui.session import Session

    if paths or checkpoints:
        # Here and not in the browser is who mistyped it.
        with closing(Session(paths, checkpoints)) as session:
            session.check_checkpoints()
            session.excerpt()
    return serve(arguments, port)
