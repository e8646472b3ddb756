"""``flightlog replay``: one thread step by step, from its checkpoints alone."""

from typing import Annotated

import typer

from flightlog.errors import UsageError
from flightlog_viewer.analysis.times import zone
from flightlog_viewer.cli import output
from flightlog_viewer.cli.options import Checkpoints, Json, Tz, targets

Thread = Annotated[
    str, typer.Argument(metavar="THREAD", help="Thread id; the beginning of one is enough.", show_default=False)
]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="STEP", help="Only this step: its number or the beginning of its checkpoint id."),
]
Diff = Annotated[
    tuple[str, str] | None, typer.Option("--diff", metavar="A B", help="What changed in the state from step A to B.")
]
Namespace = Annotated[
    str | None,
    typer.Option("--ns", metavar="NAMESPACE", help="Only this namespace; '' is the root graph.", show_default=False),
]


Databases = Annotated[
    list[str] | None,
    typer.Argument(metavar="DB", help="Checkpoint databases, as with --checkpoints.", show_default=False),
]


def replay(
    thread: Thread,
    databases: Databases = None,
    checkpoints: Checkpoints = None,
    at: At = None,
    diff: Diff = None,
    ns: Namespace = None,
    tz: Tz = None,
    json: Json = False,
) -> int:
    """Show what happened at every super-step of a thread, from its checkpoints alone.

    Example: flightlog replay approval-pending checkpoints.sqlite
    """
    from flightlog_viewer.checkpoints import open_source
    from flightlog_viewer.cli.steps import Steps

    place = zone(tz)
    target, found = _find(targets([*(databases or ()), *(checkpoints or ())]), thread)
    with open_source(target) as source:
        if ns is not None and ns not in (known := source.namespaces(found)):
            few = ", ".join(repr(name) for name in known[:5])
            raise UsageError(f"thread {found} has no namespace {ns!r}; it has {few}")
        run = Steps(source.history(found, checkpoint_ns=ns), at=at, ns=ns, tz=place)
        if diff is not None:
            run.show_diff(*diff, json=json)
        elif json:
            output.json_parts(run.json_parts())
        else:
            run.show()
        return output.missing(source.problems)


def _find(databases: list[str], given: str) -> tuple[str, str]:
    """The database that has the thread, and the thread's id; the beginning of the id is enough where only one fits."""
    from flightlog_viewer.checkpoints import open_source

    names: list[str] = []
    whole: list[tuple[str, str]] = []
    begun: dict[str, None] = {}
    for target in databases:
        with open_source(target) as source:
            names.append(source.name)
            if source.has_thread(given):
                whole.append((target, source.name))
            elif not whole:
                begun |= dict.fromkeys(source.threads_starting(given))
    if whole:
        if len(whole) > 1:
            others = ", ".join(name for _, name in whole[1:])
            output.note(f"thread {given} is in {others} as well; this is what {whole[0][1]} has of it")
        return whole[0][0], given
    if not begun or given in begun:  # a name that is not text is listed, and cannot be asked for
        raise UsageError(f"no thread {given!r} in {', '.join(names)}: `flightlog threads` lists them")
    if len(begun) > 1:
        raise UsageError(f"{given!r} is the beginning of {len(begun)} or more threads, {', '.join(list(begun)[:3])}")
    return _find(databases, next(iter(begun)))
