"""Which commands there are, and the module that holds each: nothing is imported until its command is given.

A command is a plain function with typer annotations (or a ``typer.Typer`` when it has commands of its own, like
``export``), that returns its exit status or None for 0. Its docstring is its help and ends with an example.
"""

from typing import Final, NamedTuple


class Command(NamedTuple):
    """One command of ``flightlog``."""

    name: str
    module: str
    function: str
    """Attribute of the module: the function, or the Typer application."""
    summary: str
    """Its line in ``flightlog --help``."""
    group: str = ""
    """The heading that the line stands under."""
    lasts: bool = False
    """Whether it may run until somebody stops it."""


_CLI: Final = "flightlog_viewer.cli.commands."

_RECORD: Final = "record"
_LOOK: Final = "look at spans"
_PEOPLE: Final = "look at threads and approvals (checkpoint databases)"
_SHARE: Final = "share and export"
_OTHERS: Final = "take in what others record"
_ITSELF: Final = "flightlog itself"

COMMANDS: Final[tuple[Command, ...]] = (
    Command("run", "flightlog.__main__", "main", "run a command and record its LangChain and LangGraph runs", _RECORD),
    Command("demo", _CLI + "demo", "demo", "record the samples and look at them", _RECORD),
    Command("view", _CLI + "view", "view", "browse traces and threads in the terminal", _LOOK, lasts=True),
    Command("summary", _CLI + "summary", "summary", "counts, percentiles, tokens and cost by a key", _LOOK),
    Command("traces", _CLI + "traces", "traces", "one line a trace", _LOOK),
    Command("show", _CLI + "show", "show", "one trace as a tree", _LOOK),
    Command("tail", _CLI + "tail", "tail", "one line a span as it ends", _LOOK, lasts=True),
    Command("doctor", _CLI + "doctor", "doctor", "what is wrong with span files, and what to do", _LOOK),
    Command("compare", _CLI + "compare", "compare", "two traces or two files, with the difference", _LOOK),
    Command("sql", _CLI + "sql", "sql", "ask in SQL", _LOOK),
    Command("threads", _CLI + "threads", "threads", "the threads, and which of them wait for an answer", _PEOPLE),
    Command("replay", _CLI + "replay", "replay", "step through a thread, from its checkpoints alone", _PEOPLE),
    Command(
        "approvals", _CLI + "approvals", "approvals", "what was asked, what was answered, how long it took", _PEOPLE
    ),
    Command("report", _CLI + "report", "report", "a page of Markdown about what happened", _SHARE),
    Command("bundle", _CLI + "bundle", "bundle", "one trace as one redacted file to send", _SHARE),
    Command(
        "export", _CLI + "export", "export", "spans out to OpenTelemetry servers and other formats", _SHARE, lasts=True
    ),
    Command(
        "collect", _CLI + "incoming", "collect", "receive OTLP from any agent into a span file", _OTHERS, lasts=True
    ),
    Command("import", _CLI + "incoming", "import_", "turn OTLP JSON lines of others into a span file", _OTHERS),
    Command("schema", _CLI + "schema", "schema", "the record, the tables, and a query for your own DuckDB", _ITSELF),
    Command("completion", _CLI + "completion", "completion", "a script that completes commands in your shell", _ITSELF),
)


def find(name: str) -> Command | None:
    """The command of that name, or None."""
    return next((command for command in COMMANDS if command.name == name), None)
