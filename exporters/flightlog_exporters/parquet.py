"""Span files -> a folder of Parquet files, ``service=…/day=…/``, for DuckDB, ClickHouse, Spark and pandas.

DuckDB does the work: it reads the lines as raw JSON and takes them apart itself. A line that is in any way unusual (a
field this version does not know, a type that is not the record's, a key twice) goes through ``Span`` instead, so what
comes out is what ``Span`` reads, at DuckDB's speed for all the lines that are as they should be.
"""

import os
import shutil
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flightlog.errors import MissingExtraError, UnreadableError, UsageError
from flightlog.reader import MAX_LINE_BYTES
from flightlog.span import STATUSES, TYPES, Span
from flightlog_exporters.line_file import LineFile
from flightlog_exporters.otel_span import INT64
from flightlog_exporters.readers import reader_of
from flightlog_exporters.repeats import drop_repeats, literal, quoted
from flightlog_exporters.semconv.json_text import encode
from flightlog_exporters.span_source import SpanSource

TEXT: Final = "VARCHAR"
INTEGER: Final = "BIGINT"
NUMBER: Final = "DOUBLE"
BOOLEAN: Final = "BOOLEAN"
OBJECT: Final = "object"
LIST: Final = "list"
ANY: Final = "any"
"""Kinds of columns; the last three are JSON in a string column."""

COLUMNS: Final[dict[str, str]] = {
    "type": TEXT,
    "kind": TEXT,
    "name": TEXT,
    "run_id": TEXT,
    "parent_run_id": TEXT,
    "trace_id": TEXT,
    "writer_id": TEXT,
    "seq": INTEGER,
    "duration_ms": NUMBER,
    "status": TEXT,
    "error": OBJECT,
    "interrupts": LIST,
    "resumes": LIST,
    "model": TEXT,
    "request_model": TEXT,
    "provider": TEXT,
    "model_params": OBJECT,
    "service_tier": TEXT,
    "finish_reason": TEXT,
    "response_id": TEXT,
    "message_id": TEXT,
    "token_usage": OBJECT,
    "cache_hit": BOOLEAN,
    "time_to_first_token_ms": NUMBER,
    "chunks": INTEGER,
    "tool_call_id": TEXT,
    "document_count": INTEGER,
    "thread_id": TEXT,
    "node": TEXT,
    "step": INTEGER,
    "checkpoint_ns": TEXT,
    "task_id": TEXT,
    "checkpoint_id": TEXT,
    "attempt": INTEGER,
    "tags": LIST,
    "truncated": OBJECT,
    "service": TEXT,
    "service_version": TEXT,
    "environment": TEXT,
    "host": TEXT,
    "pid": INTEGER,
    "otel": OBJECT,
    "metadata": ANY,
    "inputs": ANY,
    "output": ANY,
}
"""The record's fields, in its order, beside ``start_time`` (UTC), ``start_ns`` and ``extra`` (unknown fields, JSON).
``start_ns`` is NULL before 1677 and after 2262, where 64 bits end."""

_REQUIRED: Final = ("type", "name", "run_id", "trace_id", "status", "duration_ms")
_TIME: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
_ROWS_HELD: Final = 20_000
"""Rows of each thread that wait to be written: DuckDB would hold half a million, with all their payloads."""
_TO: Final = (
    "(FORMAT parquet, COMPRESSION zstd, PARTITION_BY (service, day), APPEND, "
    "FILENAME_PATTERN 'spans_{number:06}_{{uuid}}')"
)


@dataclass(slots=True)
class Written:
    """What became of an export."""

    spans: int = 0
    rejected: int = 0
    """Lines that hold no span."""


def write(files: Sequence[Path], target: Path) -> Written:
    """Write the spans of the files into a new folder, which is there whole or not at all.

    Raises UsageError when the folder is there already or cannot be written, UnreadableError when a file cannot be
    read, MissingExtraError when DuckDB is not installed.
    """
    try:
        import duckdb
    except ImportError:
        raise MissingExtraError("exporting Parquet", "viewer") from None
    written = Written()
    with _new_folder(target) as draft, duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = false")
        connection.execute(f"SET partitioned_write_flush_threshold = {_ROWS_HELD}")
        if _is_tight(connection):
            connection.execute("SET threads = 1")  # each has a buffer of twice the longest line
        connection.execute("SET temp_directory = ?", [str(draft / ".spill")])
        for number, path in enumerate(files):
            to = f"'{quoted(draft)}' {_TO.format(number=number)}"
            plain = _plain(path, draft, written)
            if plain is None:
                continue
            source, packing = plain
            try:
                _copy(connection, source, packing, to, written)
            except duckdb.Error as error:
                if "No space left" in str(error):
                    raise UsageError(f"cannot write {target}: no space left on the disk") from None
                if source != path:
                    raise
                # A line that is too long or not UTF-8 fails the file for DuckDB; one by one they can be told apart.
                _copy(connection, _rewritten(path, draft, written), "none", to, written)
        written.spans -= drop_repeats(connection, draft)
        shutil.rmtree(draft / ".spill", ignore_errors=True)
        for leftover in draft.glob(".*.jsonl"):
            leftover.unlink()
    return written


