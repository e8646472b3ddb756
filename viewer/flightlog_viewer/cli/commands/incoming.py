"""``flightlog import`` and ``flightlog collect``: other people's traces into a span file."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from flightlog_viewer.analysis.units import plural
from flightlog_viewer.cli.exported_files import left_out
from flightlog_viewer.cli.options import OutFile, Overwrite, not_stdout
from flightlog_viewer.cli.output import note
from flightlog_viewer.databases import is_url


def import_(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES", help="OTLP JSON, lines or one document, plain or compressed.", show_default=False
        ),
    ],
    out: OutFile,
    overwrite: Overwrite = False,
) -> None:
    """Turn other people's traces into a span file: OTLP JSON lines with GenAI, OpenInference or OpenLLMetry names.

    Example: flightlog import collector.jsonl -o spans.jsonl
    """
    from flightlog.errors import UsageError
    from flightlog_exporters.readers.files import import_to

    if any(map(is_url, files)):  # it may hold a password: it is not repeated
        raise UsageError("a URL is not a file: `flightlog import` reads files, `flightlog collect` receives")
    if "-" in files:
        raise UsageError("standard input is not a file: save it to one, and name that")
    result = import_to([Path(file) for file in files], out, overwrite=overwrite)
    note(f"{plural(result.spans, 'span')} in {out}{left_out(result.rejected)}")
    for reject in result.rejects[:3]:
        note(f"{reject.file}, byte {reject.offset}: {reject.reason}")


def collect(
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--out",
            "--output",
            metavar="FILE",
            help="Span file to append to.",
            show_default=False,
            callback=not_stdout,
        ),
    ],
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
    from flightlog.writing.span_file import SpanFile
    from flightlog_exporters.collector import Collector

    if out.is_dir():
        raise UsageError(f"{out} is a folder: name a file")
    if out.exists() and not out.is_file():  # a pipe would be waited for, a device is nobody's span file
        raise UsageError(f"{out} is not a regular file: name another one")
    file = SpanFile(out, given_again=True)
    with closing(file), closing(Collector(file.write, file.lose, host=host, port=port)) as collector:
        # After listening: where that fails there would be an empty span file, the newest here.
        try:
            os.close(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        except OSError as error:
            raise UsageError(f"cannot write {out}: {error.strerror}") from None
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        note(f"collecting into {out}; send with OTEL_EXPORTER_OTLP_ENDPOINT={collector.url}; Ctrl-C ends it")
        if not collector.is_loopback:
            note(f"everybody who can reach {host} can write to {out}")
        try:
            collector.serve_forever()
        except KeyboardInterrupt:
            note(f"{plural(collector.intake.spans, 'span')} in {out}")
