import contextlib
import gzip
import json
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import orjson
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightlog.errors import UnreadableError, UsageError
from flightlog.span import Span, format_time
from flightlog_exporters import parquet
from flightlog_exporters.line_file import LineFile
from flightlog_viewer.cli.app import main
from tests.exporters.any_span import any_span

FIXTURE = Path(__file__).parent / "fixtures" / "openinference.jsonl"
EPOCH = datetime(1970, 1, 1)
JSON_KINDS = (parquet.OBJECT, parquet.LIST, parquet.ANY)


def record_of(row: dict[str, Any]) -> dict[str, Any]:
    """The span record that a row of the Parquet files stands for."""
    record: dict[str, Any] = {"v": 1, "start_time": format_time(row["start_ns"])}
    assert row["start_time"] == EPOCH + timedelta(microseconds=row["start_ns"] // 1000)
    assert row["day"] == f"{row['start_time']:%Y-%m-%d}"
    for name, kind in parquet.COLUMNS.items():
        value = row[name]
        if value is not None:
            record[name] = orjson.loads(value) if kind in JSON_KINDS else value
    extra: dict[str, Any] = orjson.loads(row["extra"] or "{}")
    return record | extra


def by_duckdb(folder: Path) -> list[dict[str, Any]]:
    """The records as DuckDB reads them."""
    relation = duckdb.connect().sql(
        f"SELECT * FROM read_parquet('{folder}/**/*.parquet', hive_partitioning = true, "
        "hive_types = {'service': VARCHAR, 'day': VARCHAR})"
    )
    assert relation is not None
    names = relation.columns
    return [record_of(dict(zip(names, row, strict=True))) for row in relation.fetchall()]


def by_pyarrow(folder: Path) -> list[dict[str, Any]]:
    """The records as pyarrow reads them."""
    partitions = pyarrow.dataset.partitioning(
        pa.schema([("service", pa.string()), ("day", pa.string())]), flavor="hive"
    )
    table = pyarrow.dataset.dataset(folder, format="parquet", partitioning=partitions).to_table()
    return [record_of(row) for row in table.to_pylist()]


def key(span: Span) -> object:
    """What tells a record from any other; one without a key is like none."""
    return object() if span.writer_id is None or span.seq is None else (span.writer_id, span.seq)


def in_order(records: list[dict[str, Any]]) -> list[bytes]:
    """Records that can be compared: Parquet keeps no order."""
    return sorted(orjson.dumps(record, option=orjson.OPT_SORT_KEYS) for record in records)


def export(lines: list[bytes]) -> tuple[parquet.Written, list[dict[str, Any]], list[dict[str, Any]]]:
    """A span file of these lines, exported and read back twice."""
    with TemporaryDirectory() as name:
        path, folder = Path(name) / "spans.jsonl", Path(name) / "out"
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        written = parquet.write([path], folder)
        if not written.spans:
            return written, [], []
        return written, by_duckdb(folder), by_pyarrow(folder)


@settings(max_examples=8)  # an export costs the same for one span and for many
@given(st.lists(any_span(), min_size=1, max_size=12, unique_by=key))
def test_every_record_comes_back_exactly(spans: list[Span]) -> None:
    """DuckDB and pyarrow read from the files what was in the span file, unknown fields and odd numbers included."""
    written, duck, arrow = export([span.to_json() for span in spans])
    expected = in_order([span.to_record() for span in spans])
    assert (written.spans, written.rejected) == (len(spans), 0)
    assert in_order(duck) == expected
    assert in_order(arrow) == expected


GOOD: dict[str, Any] = Span(
    type="llm", name="m", run_id="r", trace_id="t", start_ns=1_000_000, duration_ms=1.5, status="ok", seq=1
).to_record()


ODD: list[dict[str, Any]] = [
    {"model": 5},
    {"model": "5"},
    {"seq": "5"},
    {"seq": 1.5},
    {"seq": True},
    {"seq": 2**70},
    {"cache_hit": "true"},
    {"tags": "x"},
    {"error": [1]},
    {"time_to_first_token_ms": "1"},
    {"node": None},
    {"start_time": "2026-11-20T12:00:00+02:00"},
    {"start_time": "2026-11-20 12:00"},
    {"v": 2, "novel": {"a": 1}},
    {"inputs": 1e22, "output": 12345678901234567890123},
    {"inputs": [0.1, 1.0, -0.0, 5e-324, 1e300], "output": '\u2028 \x00 \x7f "quoted" \\'},
    {"duration_ms": 2.0, "name": "'; DROP TABLE x; --"},
]
BROKEN = [
    b"{broken",
    b"[]",
    b"null",
    b"17",
    b'{"v":1}',
    orjson.dumps({**GOOD, "v": "1"}),
    orjson.dumps({**GOOD, "name": 5}),
    orjson.dumps({**GOOD, "type": "other"}),
    orjson.dumps({**GOOD, "status": None}),
    orjson.dumps({**GOOD, "duration_ms": -1}),
    orjson.dumps({**GOOD, "duration_ms": "1"}),
    orjson.dumps({**GOOD, "start_time": "yesterday"}),
    orjson.dumps(GOOD).replace(b"1.5", b"1e999"),
    orjson.dumps(GOOD).replace(b'"r"', b'"\xff\xfe"'),
    b"[" * 5000,
]


@pytest.mark.parametrize("changes", [ODD, *(pytest.param([one], marks=pytest.mark.soak) for one in ODD)])
def test_odd_lines_are_read_as_span_reads_them(changes: list[dict[str, Any]]) -> None:
    """What is unusual in a line ends in the files as it does in a Span, beside usual and other unusual lines."""
    odd = [json.dumps({**GOOD, **change}).encode() for change in changes]
    expected = [Span.from_json(line).to_record() for line in odd]
    written, duck, arrow = export([orjson.dumps(GOOD), *odd])
    assert (written.spans, written.rejected) == (1 + len(odd), 0)
    assert in_order(duck) == in_order(arrow) == in_order([GOOD, *expected])


@pytest.mark.parametrize("broken", [BROKEN, *(pytest.param([one], marks=pytest.mark.soak) for one in BROKEN)])
def test_lines_that_hold_no_span_are_counted(broken: list[bytes]) -> None:
    """Each broken line is left out and counted, and its neighbours are not harmed."""
    good = orjson.dumps(GOOD)
    written, duck, _ = export([good, *(line for one in broken for line in (one, good))])
    assert (written.spans, written.rejected) == (1 + len(broken), len(broken))
    assert in_order(duck) == in_order([GOOD] * (1 + len(broken)))


def test_in_a_small_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What DuckDB may take there, whatever the cores, is enough."""
    connect = duckdb.connect
    monkeypatch.setattr(duckdb, "connect", lambda: connect(config={"memory_limit": "200MB", "threads": 4}))
    path = tmp_path / "s.jsonl"
    path.write_bytes(b"".join(orjson.dumps({**GOOD, "run_id": f"r{n}", "seq": n}) + b"\n" for n in range(1_000)))
    assert parquet.write([path], tmp_path / "out").spans == 1_000


def test_packed_and_foreign_files_and_partitions(tmp_path: Path) -> None:
    """Compressed span files and OTLP lines are taken too, and folders are by service and day."""
    path = tmp_path / "we[ir]d*.jsonl"
    path.write_bytes(orjson.dumps({**GOOD, "service": "a/b'c"}) + b"\n")
    packed = tmp_path / "p.jsonl.gz"
    packed.write_bytes(gzip.compress(orjson.dumps(GOOD) + b"\n"))
    written = parquet.write([path, packed, FIXTURE], tmp_path / "it's")
    assert written.spans == 16
    folders = {
        found.parent.relative_to(tmp_path / "it's").as_posix() for found in (tmp_path / "it's").rglob("*.parquet")
    }
    assert "service=a%2Fb%27c/day=1970-01-01" in folders
    assert any(folder.startswith("service=agent/day=20") for folder in folders)
    assert "service=__HIVE_DEFAULT_PARTITION__/day=1970-01-01" in folders


def test_what_is_rejected_is_counted_in_files_of_any_form(tmp_path: Path) -> None:
    """Behind a byte order mark, packed and in OTLP, bad lines are told and the rest is there, and nothing else."""
    lines = orjson.dumps(GOOD) + b"\n{}\n" + json.dumps({**GOOD, "novel": 1}).encode() + b"\nnonsense\n"
    files = {"mark.jsonl": b"\xef\xbb\xbf" + lines, "packed.jsonl.gz": gzip.compress(lines)}
    files["otlp.jsonl"] = FIXTURE.read_bytes() + b'{"resourceSpans":3}\n'
    for name, data in files.items():
        path, out = tmp_path / name, tmp_path / f"{name}.out"
        path.write_bytes(data)
        written = parquet.write([path], out)
        rows = by_duckdb(out)
        assert (written.spans, written.rejected) == ((14, 1) if name == "otlp.jsonl" else (2, 2)), name
        assert len(rows) == written.spans
        assert not [found for found in out.rglob("*") if found.is_file() and found.suffix != ".parquet"]


def test_an_empty_folder_is_filled_and_a_file_is_not_replaced(tmp_path: Path) -> None:
    """Whoever made the folder beforehand gets it; a file of that name stays."""
    path, out = tmp_path / "spans.jsonl", tmp_path / "out"
    path.write_bytes(orjson.dumps(GOOD) + b"\n")
    out.mkdir()
    assert parquet.write([path], out).spans == len(by_duckdb(out)) == 1
    with pytest.raises(UsageError, match="is there already"):
        parquet.write([path], path)
    assert path.read_bytes() == orjson.dumps(GOOD) + b"\n"


def test_the_schema_is_plain(tmp_path: Path) -> None:
    """Times are microseconds, counts 64-bit, ids and JSON plain strings: what every engine reads."""
    path = tmp_path / "spans.jsonl"
    path.write_bytes(orjson.dumps({**GOOD, "otel": {"trace_id": "x"}}) + b"\n")
    parquet.write([path], tmp_path / "out")
    (file,) = (tmp_path / "out").rglob("*.parquet")
    schema = pyarrow.parquet.read_schema(file)
    assert schema.field("start_time").type == pa.timestamp("us")
    assert schema.field("start_ns").type == pa.int64()
    assert schema.field("seq").type == pa.int64()
    assert {str(schema.field(name).type) for name in ("run_id", "otel", "inputs", "extra")} == {"string"}
    assert pyarrow.parquet.ParquetFile(file).metadata.row_group(0).column(0).compression == "ZSTD"


def test_the_command_and_what_it_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says how many spans it wrote; a folder in use and a missing parent are refused with a sentence."""
    path = tmp_path / "spans.jsonl"
    path.write_bytes(orjson.dumps(GOOD) + b"\n{}\n")
    out = tmp_path / "out"
    assert main(["export", "parquet", str(path), "-o", str(out)]) == 0
    assert capsys.readouterr().err == f"flightlog: 1 span in {out}, 1 line could not be read\n"
    assert main(["export", "parquet", str(path), "-o", str(out)]) == 2
    assert "is there already and not empty" in capsys.readouterr().err
    empty = tmp_path / "empty"
    empty.mkdir()
    with contextlib.chdir(empty):
        assert main(["export", "parquet", str(path), "-o", "."]) == 2
    assert "name a new folder" in capsys.readouterr().err
    with pytest.raises(UsageError, match="cannot write"):
        parquet.write([path], tmp_path / "no" / "out")
    with pytest.raises(UnreadableError):
        parquet.write([tmp_path / "no.jsonl"], tmp_path / "other")
    assert not (tmp_path / "other").exists()
    with LineFile(path) as file:
        assert not file.is_packed
