"""``flightlog export`` and ``flightlog import``: spans out to other formats, and other people's traces in."""

from pathlib import Path
from typing import Annotated

import typer

from flightlog_viewer.cli.options import Paths
from flightlog_viewer.cli.output import note
from flightlog_viewer.cli.progress import Progress

export = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Spans out to other formats. Example: flightlog export otlp-json spans.jsonl -o spans.otlp.jsonl",
)

Content = Annotated[
    bool | None,
    typer.Option(
        "--content/--no-content",
        help="Send prompts, answers, arguments and what humans said. "
        "Default: as OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT says; unset is no.",
        show_default=False,
    ),
]
Vocabulary = Annotated[
    str,
    typer.Option("--conventions", help="Names of attributes: both, genai (OpenTelemetry's) or openinference."),
]
OutFile = Annotated[Path, typer.Option("-o", "--out", help="File to write.", show_default=False)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace FILE when it is there already.")]


@export.callback()
def _commands() -> None:
    """Keep `export` a group even while it has one command."""


@export.command("otlp-json")
def otlp_json(
    out: OutFile,
    paths: Paths = None,
    content: Content = None,
    conventions: Vocabulary = "both",
    overwrite: Overwrite = False,
) -> None:
    """Write OTLP JSON lines, as the OpenTelemetry Collector's file exporter does.

    Example: flightlog export otlp-json spans.jsonl -o spans.otlp.jsonl
    """
    from flightlog_exporters import otlp_json, semconv
    from flightlog_exporters.new_file import new_file
    from flightlog_exporters.span_source import SpanSource
    from flightlog_viewer.store.sources import resolve

    words = semconv.check_conventions(conventions)
    allowed = semconv.content_allowed(content)
    with Progress() as progress, new_file(out, overwrite=overwrite) as file:
        source = SpanSource(resolve(paths or ()), progress)
        written = otlp_json.write((semconv.describe(span, conventions=words, content=allowed) for span in source), file)
    note(f"{written} spans in {out}{_left_out(source.rejected)}{'' if allowed else ', without content (--content)'}")


def import_(
    files: Annotated[list[Path], typer.Argument(help="OTLP JSON lines, plain or compressed.", show_default=False)],
    out: OutFile,
    overwrite: Overwrite = False,
) -> None:
    """Turn other people's traces into a span file: OTLP JSON lines with GenAI, OpenInference or OpenLLMetry names.

    Example: flightlog import collector.jsonl -o spans.jsonl
    """
    from flightlog_exporters.readers.files import import_to

    result = import_to(files, out, overwrite=overwrite)
    note(f"{result.spans} spans in {out}{_left_out(result.rejected)}")
    for reject in result.rejects[:3]:
        note(f"{reject.file}, byte {reject.offset}: {reject.reason}")


def _left_out(rejected: int) -> str:
    return f", {rejected} lines could not be read" if rejected else ""