def _is_tight(connection: Any) -> bool:
    """Whether DuckDB may take less than a GiB, as in a small container."""
    limit = connection.execute("SELECT current_setting('memory_limit')").fetchone()[0]
    return str(limit).endswith("MiB")


def _plain(path: Path, draft: Path, written: Written) -> tuple[Path, str] | None:
    """A span file that DuckDB can read, and its packing: the file itself, unless it is of another format. None for an
    empty one, which may be one of the kernel's that DuckDB would wait for.
    """
    with LineFile(path) as file:
        if not file.stat.st_size:
            return None
        first = next(file.lines(), None)
        # DuckDB does not pass over a byte order mark, and takes no name that is not UTF-8.
        odd = first is not None and (reader_of(file) is not None or first.data.startswith(BOM_UTF8))
        if odd or any("\udc80" <= char <= "\udcff" for char in str(path.absolute())):
            return _rewritten(path, draft, written), "none"
        return path, file.packing


def _rewritten(path: Path, draft: Path, written: Written) -> Path:
    """The same spans as a plain span file."""
    plain = draft / f".{len(list(draft.glob('.*.jsonl')))}.jsonl"
    source = SpanSource([path])
    with plain.open("wb") as out:
        for span in source:
            out.write(span.to_json() + b"\n")
    written.rejected += source.rejected
    return plain


def _copy(connection: Any, source: Path, packing: str, to: str, written: Written) -> None:
    raw = (
        "SELECT json FROM read_ndjson_objects($name, ignore_errors = true, compression = $packing, "
        f"maximum_object_size = {MAX_LINE_BYTES})"
    )
    given = {"name": literal(str(source.absolute())), "packing": packing}
    fast = f"COPY ({_taken_apart(raw)}) TO {to}"
    copied = connection.execute(fast, given).fetchone()[0]
    written.spans += copied
    if packing == "none" and copied == _count_lines(source):
        return
    unusual = connection.execute(f"SELECT json FROM ({_with_fields(raw)}) WHERE {_is_unusual()}", given)
    while rows := unusual.fetchmany(10_000):
        _append_unusual(connection.cursor(), [row[0] for row in rows], to, written)


def _count_lines(path: Path) -> int:
    """Lines of a plain file, blank ones and a torn last one included: no fewer than DuckDB finds."""
    lines, last = 0, b"\n"
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(1 << 20):
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    return lines + (last != b"\n")


def _with_fields(raw: str) -> str:
    """Every line with its known fields. Numbers that are not whole, objects and lists stay JSON."""
    types = {TEXT: TEXT, INTEGER: INTEGER, BOOLEAN: BOOLEAN}
    kinds = {"v": "JSON", "start_time": TEXT, **{name: types.get(kind, "JSON") for name, kind in COLUMNS.items()}}
    structure = ", ".join(f'"{name}":"{kind}"' for name, kind in kinds.items())
    return f"SELECT json, from_json(json, '{{{structure}}}') AS s FROM ({raw})"


def _taken_apart(raw: str) -> str:
    """Every usual line as typed columns."""
    columns = ", ".join(f"{_value(name, kind)} AS {name}" for name, kind in COLUMNS.items())
    return (
        "SELECT start_time, TRY_CAST(epoch_us(start_time)::HUGEINT * 1000 AS BIGINT) AS start_ns, "
        f"{columns}, NULL::VARCHAR AS extra, strftime(start_time, '%Y-%m-%d') AS day "
        f"FROM (SELECT s, TRY_CAST(s.start_time AS TIMESTAMP) AS start_time FROM ({_with_fields(raw)}) "
        f"WHERE NOT {_is_unusual()})"
    )


def _value(name: str, kind: str) -> str:
    if name == "service":
        return _folder_name("s.service")
    match kind:
        case "DOUBLE":
            return f"CAST(s.{name}::VARCHAR AS DOUBLE)"
        case "VARCHAR" | "BIGINT" | "BOOLEAN":
            return f"s.{name}"
        case _:
            return f"s.{name}::VARCHAR"


