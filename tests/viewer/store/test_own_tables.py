"""Tables of the user's own beside the spans."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from flightlog.errors import FlightlogError, UnreadableError, UsageError
from flightlog_viewer import open_store
from tests.viewer.store.records import span, write

COPIES = {
    "customers.csv": "FORMAT csv",
    "customers.CSV.gz": "FORMAT csv, COMPRESSION gzip",
    "customers.csv.zst": "FORMAT csv, COMPRESSION zstd",
    "customers.tsv": "FORMAT csv, DELIMITER '\t'",
    "customers.parquet": "FORMAT parquet",
    "customers.json": "FORMAT json, ARRAY true",
    "customers.jsonl": "FORMAT json",
    "month=11/[a]*?.csv": "FORMAT csv",
}
JOINED = """SELECT id, plan, since::VARCHAR, seats + 1 FROM customers JOIN traces ON traces.metadata->>'tenant' = id"""


def spans(tmp_path: Path) -> Path:
    """One trace of the customer 007."""
    return write(tmp_path / "a.jsonl", span("r", metadata={"tenant": "007"}))


@pytest.mark.parametrize("name", COPIES)
def test_a_file_becomes_a_table(tmp_path: Path, name: str) -> None:
    """Each kind of file is joined with the traces, its types found by DuckDB; a folder `month=11` is no column."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    rows = "SELECT '007' AS id, 'gold' AS plan, DATE '2026-01-02' AS since, 4 AS seats"
    duckdb.connect().execute(f"COPY ({rows}) TO '{path}' ({COPIES[name]})")
    with open_store(spans(tmp_path), tables={"customers": path}, cache=False) as store:
        assert store.sql(JOINED).fetchall() == [("007", "gold", "2026-01-02", 5)]
        assert store.sql("FROM customers").columns == ["id", "plan", "since", "seats"]


def test_what_python_has_becomes_a_table(tmp_path: Path) -> None:
    """An Arrow table and columns in a dictionary are joined as a file is."""
    columns = {"id": ["007"], "plan": ["gold"]}
    for given in (pa.table(columns), columns):
        with open_store(spans(tmp_path), tables={"customers": given}, cache=False) as store:
            assert store.sql("SELECT plan FROM customers").fetchall() == [("gold",)]


