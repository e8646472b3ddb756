"""``flightlog export`` and ``flightlog import``: spans out to other formats, and other people's traces in."""

from contextlib import closing
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


@export.command("otlp")
def otlp(
    paths: Paths = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            help="Server, like http://localhost:4318 or, for gRPC, localhost:4317. "
            "Default: OTEL_EXPORTER_OTLP_[TRACES_]ENDPOINT.",
            show_default=False,
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="http/protobuf or grpc. Default: OTEL_EXPORTER_OTLP_[TRACES_]PROTOCOL, else http/protobuf."),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE for every request; may be repeated. Beside OTEL_EXPORTER_OTLP_[TRACES_]HEADERS."),
    ] = None,
    content: Content = None,
    conventions: Vocabulary = "both",
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes, until Ctrl-C.")] = False,
    state: Annotated[
        Path | None,
        typer.Option(
            help="File of the offsets that are delivered. Default: .flightlog-shipped-….json beside the first file.",
            show_default=False,
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Send everything, also what was delivered before.")] = False,
    retry_for: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for a server that is busy or away; with --follow for ever.")
    ] = 300.0,
    skip_refused: Annotated[
        bool, typer.Option("--skip-refused", help="Pass over single spans that the server will not take.")
    ] = False,
) -> int:
    """Send spans to an OpenTelemetry server, each at least once, from where the last export stopped.

    Exit status 1 when not everything was delivered; run it again to go on.
    Example: flightlog export otlp spans.jsonl --endpoint http://localhost:4318 --content
    """
    from flightlog_exporters import semconv
    from flightlog_exporters.delivery.open_sender import open_sender
    from flightlog_exporters.delivery.settings import resolve, resource_attributes
    from flightlog_exporters.ship_state import locked, state_path
    from flightlog_exporters.shipper import Shipper, Wording

    settings = resolve(endpoint, protocol, header or ())
    words = semconv.check_conventions(conventions)
    files = _span_files(paths, waits=follow)
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
        result = shipper.follow(_Listing(given, files)) if follow else shipper.ship(files)
    for refused in result.refused[:10]:
        note(f"not taken: {refused}")
    note(
        f"{result.delivered} spans delivered to {sender.target}"
        f"{f', {len(result.refused)} not taken' if result.refused else ''}{_left_out(result.rejected)}"
        f"{'' if wording.content else ', without content (--content)'}"
    )
    if result.failure is not None:
        note(f"not everything was delivered: {result.failure}")
    return 1 if result.failure is not None or result.refused else 0


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

    words = semconv.check_conventions(conventions)
    allowed = semconv.content_allowed(content)
    files = _span_files(paths)
    with Progress() as progress, new_file(out, overwrite=overwrite) as file:
        source = SpanSource(files, progress)
        written = otlp_json.write((semconv.describe(span, conventions=words, content=allowed) for span in source), file)
    note(f"{written} spans in {out}{_left_out(source.rejected)}{'' if allowed else ', without content (--content)'}")


@export.command("parquet")
def parquet(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to write, new or empty.", show_default=False)],
    paths: Paths = None,
) -> None:
    """Write Parquet files, service=NAME/day=DATE/, for DuckDB, ClickHouse, Spark or pandas. Payloads are included.

    Example: flightlog export parquet spans.jsonl -o spans.parquet
    """
    from flightlog_exporters import parquet

    written = parquet.write(_span_files(paths), out)
    note(f"{written.spans} spans in {out}{_left_out(written.rejected)}")


@export.command("perfetto")
def perfetto(out: OutFile, paths: Paths = None, overwrite: Overwrite = False) -> None:
    """Write a timeline for ui.perfetto.dev or chrome://tracing. Payloads are not included.

    Example: flightlog export perfetto spans.jsonl -o trace.json
    """
    from flightlog_exporters import perfetto
    from flightlog_exporters.new_file import new_file
    from flightlog_exporters.span_source import SpanSource

    files = _span_files(paths)
    with Progress() as progress, new_file(out, overwrite=overwrite) as file:
        source = SpanSource(files, progress)
        written = perfetto.write(source, file)
    note(f"{written} spans in {out}{_left_out(source.rejected)}: open it at ui.perfetto.dev or chrome://tracing")


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


def collect(
    out: Annotated[Path, typer.Option("-o", "--out", help="Span file to append to.", show_default=False)],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 4318,
    host: Annotated[str, typer.Option(help="Address to listen on. Only loopback is private.")] = "127.0.0.1",
) -> None:
    """Receive what OpenTelemetry-instrumented agents send (OTLP over HTTP) and append it to a span file.

    Ends with Ctrl-C.
    Example: flightlog collect -o spans.jsonl
    """
    import os
    import signal

    from flightlog.errors import UsageError
    from flightlog.span_file import SpanFile
    from flightlog_exporters.collector import Collector

    if out.is_dir():
        raise UsageError(f"{out} is a folder: name a file")
    try:
        os.close(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}") from None
    file = SpanFile(out)
    with closing(file), closing(Collector(file.write, host=host, port=port)) as collector:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        note(f"collecting into {out}; send with OTEL_EXPORTER_OTLP_ENDPOINT={collector.url}; Ctrl-C ends it")
        if not collector.is_loopback:
            note(f"everybody who can reach {host} can write to {out}")
        try:
            collector.serve_forever()
        except KeyboardInterrupt:
            note(f"{collector.intake.spans} spans in {out}")


class _Listing:
    """The files that are meant, listed anew at each call; while one is being rotated, those of before with their
    rotated parts.
    """

    def __init__(self, paths: list[str], files: list[Path]) -> None:
        self._paths = paths
        self._files = files

    def __call__(self) -> list[Path]:
        from flightlog.errors import UnreadableError
        from flightlog.rotation import rotated_files

        try:
            self._files = _span_files(self._paths, waits=True)
        except UnreadableError:
            self._files = list(dict.fromkeys(part for file in self._files for part in (*rotated_files(file), file)))
        return self._files


def _span_files(paths: list[str] | None, *, waits: bool = False) -> list[Path]:
    """The files that are meant: each has spans or nothing yet, and one has spans unless the command ``waits``."""
    from flightlog.errors import UnreadableError
    from flightlog_viewer.store.sources import looks_like_spans, resolve

    files = resolve(paths or ())
    for file in files:
        if not looks_like_spans(file) and file.exists() and file.stat().st_size:
            raise UnreadableError(f"{file} is no span file: none of its first lines is a span")
    if not waits and not any(file.exists() and file.stat().st_size for file in files):
        names = ", ".join(str(file) for file in files)
        raise UnreadableError(f"{names} is empty: no span has been recorded yet")
    return files


def _left_out(rejected: int) -> str:
    return f", {rejected} lines could not be read" if rejected else ""
