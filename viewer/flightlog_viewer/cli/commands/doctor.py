"""``flightlog doctor``: what is wrong with span files, and what to do about each."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from flightlog.errors import UnreadableError
from flightlog_viewer.analysis import units
from flightlog_viewer.cli.opening import opened
from flightlog_viewer.cli.options import Json, NoCache, Paths
from flightlog_viewer.cli.output import json_value, line, lines, wrapped
from flightlog_viewer.cli.progress import Progress
from flightlog_viewer.databases import not_spans, told_apart
from flightlog_viewer.safe_text import name_text
from flightlog_viewer.store.prices import override_place

if TYPE_CHECKING:
    from flightlog_viewer import Store


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look for."""

    kind: str
    """Of the finding. The named query that counts it is called ``doctor_`` and this, but for rejects."""
    problem: bool
    """False for what is worth knowing and no fault."""
    one: str
    many: str
    advice: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was found; its fields are those of ``--json``."""

    kind: str
    problem: bool
    count: int
    what: str
    advice: str
    examples: list[str]


_EXAMPLES: Final = 3
_CHECKS: Final = (
    Check(
        "losses", True, "span could not be written", "spans could not be written",
        "The disk was full or the file could not be opened; the tracer counted them. Free space, or bound the files "
        "with max_total_bytes.",
    ),
    Check(
        "unfinished", True, "span never ended: its process died", "spans never ended: their process died",
        "They are what was running then: `flightlog traces --filter status:unfinished` lists their runs. In a "
        "copy of the files the process may have been alive: only the originals tell.",
    ),
    Check(
        "orphans", True, "span has a parent that is in no file", "spans have a parent that is in no file",
        "Give all files of the run (the folder, rotated parts too); if the oldest were deleted by max_total_bytes, "
        "raise it.",
    ),
    Check(
        "missing_roots", True, "trace has no root span", "traces have no root span",
        "The run is still going on, was killed, or its root is in a file that was not given.",
    ),
    Check(
        "cycles", True, "span is below itself", "spans are below themselves",
        "No tracer writes this: the ids were changed or made up afterwards. The viewer cuts the circle.",
    ),
    Check(
        "recorded_twice", True, "run was recorded twice", "runs were recorded twice",
        "Two tracers are attached: pass callbacks=[tracer] or use install() or `flightlog run`, not several of them. "
        "Every sum counts these runs twice.",
    ),
    Check(
        "nested_calls", True, "model call is recorded again inside itself",
        "model calls are recorded again inside themselves",
        "Two instrumentations record the same call (OpenTelemetry's of the provider and LangChain's): switch one off, "
        "or tokens and cost count twice.",
    ),
    Check(
        "duplicated_ids", True, "run id was used for several runs", "run ids were used for several runs",
        "Leave run_id out of the config, or give every invoke its own.",
    ),
    Check(
        "missing_usage", True, "model call has no token usage", "model calls have no token usage",
        "Set stream_usage=True on the model (streaming), or ask the provider for usage; tokens and cost stay unknown.",
    ),
    Check(
        "clock", True, "jump of the wall clock backwards", "jumps of the wall clock backwards",
        "Durations are right (monotonic); start times around it are not, and neither is their order. Let NTP slew "
        "instead of step.",
    ),
    Check("running", False, "span is running", "spans are running", "Their process is alive; look again later."),
    Check(
        "abandoned", False, "run never told its end", "runs never told their end",
        "A stream was dropped or a task cancelled without an end event; the process went on.",
    ),
    Check(
        "unanswerable", False, "run stopped for a human and cannot go on", "runs stopped for a human and cannot go on",
        "They have no thread: what was asked, and the state, ended with the run. Compile the graph with a "
        "checkpointer, and give a thread_id.",
    ),
    Check(
        "newer", False, "span has a later version of the record", "spans have a later version of the record",
        "What this version knows of them is shown, the rest is in `raw`: update flightlog here.",
    ),
    Check(
        "truncated", False, "span has a payload that was cut", "spans have a payload that was cut",
        "Raise max_field_bytes of the tracer to keep more; sizes and hashes are in `truncated`.",
    ),
    Check(
        "unpriced", False, "model has no known price", "models have no known price",
        "A model has a price at each provider; cost leaves calls without one out. Write prices of your own, in USD per "
        "million tokens, to {prices}: four lines each, "
        '`[[price]]`, `model = "house-*"`, `input_mtok = 0.5`, `output_mtok = 1.5`.',
    ),
)  # fmt: skip


_REJECTS: Final = {
    "packed": Check(
        "damaged_files", True, "compressed file lacks its end", "compressed files lack their end",
        "What comes before the damage is loaded, and the rest is missing in every figure. Copy or pack the file anew "
        "from where it came from; one that ends too early may still be being written.",
    ),
    "line": Check(
        "rejects", True, "line is not a span", "lines are not spans",
        "The rest of the file is loaded. Torn lines come from a killed writer; others were not written by the tracer: "
        "`flightlog sql 'FROM rejects'` lists all with their byte offsets.",
    ),
    "zeros": Check(
        "zero_bytes", True, "line ends in zero bytes", "lines end in zero bytes",
        "The machine lost power or crashed before the disk had what was written last: those spans are lost, the rest "
        "of the file is loaded. fsync=True of the tracer puts every span on the disk.",
    ),
    "torn": Check(
        "unfinished_line", False, "file ends in an unfinished line", "files end in an unfinished line",
        "A process is writing just now, or was killed while it wrote; no other line is lost.",
    ),
}  # fmt: skip
"""Those of which one named query, ``doctor_rejects``, tells: by the kind it is asked for."""


_SIDECARS: Final = Check(
    "sidecars", True, "sidecar cannot be read whole", "sidecars cannot be read whole",
    "Part of what was running when its process died is not known: the process was killed while it wrote, or somebody "
    "else changed the file or its permissions. It may be deleted once it has been looked at.",
)  # fmt: skip


def doctor(paths: Paths = None, json: Json = False, no_cache: NoCache = False) -> int:
    """Examine span files: lines that are not spans, spans that do not fit together, what is missing, what to do.

    The exit status is 1 when there is a problem, otherwise 0.

    \b
    Example:
      flightlog doctor flightlog-demo/spans.jsonl
      flightlog doctor runs/ --json
    """
    if databases := told_apart(paths, ())[1]:
        raise UnreadableError(not_spans(databases[0]))
    with opened(paths, cache=not no_cache, quiet=True, allow_empty=True) as store:
        spans = store.query("overview")[0]["spans"]
        findings = examine(store)
        if not spans and not findings:
            raise UnreadableError(f"{paths[0] if paths else 'the file'} is empty: no span has been recorded yet")
    problems = [finding for finding in findings if finding.problem]
    if json:
        json_value({"ok": not problems, "spans": spans, "findings": list(map(asdict, findings))})
        return 1 if problems else 0
    for finding in findings:
        line(f"{'problem' if finding.problem else 'note'}: {finding.what}")
        for example in finding.examples:
            line(f"    {example}")
        lines(wrapped(finding.advice, "  -> "))
        line()
    about = units.plural(spans, "span")
    line(f"{about}: {units.plural(len(problems), 'problem')}" if problems else f"{about}: nothing wrong")
    return 1 if problems else 0


def examine(store: "Store") -> list[Finding]:
    """Everything found, problems first."""
    found = [*_rejects(store), *_wrong(store), *_repeated(store.duplicates), *_sidecars(store)]
    for check in _CHECKS:
        row = store.query(f"doctor_{check.kind}")[0]
        if row["count"]:
            what = units.plural(row["count"], check.one, check.many)
            advice = check.advice.replace("{prices}", str(override_place()))
            found.append(Finding(check.kind, check.problem, row["count"], what, advice, list(row["examples"] or ())))
    return sorted(found, key=lambda finding: not finding.problem)


def _rejects(store: "Store") -> list[Finding]:
    found = []
    for kind, check in _REJECTS.items():
        reasons = store.query("doctor_rejects", kind=kind)
        if reasons:
            count = sum(reason["count"] for reason in reasons)
            what = units.plural(count, check.one, check.many)
            if kind == "line":
                listed = ", ".join(f"{reason['count']:,} {reason['reason']}" for reason in reasons[:5])
                what = f"{what} ({listed})"
            # Where nothing else is, something is wrong however the only line goes on.
            problem = check.problem or not (store.span_count or store.in_flight)
            found.append(Finding(check.kind, problem, count, what, check.advice, _first(reasons)))
    return found


def _first(kinds: list[dict[str, Any]]) -> list[str]:
    """The first few lines of all kinds together."""
    places = sorted((p["file"], p["byte_offset"], p["reason"]) for kind in kinds for p in kind["places"])
    return [f"{file} at byte {offset:,}: {reason}" for file, offset, reason in places[:_EXAMPLES]]


def _wrong(store: "Store") -> list[Finding]:
    with Progress() as progress:
        found = store.wrong_fields(progress)
    counts = found.counts
    if not counts:
        return []
    names = ", ".join(f"{name} {count:,} times" for name, count in counts.most_common(5))
    total = counts.total()
    what = f"{units.plural(total, 'optional field has', 'optional fields have')} an unusable value ({names})"
    advice = (
        "They are NULL here, the spans are loaded; the program that wrote them does not follow the record "
        "(`flightlog schema`)."
    )
    return [Finding("wrong_fields", True, total, what, advice, found.examples)]


def _repeated(count: int) -> list[Finding]:
    if not count:
        return []
    what = units.plural(count, "record is there twice and counts once", "records are there twice and count once")
    advice = (
        "A file was given together with its copy, perhaps a packed one, or a line was written again behind a torn one."
    )
    return [Finding("repeated", False, count, what, advice, [])]


def _sidecars(store: "Store") -> list[Finding]:
    from flightlog_viewer.store.loading.in_flight import sidecar_faults

    faults = sidecar_faults(source.path for source in store.sources if source.followed)
    if not faults:
        return []
    what = units.plural(len(faults), _SIDECARS.one, _SIDECARS.many)
    examples = [f"{name_text(sidecar)}: {reason}" for sidecar, reason in faults.items()][:_EXAMPLES]
    return [Finding(_SIDECARS.kind, _SIDECARS.problem, len(faults), what, _SIDECARS.advice, examples)]