def test_a_pandas_frame_becomes_a_table(tmp_path: Path) -> None:
    """A frame is joined as a file is."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"id": ["007"], "plan": ["gold"], "since": pandas.to_datetime(["2026-01-02"]), "seats": 4})
    with open_store(spans(tmp_path), tables={"customers": frame}, cache=False) as store:
        assert store.sql(JOINED).fetchall() == [("007", "gold", "2026-01-02 00:00:00", 5)]


def test_types_come_from_all_rows(tmp_path: Path) -> None:
    """A value that does not fit the thousands before it makes the column text, and is no error."""
    path = tmp_path / "customers.csv"
    path.write_text("id\n" + "1\n" * 100_000 + "acme\n")
    with open_store(spans(tmp_path), tables={"customers": path}, cache=False) as store:
        assert store.sql("SELECT count(*) FROM customers WHERE id = 'acme'").fetchall() == [(1,)]


def test_it_is_listed(tmp_path: Path) -> None:
    """`SHOW TABLES` and `DESCRIBE` name it behind ours, and nothing that the store keeps for itself."""
    own = {"teams": {"a": [1]}, "customers": {"b": ["x"]}}
    with open_store(spans(tmp_path), tables=own, cache=False) as store:
        listed = [name for (name,) in store.sql("SHOW TABLES").fetchall()]
        assert listed[0] == "spans"
        assert listed[-3:] == ["rejects", "teams", "customers"]
        assert store.sql("DESCRIBE").fetchall()[-1] == ("customers", ["b"], ["VARCHAR"])
        assert [row[:2] for row in store.sql("DESCRIBE teams").fetchall()] == [("a", "BIGINT")]


def test_the_session_is_locked_as_before(tmp_path: Path) -> None:
    """The file that a table was made of is out of reach, and the table cannot be changed."""
    path = tmp_path / "customers.csv"
    path.write_text("id\n7\n")
    with open_store(spans(tmp_path), tables={"customers": path}, cache=False) as store:
        for query in (
            f"FROM '{path}'",
            f"FROM read_csv('{path}')",
            "DROP TABLE customers",
            "DELETE FROM customers",
            "INSERT INTO customers VALUES (1)",
            f"COPY customers TO '{path}'",
            "COMMENT ON TABLE customers IS 'x'",
        ):
            with pytest.raises(UsageError):
                store.sql(query).fetchall()
        path.unlink()
        assert store.sql("FROM customers").fetchall() == [(7,)]


def test_it_stands_beside_a_cached_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that is kept has no tables of the user's, whether it is built or found."""
    monkeypatch.setattr("flightlog_viewer.store.rows.CACHED_BYTES", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = spans(tmp_path)
    for plan in ("gold", "trial"):
        with open_store(path, tables={"customers": {"plan": [plan]}}) as store:
            assert store.sql("SELECT plan, name FROM customers, spans").fetchall() == [(plan, "r")]
    with open_store(path) as store, pytest.raises(UsageError, match="customers"):
        store.sql("FROM customers")


@pytest.mark.parametrize(
    "name", ["", "my table", "a-b", "1st", "order", "left", "a.b", 'a"b', "x;DROP TABLE spans", "ä", 7]
)
def test_a_name_that_sql_cannot_say(tmp_path: Path, name: Any) -> None:
    """Only an identifier that needs no quotes is taken."""
    with pytest.raises(UsageError, match="cannot be the name of a table"):
        open_store(spans(tmp_path), tables={name: {"a": [1]}}, cache=False)


@pytest.mark.parametrize(
    "name",
    [
        *("Traces", "llm_costs", "span_rows", "duckdb_tables"),
        *(pytest.param(name, marks=pytest.mark.soak) for name in ("spans", "errors", "sources")),
    ],
)
def test_a_name_that_is_taken(tmp_path: Path, name: str) -> None:
    """Neither our tables, nor what stands behind them, nor a table of the same user can be hidden by another."""
    with pytest.raises(UsageError, match=f"there is a table {name} already"):
        open_store(spans(tmp_path), tables={name: {"a": [1]}}, cache=False)
    with pytest.raises(UsageError, match="there is a table Mine already"):
        open_store(spans(tmp_path), tables={"mine": {"a": [1]}, "Mine": {"a": [1]}}, cache=False)


BAD: dict[str, tuple[bytes | None, str]] = {
    "missing.csv": (None, "does not exist"),
    "customers.xlsx": (b"PK", r"the name of one ends in \.csv, \.tsv, \.parquet"),
    "customers": (b"id\n1\n", r"the name of one ends in \.csv"),
    "empty.csv": (b"", "is empty"),
    "noise.csv": (b"\xff\x00\xfe" * 1000, "cannot be read as a table"),
    "latin.csv": (b"id,plan\nacm\xe9,gold\n", "it is not UTF-8"),
    "noise.parquet": (b"x" * 1000, "No magic bytes"),
    "short.parquet": (b"x", "too small to be a Parquet file"),
    "cut.json": (b'[{"id": 1}, {"id"', "cannot be read as a table"),
    "noise.jsonl": (b'{"id": 1}\nnonsense\n', "Malformed JSON"),
    "noise.csv.gz": (b"id\n1\n", "cannot be read as a table"),
    "noise.csv.zst": (b"id\n1\n", "cannot be read as a table"),
    "name\udcff.csv": (b"id\n1\n", "not UTF-8: give it another"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_holds_no_rows(tmp_path: Path, name: str) -> None:
    """One line says which file, and why it is no table."""
    data, why = BAD[name]
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(FlightlogError, match=why) as caught:
        open_store(spans(tmp_path), tables={"customers": path}, cache=False)
    assert "\n" not in str(caught.value)
    assert name[:4] in str(caught.value)


@pytest.mark.parametrize(("make", "why"), [(Path.mkdir, "is not a file"), (os.mkfifo, "is not a file")])
def test_what_is_no_file(tmp_path: Path, make: Callable[[Path], None], why: str) -> None:
    """A folder is refused, and a pipe is not waited for."""
    make(tmp_path / "customers.csv")
    with pytest.raises(UnreadableError, match=why):
        open_store(spans(tmp_path), tables={"customers": tmp_path / "customers.csv"}, cache=False)


@pytest.mark.parametrize("url", ["https://example.invalid/x.csv", "s3://bucket/x.parquet"])
def test_an_address_is_no_file(tmp_path: Path, url: str) -> None:
    """Nothing is fetched, and no extension that could is looked for."""
    with pytest.raises(UnreadableError, match="does not exist"):
        open_store(spans(tmp_path), tables={"customers": url}, cache=False)


@pytest.mark.parametrize("given", [7, None, [1, 2], object(), {"a": [1], "b": [1, 2]}, {"a": [object()]}])
def test_what_has_no_rows_and_columns(tmp_path: Path, given: Any) -> None:
    """A value that is no table is refused with its type."""
    with pytest.raises(UsageError, match=f"no table customers can be made of a {type(given).__name__}"):
        open_store(spans(tmp_path), tables={"customers": given}, cache=False)


def test_what_the_memory_has_no_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table beyond the memory limit is one sentence."""
    monkeypatch.setattr("flightlog_viewer.store.instance.MOST_BYTES", 100 << 20)
    path = tmp_path / "customers.parquet"
    duckdb.connect().execute(f"COPY (SELECT repeat('x', 1000) || i AS id FROM range(150000) AS t(i)) TO '{path}'")
    with pytest.raises(UnreadableError, match="the memory has no room for the table customers"):
        open_store(spans(tmp_path), tables={"customers": path}, cache=False)
