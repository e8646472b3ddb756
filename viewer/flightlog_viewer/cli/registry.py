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


_CLI: Final = "flightlog_viewer.cli."

COMMANDS: Final[tuple[Command, ...]] = (
    Command("run", "flightlog.__main__", "main", "run a command and record its LangChain and LangGraph runs"),
    Command("demo", _CLI + "demo", "demo", "record the samples and look at them"),
    Command("view", _CLI + "view", "view", "browse traces and threads in the terminal"),
    Command("summary", _CLI + "summary", "summary", "counts, percentiles, tokens and cost by a key"),
    Command("traces", _CLI + "traces", "traces", "one line a trace"),
    Command("show", _CLI + "show", "show", "one trace as a tree"),
    Command("sql", _CLI + "sql", "sql", "ask in SQL"),
    Command("tail", _CLI + "tail", "tail", "one line a span as it ends"),
    Command("threads", _CLI + "threads", "threads", "list the threads of checkpoint databases and what waits"),
    Command("replay", _CLI + "threads", "replay", "step through a thread, from its checkpoints alone"),
    Command(
        "approvals", _CLI + "approvals", "approvals", "what people were asked, what they answered, how long it took"
    ),
    Command("doctor", _CLI + "doctor", "doctor", "what is wrong with span files, and what to do"),
    Command("compare", _CLI + "compare", "compare", "two traces or two files, with the difference"),
    Command("report", _CLI + "report", "report", "a page of Markdown about what happened"),
    Command("bundle", _CLI + "bundle", "bundle", "one trace as one redacted file to send"),
    Command("schema", _CLI + "schema", "schema", "the record, the tables, and a query for your own DuckDB"),
    Command("export", _CLI + "export", "export", "spans out to OpenTelemetry servers and other formats"),
    Command("import", _CLI + "export", "import_", "turn OTLP JSON lines of others into a span file"),
    Command("collect", _CLI + "export", "collect", "receive OTLP from any agent into a span file"),
)


def find(name: str) -> Command | None:
    """The command of that name, or None."""
    return next((command for command in COMMANDS if command.name == name), None)
