import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from flightlog.errors import UsageError
from flightlog_viewer import Store, open_store
from flightlog_viewer.store import rows
from flightlog_viewer.store.views import create_views
from tests.viewer.store.records import span, write

SECRET = "out of reach"

WAYS_OUT = [
    # Files to read.
    "SELECT * FROM read_text('{folder}/secret.txt')",
    "SELECT * FROM read_blob('{folder}/secret.txt')",
    "SELECT * FROM read_csv('{folder}/secret.csv')",
    "SELECT * FROM read_csv_auto('{folder}/secret.csv')",
    "SELECT * FROM read_json('{folder}/a.jsonl')",
    "SELECT * FROM read_ndjson_objects('{folder}/a.jsonl')",
    "SELECT * FROM read_parquet('{folder}/x.parquet')",
    "SELECT * FROM '{folder}/secret.csv'",
    "FROM '{folder}/a.jsonl'",
    "SELECT * FROM sniff_csv('{folder}/secret.csv')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM parquet_metadata('{folder}/x.parquet')",
    "SELECT * FROM read_duckdb('{folder}/x.duckdb')",
    "SELECT * FROM query('SELECT * FROM read_text(''{folder}/secret.txt'')')",
    "SELECT * FROM query_table('{folder}/secret.csv')",
    "WITH x AS (SELECT * FROM read_text('{folder}/secret.txt')) SELECT * FROM x",
    "EXPLAIN SELECT * FROM read_csv('{folder}/secret.csv')",
    "SELECT json_execute_serialized_sql(json_serialize_sql('SELECT * FROM read_text(''{folder}/secret.txt'')'))",
    "FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM read_text(''{folder}/secret.txt'')'))",
    "SELECT getenv('HOME')",
    # Files to write.
    "COPY (SELECT 1) TO '{folder}/out.csv'",
    "COPY spans FROM '{folder}/a.jsonl'",
    "EXPORT DATABASE '{folder}/out'",
    "IMPORT DATABASE '{folder}/out'",
    "ATTACH '{folder}/out.duckdb'",
    "ATTACH ':memory:' AS other",
    "ATTACH '/tmp/out.duckdb' AS out",
    "DETACH base",
    "USE base",
    "SELECT write_log('x'), * FROM read_text('{folder}/secret.txt')",
    "CREATE TABLE x (a INT)",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE MACRO f() AS 1",
    "CREATE SECRET s (TYPE s3)",
    "CREATE VIEW x AS SELECT 1",
    "CREATE FUNCTION f() AS TABLE SELECT 1",
    # The network and extensions.
    "SELECT * FROM read_csv('https://example.invalid/x.csv')",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "FORCE INSTALL json FROM community",
    "UPDATE EXTENSIONS",
    "LOAD '{folder}/x.duckdb_extension'",
    # Settings.
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET lock_configuration",
    "SET temp_directory = '{folder}'",
    "SET memory_limit = '1TB'",
    "SET VARIABLE x = 1",
    "PRAGMA enable_profiling",
    "PRAGMA profiling_output = '{folder}/out'",
    "PRAGMA database_list",
    "CALL pragma_version()",
    "CALL force_checkpoint()",
    # What is loaded.
    "DROP TABLE reject_rows",
    "DROP VIEW spans",
    "DELETE FROM span_rows",
    "INSERT INTO reject_rows VALUES (1, 1, 'x')",
    "UPDATE reject_rows SET reason = 'x'",
    "MERGE INTO reject_rows USING reject_rows AS r ON false WHEN NOT MATCHED THEN INSERT VALUES (1, 1, 'x')",
    "TRUNCATE reject_rows",
    "ALTER TABLE reject_rows ADD COLUMN x INT",
    "WITH x AS (DELETE FROM reject_rows RETURNING *) SELECT * FROM x",
    "WITH x AS (INSERT INTO reject_rows VALUES (1, 1, 'x') RETURNING *) SELECT * FROM x",
    "WITH x AS MATERIALIZED (UPDATE reject_rows SET reason = 'x' RETURNING *) SELECT * FROM x",
    "EXPLAIN ANALYZE DELETE FROM reject_rows",
    "EXPLAIN ANALYZE SELECT 1",
    "explain /* a comment */ analyze delete from reject_rows",
    "-- a comment\nEXPLAIN ANALYZE DELETE FROM reject_rows",
    "EXPLAIN (ANALYZE) DELETE FROM reject_rows",
    "EXPLAIN DELETE FROM reject_rows",
    "SELECT 1; DELETE FROM reject_rows",
    "DELETE FROM reject_rows; SELECT 1",
    "SELECT 1;;DROP TABLE reject_rows;",
    "BEGIN",
    "COMMIT; DELETE FROM reject_rows",
    "ROLLBACK",
    "PREPARE p AS DELETE FROM reject_rows",
    "EXECUTE p",
    "VACUUM",
    "CHECKPOINT",
    "SELECT nextval('missing')",
    # Python.
    "SELECT * FROM python_secret",
    "SELECT python_secret",
    "SELECT * FROM pandas_scan(1)",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM arrow_scan(1::UBIGINT::POINTER, 2, 3)",
    "SELECT * FROM python_map_function(1)",
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with a base, and a secret beside its file."""
    folder = tmp_path_factory.mktemp("locked")
    (folder / "secret.txt").write_text(SECRET)
    (folder / "secret.csv").write_text(f"a\n{SECRET}\n")
    patch = pytest.MonkeyPatch()
    patch.setattr(rows, "FILE_BACKED_BYTES", 1)
    patch.setattr("flightlog_viewer.store.instance.MOST_BYTES", 200 << 20)
    with open_store(write(folder / "a.jsonl", span("r"), b"{bad"), cache=False) as opened:
        yield opened
    patch.undo()


@pytest.mark.parametrize("query", WAYS_OUT)
def test_no_way_out(store: Store, query: str) -> None:
    """No query gets at files, the network, settings, Python or a change of what is loaded."""
    python_secret = [SECRET]
    folder = store.sources[0].path.parent
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(UsageError) as caught:
        store.sql(query.format(folder=folder)).fetchall()
    assert SECRET not in str(caught.value)
    assert python_secret
    assert sorted(path.name for path in folder.iterdir()) == before
    assert store.sql("SELECT (SELECT count(*) FROM spans), (SELECT count(*) FROM rejects)").fetchall() == [(1, 1)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1",
        "FROM spans",
        "TABLE rejects",
        "VALUES (1)",
        "WITH a AS (SELECT 1) FROM a",
        "DESCRIBE spans",
        "SUMMARIZE traces",
        "SHOW TABLES",
        "EXPLAIN SELECT * FROM spans",
        "explain (select 1)",
        "-- a comment\nSELECT 1;",
        "SELECT * FROM query('SELECT 1')",
        "SELECT current_setting('enable_external_access')",
        "SELECT * FROM spans WHERE name = ';DROP TABLE x'",
        "SELECT now(), start_time AT TIME ZONE 'UTC', now() - start_time FROM spans",
    ],
)
def test_reading_is_allowed(store: Store, query: str) -> None:
    """What only reads runs."""
    result = store.sql(query)
    assert result.columns
    result.fetchall()


def test_payload_function_reads_nothing_but_spans(store: Store) -> None:
    """The functions behind the views answer NULL for rows that do not exist."""
    for row in (-1, -(2**62), 1, 2**62):
        query = f"SELECT payload_json({row}, 'r', 'inputs'), own_time_of({row}), cost_of({row})"
        assert store.sql(query).fetchall() == [(None, None, None)]


def test_memory_is_limited(store: Store) -> None:
    """A query that wants too much memory fails with a sentence, and the store goes on."""
    with pytest.raises(UsageError, match=r"[Mm]emory"):
        store.sql("SELECT list(repeat('x', 100000) || i) FROM range(1000000) t(i)").fetchall()
    assert store.sql("SELECT 1").fetchall() == [(1,)]


def test_a_query_can_be_cancelled(store: Store) -> None:
    """interrupt() on its cursor ends a query that would run for hours."""
    cursor = store.cursor()
    stop = threading.Event()

    def cancel() -> None:
        while not stop.wait(0.05):
            cursor.interrupt()

    thread = threading.Thread(target=cancel)
    thread.start()
    begin = time.monotonic()
    try:
        with pytest.raises(Exception, match=r"[Ii]nterrupt"):
            cursor.execute("SELECT sum(range % 7) FROM range(1000000000000000)").fetchall()
    finally:
        stop.set()
        thread.join()
        cursor.close()
    assert time.monotonic() - begin < 60


def test_ctrl_c_cancels(tmp_path: Path) -> None:
    """SIGINT ends a command whose query would run for long."""
    path = write(tmp_path / "a.jsonl", span("r"))
    code = (
        "import sys; from flightlog_viewer import open_store; store = open_store(sys.argv[1], cache=False); "
        "print('ready', flush=True); "
        "store.sql('SELECT count(*) FROM range(10000000) a, range(1000000) b').fetchall()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            while True:
                process.send_signal(signal.SIGINT)
                try:
                    _, errors = process.communicate(timeout=0.5)
                except subprocess.TimeoutExpired:
                    continue
                break
        finally:
            process.kill()
    assert b"KeyboardInterrupt" in errors
    assert b"leaked" not in errors


def test_wrong_sql_is_one_sentence(tmp_path: Path) -> None:
    """The sentence of DuckDB comes without the excerpt of the query."""
    with (
        open_store(write(tmp_path / "a.jsonl", span("r"))) as store,
        pytest.raises(UsageError, match=r'^Binder Error: Referenced column "nope"') as caught,
    ):
        store.sql("SELECT nope FROM spans")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("SELECT * FROM span", 'Did you mean "spans"?'),
        ("SELECT duration FROM spans", 'Candidate bindings: "duration_ms"'),
        ("SELECT sum(name) FROM spans", "You might need to add explicit type casts."),
    ],
)
def test_a_wrong_query_is_answered_with_the_hint(store: Store, query: str, hint: str) -> None:
    """What DuckDB proposes instead is in the one sentence that comes back; its lists and drawings are not."""
    with pytest.raises(UsageError) as caught:
        store.sql(query)
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "LINE 1" not in str(caught.value)
    assert "->" not in str(caught.value)


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("FROM spans WHERE metadata.tenant = 'acme'", "column->>'key' is a text"),
        ("FROM spans WHERE metadata->'tenant' = 'acme'", "column->>'key' is a text"),
        ("SELECT sum(metadata->'cents') FROM spans", "(column->>'key')::DOUBLE a number"),
        ("SELECT unnest(metadata) FROM spans", "unnest(column->'$[*]') its items"),
        ("PIVOT spans ON status USING count(*)", "PIVOT ... ON status IN ('ok', 'error')"),
    ],
)
def test_the_way_is_told_where_duckdb_knows_none(tmp_path: Path, query: str, hint: str) -> None:
    """Who takes JSON for a text, a number or a list, or leaves the columns of a PIVOT open, is told what to write."""
    with open_store(write(tmp_path / "a.jsonl", span("r", metadata={"tenant": "acme", "cents": 3}))) as store:
        with pytest.raises(UsageError, match=re.escape(hint)):
            store.sql(query).fetchall()
        assert store.sql("PIVOT spans ON status IN ('ok') USING count(*) GROUP BY name").fetchall() == [("r", 1)]


@pytest.mark.parametrize(("named", "meant"), [("llm_call", "llm_calls"), ("thread", "threads"), ("error", "errors")])
def test_what_is_proposed_is_documented(tmp_path: Path, named: str, meant: str) -> None:
    """A view that no query has named yet is proposed like one that has been."""
    with open_store(write(tmp_path / "a.jsonl", span("r")), cache=False) as store:
        with pytest.raises(UsageError, match=f'Did you mean "{meant}"'):
            store.sql(f"FROM {named}")
        assert store.sql(f"FROM {meant}").columns


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("setting", "SHOW TABLES lists those that do."),
        ("source", "SHOW TABLES lists those that do."),
        ("Shipment", 'Did you mean "shipments"?'),
    ],
)
def test_nothing_else_is_proposed(tmp_path: Path, named: str, said: str) -> None:
    """A name like one of DuckDB's or the store's own tables is not answered with those; the user's are proposed too."""
    own = tmp_path / "own.csv"
    own.write_text("id\n1\n")
    with (
        open_store(write(tmp_path / "a.jsonl", span("r")), cache=False, tables={"shipments": own}) as store,
        pytest.raises(UsageError) as caught,
    ):
        store.sql(f"FROM {named}")
    assert str(caught.value) == f"Catalog Error: Table with name {named} does not exist! {said}"


def test_a_name_put_together_is_found(tmp_path: Path) -> None:
    """A view is there for a query in which its name does not stand."""
    with open_store(write(tmp_path / "a.jsonl", span("r")), cache=False) as store:
        assert store.sql("FROM query_table('thr' || 'eads')").columns[0] == "thread_id"


@pytest.mark.parametrize("query", ["SHOW TABLES", " show\ttables ;", "DESCRIBE", "desc", "SHOW ALL TABLES", "show"])
def test_the_tables_listed_are_those_documented(tmp_path: Path, query: str) -> None:
    """What the store keeps for itself is not among them; `DESCRIBE spans` describes one."""
    documented = re.findall(
        r"^\| `(\w+)` \|", (Path(__file__).parents[3] / "docs" / "sql.md").read_text(), re.MULTILINE
    )
    with open_store(write(tmp_path / "a.jsonl", span("r")), cache=False) as store:
        assert [row[0] for row in store.sql(query).fetchall()] == documented
        assert ("run_id", "VARCHAR") in [row[:2] for row in store.sql("DESCRIBE spans").fetchall()]


@pytest.mark.slow
def test_a_query_beyond_the_memory_limit(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on on the disk, also over a base of the cache; what can only be in memory is refused in one sentence."""
    private = tmp_path_factory.mktemp("private")
    monkeypatch.setattr(rows, "CACHED_BYTES", 1)
    monkeypatch.setattr(tempfile, "tempdir", str(private))
    monkeypatch.setattr("flightlog_viewer.store.instance.MOST_BYTES", 100 << 20)
    path = write(tmp_path / "a.jsonl", span("r"))
    large = "SELECT i, repeat(md5(i::VARCHAR), 5) AS x FROM range(1000000) AS t(i)"
    for _ in range(2):
        with open_store(path) as store:
            assert len(store.sql(f"FROM ({large}) ORDER BY x").fetchmany(1)) == 1
            with pytest.raises(UsageError, match=r"^out of memory: this needs more than 100\.0 MiB, not all"):
                store.sql(f"SELECT string_agg(x) FROM ({large})").fetchall()
    assert list(private.iterdir()) == []


def test_a_load_beyond_the_memory_limit(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What DuckDB puts on the disk meanwhile is private, gone with the store, and no way out of the session."""
    monkeypatch.setattr(rows, "CACHED_BYTES", 1)
    here, private = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("private")
    monkeypatch.chdir(here)
    monkeypatch.setattr(tempfile, "tempdir", str(private))
    spilled: list[Path] = []

    def spill(connection: duckdb.DuckDBPyConnection, base_rows: int | None) -> None:
        connection.execute("SET memory_limit = '50MB'")
        connection.execute("CREATE TEMP TABLE large AS SELECT md5(i::VARCHAR) AS x FROM range(1500000) AS t(i)")
        spilled.extend(private.rglob("*.tmp"))
        create_views(connection, base_rows)

    monkeypatch.setattr(rows, "create_views", spill)
    with open_store(write(tmp_path / "a.jsonl", span("r")), cache=False) as store:
        assert spilled
        assert list(here.iterdir()) == []
        assert store.span_count == 1
        (tmp_path / "secret.txt").write_text(SECRET)
        with pytest.raises(UsageError):
            store.sql(f"SELECT * FROM read_text('{tmp_path}/secret.txt')")
        with pytest.raises(UsageError):
            store.sql(f"COPY (SELECT 1) TO '{spilled[0].parent}/out.csv'")
    assert list(private.iterdir()) == []
