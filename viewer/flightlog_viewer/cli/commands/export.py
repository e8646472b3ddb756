"""``flightlog export``: spans out to OpenTelemetry servers and other formats."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from flightlog_viewer.analysis.units import plural
from flightlog_viewer.cli.exported_files import Listing, left_out, span_files
from flightlog_viewer.cli.help import HelpfulCommand, application
from flightlog_viewer.cli.options import OutFile, Overwrite, Paths, not_stdout
from flightlog_viewer.cli.output import note
from flightlog_viewer.cli.progress import Progress

export = application(
    "Hand spans to OpenTelemetry servers and other formats.\n\n"
    "Example:\nflightlog export otlp-json spans.jsonl -o spans.otlp.jsonl"
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
    typer.Option(
        "--conventions", metavar="NAME", help="Names of attributes: both, genai (OpenTelemetry's) or openinference."
    ),
]


@export.command("otlp", cls=HelpfulCommand)
def otlp(
    paths: Paths = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Server, like http://localhost:4318 or, for gRPC, localhost:4317. "
            "Default: OTEL_EXPORTER_OTLP_[TRACES_]ENDPOINT.",
            show_default=False,
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="http/protobuf or grpc. Default: OTEL_EXPORTER_OTLP_[TRACES_]PROTOCOL, else http/protobuf.",
        ),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Header of every request, beside OTEL_EXPORTER_OTLP_[TRACES_]HEADERS; repeatable.",
        ),
    ] = None,
    content: Content = None,
    conventions: Vocabulary = "both",
    follow: Annotated[bool, typer.Option("--follow", help="Keep sending what is added, until Ctrl-C.")] = False,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File that keeps how far each is delivered. Default: .flightlog-shipped-….json beside the first file.",
            show_default=False,
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Send everything, including what was delivered before.")
    ] = False,
    retry_for: Annotated[
        float,
        typer.Option(
            min=0, metavar="SECONDS", help="Seconds to wait for a server that is busy or away; no limit with --follow."
        ),
    ] = 300.0,
    skip_refused: Annotated[
        bool, typer.Option("--skip-refused", help="Skip single spans that the server refuses.")
    ] = False,
) -> int:
    """Send spans to an OpenTelemetry server, each at least once, from where the last export stopped.

    The exit status is 1 when not everything was delivered; run it again to go on.
    Example: flightlog export otlp spans.jsonl --endpoint http://localhost:4318 --content
    """
    from flightlog_exporters import semconv
    from flightlog_exporters.delivery.open_sender import open_sender
    from flightlog_exporters.delivery.settings import resolve, resource_attributes
    from flightlog_exporters.ship_state import locked, state_path
    from flightlog_exporters.shipper import Shipper, Wording

    settings = resolve(endpoint, protocol, header or ())
    words = semconv.check_conventions(conventions)
    files = span_files(paths, waits=follow)
    given = paths or [str(files[-1])]
    wording = Wording(words, semconv.content_allowed(content), semconv.latest_names(), resource_attributes())
    with (
        locked(state or state_path(files[0].parent, settings)) as offsets,
        closing(open_sender(settings)) as sender,
        Progress() as progress,
    ):
        if again:
            offsets.forget()
        shipper = Shipper(
            sender,
            offsets,
            wording=wording,
            retry_for_s=None if follow else retry_for,
            skip_refused=skip_refused,
            tick=progress,
            note=note,
        )
        try:
            result = shipper.follow(Listing(given, files)) if follow else shipper.ship(files)
        except KeyboardInterrupt:
            note(f"{plural(shipper.result.delivered, 'span')} delivered before it was stopped; run it again to go on")
            raise
    for refused in result.refused[:10]:
        note(f"not taken: {refused}")
    note(
        f"{plural(result.delivered, 'span')} delivered to {sender.target}"
        f"{f', {len(result.refused)} not taken' if result.refused else ''}{left_out(result.rejected)}"
        f"{'' if wording.content else ', without content (--content)'}"
    )
    if result.failure is not None:
        note(f"not everything was delivered: {result.failure}")
    return 1 if result.failure is not None or result.refused else 0


@export.command("otlp-json", cls=HelpfulCommand)
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

    words = semconv.check_conventions(conventions)
    allowed = semconv.content_allowed(content)
    files = span_files(paths)
    with Progress() as progress, new_file(out, overwrite=overwrite) as file:
        source = SpanSource(files, progress)
        written = otlp_json.write((semconv.describe(span, conventions=words, content=allowed) for span in source), file)
    about = "" if allowed else ", without content (--content)"
    note(f"{plural(written, 'span')} in {out}{left_out(source.rejected)}{about}")


@export.command("parquet", cls=HelpfulCommand)
def parquet(
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--out",
            "--output",
            metavar="FOLDER",
            help="Folder to write, new or empty.",
            show_default=False,
            callback=not_stdout,
        ),
    ],
    paths: Paths = None,
) -> None:
    """Write Parquet files, service=NAME/day=DATE/, for DuckDB, ClickHouse, Spark or pandas. Payloads are included.

    Example: flightlog export parquet spans.jsonl -o spans.parquet
    """
    from flightlog_exporters import parquet

    written = parquet.write(span_files(paths), out)
    note(f"{plural(written.spans, 'span')} in {out}{left_out(written.rejected)}")


@export.command("perfetto", cls=HelpfulCommand)
def perfetto(out: OutFile, paths: Paths = None, overwrite: Overwrite = False) -> None:
    """Write a timeline for ui.perfetto.dev or chrome://tracing. Payloads are not included.

    Example: flightlog export perfetto spans.jsonl -o trace.json
    """
    from flightlog_exporters import perfetto
    from flightlog_exporters.new_file import new_file
    from flightlog_exporters.span_source import SpanSource

    files = span_files(paths)
    with Progress() as progress, new_file(out, overwrite=overwrite) as file:
        # Reading is about half of it.
        source = SpanSource(files, lambda done, total, spans: progress(done, 2 * total, spans))
        written = perfetto.write(source, file, lambda done, total, spans: progress(total + done, 2 * total, spans))
    note(
        f"{plural(written, 'span')} in {out}{left_out(source.rejected)}: open it at ui.perfetto.dev or chrome://tracing"
    )
