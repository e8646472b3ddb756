"""``flightlog bundle``: one trace as one redacted file to send to a colleague."""

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from flightlog.errors import UsageError
from flightlog.payloads.redaction import REDACTED, Redactor
from flightlog.span import Span, format_time
from flightlog_viewer.analysis import units
from flightlog_viewer.cli.opening import opened
from flightlog_viewer.cli.options import NoCache, OutFile, Overwrite, Paths
from flightlog_viewer.cli.output import note
from flightlog_viewer.cli.span_rows import known, microseconds
from flightlog_viewer.cli.trace_argument import TRACE, check_trace, find
from flightlog_viewer.store.columns import PAYLOADS

if TYPE_CHECKING:
    from flightlog_viewer import Store

SECRETS: Final = (
    re.compile(r"\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}"),  # OpenAI, Anthropic, Stripe
    re.compile(r"\b(?:gh[opsur]_|github_pat_|glpat-|xox[abprs]-|hf_|lsv2_|npm_|pypi-)[A-Za-z0-9_-]{16,}"),
    re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),  # AWS
    re.compile(r"\bAIza[0-9A-Za-z_-]{30,}"),  # Google
    re.compile(r"\beyJ[A-Za-z0-9_-]{8,}[A-Za-z0-9._-]*"),  # JSON web tokens, and any JSON object in base64
    re.compile(r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9+/._~=-]{8,}"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"),
    re.compile(r"(?<=://)[^\s/:@]*:[^\s/@]+@"),  # user and password in a URL, or the password alone
    re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,255}\.[A-Za-z]{2,24}\b"),  # mail addresses
    # Numbers of payment cards and bank accounts; a dash around them says that they are a part of some id.
    re.compile(r"(?<![\w-])(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|6\d{3})(?:[ -]?\d{4}){2}[ -]?\d{1,7}(?![\w-])"),
    re.compile(r"(?<![\w-])3[47]\d\d[ -]?\d{6}[ -]?\d{5}(?![\w-])"),
    re.compile(r"(?<![\w-])[A-Z]{2}\d\d ?(?:[A-Z0-9]{4} ?){2,7}[A-Z0-9]{1,4}(?![\w-])"),
)
"""Texts that are hidden wherever they stand, beside the keys that the tracer hides.

None may look at one stretch of text from each of its characters anew: a text made for it would take hours.
"""

_WORDS: Final = ("error", "interrupts", "resumes", "model_params", "tags", *PAYLOADS)
"""Fields of free text, or of keys and values."""
_LINKS: Final = frozenset(("run_id", "parent_run_id", "trace_id", "writer_id", "type", "kind", "status"))
"""What spans hang together by, and words of ours. Other ids and names are the application's: a thread may be called by
somebody's mail address."""
_MACHINE: Final = ("host", "pid", "file")
_DERIVED: Final = frozenset(("row_id", "end_time", "self_ms", "cost_usd", "counted", "start_time", "file"))
_DEEPEST: Final = 200


def bundle(
    trace: Annotated[str, typer.Argument(metavar="TRACE", help=TRACE)],
    out: OutFile,
    paths: Paths = None,
    redact: Annotated[
        list[str] | None,
        typer.Option("--redact", metavar="REGEX", help="Regular expression of texts to hide as well; repeatable."),
    ] = None,
    payloads: Annotated[
        bool, typer.Option("--payloads/--no-payloads", help="Keep inputs, output and metadata (redacted).")
    ] = True,
    overwrite: Overwrite = False,
    no_cache: NoCache = False,
) -> None:
    """Write one trace to one redacted span file that a colleague can open.

    Values of keys like password and authorization are hidden, and so is text that looks like an API key, a token, a
    password in a URL, a private key, a mail address, or the number of a payment card or bank account. Host and process
    are left out. Read it before you send it.

    \b
    Example:
      flightlog bundle failed runs/ -o trace.jsonl
      flightlog bundle 01a1f87b-af24 runs/ -o trace.jsonl --redact 'ACME-[0-9]+' --no-payloads
    """
    check_trace(trace, "bundle")
    redactor = Redactor([*SECRETS, *(_pattern(text) for text in redact or [])])
    from flightlog_exporters.new_file import new_file

    count = hidden = 0
    with opened(paths, cache=not no_cache) as store:
        trace_id = find(store, trace)
        with new_file(out, overwrite=overwrite) as file:
            for row in store.each("trace_spans", trace_id=trace_id):
                line = _line(store, row, redactor, payloads=payloads)
                file.write(line + b"\n")
                count += 1
                hidden += line.count(REDACTED.encode())
    about = f"{units.plural(count, 'span')} in {out}, {units.plural(hidden, 'text')} hidden"
    note(f"{about}; open it with `flightlog view {out}`")


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"--redact {text!r} is not a regular expression: {error}") from None


def _line(store: "Store", row: dict[str, Any], redactor: Redactor, *, payloads: bool) -> bytes:
    record = {name: value for name, value in known(row).items() if name not in _DERIVED}
    record["start_time"] = format_time(microseconds(row["start_time"]) * 1000)
    body = store.payload(row["row_id"], row["run_id"])
    record.update(body.get("raw") or {})
    record.update({name: body[name] for name in PAYLOADS if name in body})
    if record.get("duration_ms") is None or record.get("status") in ("running", "unfinished"):
        # A line needs an end; nobody knows it, which is what `abandoned` says.
        record |= {"status": "abandoned", "duration_ms": 0.0}
    for name in (*_MACHINE, *(() if payloads else PAYLOADS)):
        record.pop(name, None)
    words = {*_WORDS, *(body.get("raw") or {})}
    for name, value in record.items():
        if name in words:
            record[name] = REDACTED if redactor.hides(name) else hide(value, redactor)
        elif isinstance(value, str) and name not in _LINKS:
            record[name] = redactor.text(value)
    return Span.from_record({"v": 1} | record).to_json()


def hide(value: Any, redactor: Redactor, depth: int = 0) -> Any:
    """The JSON value with secrets hidden; what is nested too deep to look at is hidden whole."""
    if isinstance(value, str):
        return redactor.text(value)
    if depth > _DEEPEST and isinstance(value, dict | list):
        return REDACTED
    if isinstance(value, dict):
        return {
            redactor.text(key): REDACTED if redactor.hides(key) else hide(item, redactor, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [hide(item, redactor, depth + 1) for item in value]
    return value