def _folder_name(service: str) -> str:
    """A service as the name of a folder: 255 bytes at most, of which DuckDB may write each as three (``%2F``)."""
    return f"CASE WHEN strlen({service}) > 80 THEN left({service}, 20) ELSE {service} END"


def _is_unusual() -> str:
    """A condition that is true for every line that is not exactly as the tracer writes it.

    A line has no field that is not known, none twice, none of another type and no spaces, if its length is that of its
    known fields: each is a quoted name, a colon, its value, and a comma or the closing brace. What DuckDB has made of
    another type is shorter or longer (the number 5 as a text would be ``"5"``), and so is a text with escapes. Counting
    keys and asking for types instead takes the line apart again and again.
    """
    written = {
        TEXT: "strlen(s.{0}) + 2",
        INTEGER: "strlen(s.{0}::VARCHAR)",
        BOOLEAN: "(CASE WHEN s.{0} THEN 4 WHEN NOT s.{0} THEN 5 END)",
    }
    length = " + ".join(
        f"coalesce({written.get(kind, 'strlen(s.{0}::VARCHAR)').format(name)} + {len(name) + 4}, 0)"
        for name, kind in {"v": ANY, "start_time": TEXT, **COLUMNS}.items()
    )
    usual = [
        f"strlen(json::VARCHAR) = 1 + {length}",
        "s.v::VARCHAR = '1'",
        f"regexp_full_match(s.start_time, '{_TIME}')",
        "TRY_CAST(s.start_time AS TIMESTAMP) IS NOT NULL",
        *(f"s.{name} IS NOT NULL" for name in _REQUIRED),
        f"s.type IN ({_listed(TYPES)})",
        f"s.status IN ({_listed(STATUSES)})",
        "left(s.duration_ms::VARCHAR, 1) <> '-'",
    ]
    shapes = {
        NUMBER: "isfinite(TRY_CAST({0} AS DOUBLE))",
        OBJECT: "left({0}, 1) = '{{'",
        LIST: "left({0}, 1) = '['",
    }
    usual += [
        f"(s.{name} IS NULL OR coalesce({shapes[kind].format(f's.{name}::VARCHAR')}, false))"
        for name, kind in COLUMNS.items()
        if kind in shapes
    ]
    return f"NOT coalesce({' AND '.join(usual)}, false)"


def _append_unusual(connection: Any, texts: list[str | None], to: str, written: Written) -> None:
    """Lines that need a closer look, as ``Span`` reads them."""
    rows: list[tuple[Any, ...]] = []
    for text in texts:
        try:
            if text is None:
                raise UnreadableError("not JSON")
            rows.append(_row(Span.from_json(text)))
        except UnreadableError:
            written.rejected += 1
    if not rows:
        return
    import pyarrow as pa

    kinds = {"start_us": INTEGER, "start_ns": INTEGER, **COLUMNS, "extra": TEXT}
    types = {INTEGER: pa.int64(), NUMBER: pa.float64(), BOOLEAN: pa.bool_()}
    schema = pa.schema([(name, types.get(kind, pa.string())) for name, kind in kinds.items()])
    columns = [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), schema, strict=True)]
    connection.register("unusual", pa.Table.from_arrays(columns, schema=schema))
    ordered = ", ".join(f"{_folder_name(name)} AS {name}" if name == "service" else name for name in schema.names[1:])
    connection.execute(
        f"COPY (SELECT make_timestamp(start_us) AS start_time, {ordered}, "
        f"strftime(make_timestamp(start_us), '%Y-%m-%d') AS day FROM unusual) TO {to}"
    )
    written.spans += len(rows)


def _row(span: Span) -> tuple[Any, ...]:
    values: list[Any] = [span.start_ns // 1000, span.start_ns if span.start_ns in INT64 else None]
    for name, kind in COLUMNS.items():
        value = getattr(span, name)
        if value is not None and kind in (OBJECT, LIST, ANY):
            value = encode(value)
        elif kind == INTEGER and value is not None and value not in INT64:
            value = None
        elif kind == NUMBER and value is not None:
            value = float(value)
        values.append(value)
    values.append(encode(span.extra) if span.extra else None)
    return tuple(values)


def _listed(names: frozenset[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    if not target.name:
        raise UsageError(f"{target} cannot be replaced: name a new folder")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is there already and not empty: choose another folder")
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        draft.mkdir(mode=0o700)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from None
    try:
        yield draft
        if target.exists():
            target.rmdir()
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
