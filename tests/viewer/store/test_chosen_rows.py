"""The first rows of an order, with what is in the file of them alone."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flightlog.errors import UsageError
from flightlog_viewer import Store, open_store
from flightlog_viewer.store import session
from flightlog_viewer.store.chosen_rows import of_chosen_rows
from flightlog_viewer.store.payloads import PayloadReader
from tests.viewer.store.records import llm, span, write

COUNT = 50
CHOSEN = [
    "FROM spans ORDER BY duration_ms DESC LIMIT 3",
    "SELECT * FROM llm_calls AS c WHERE c.status = 'ok' ORDER BY c.duration_ms DESC NULLS LAST, name LIMIT 4;",
    "SELECT run_id AS row_id, inputs->>'n' AS n FROM nodes ORDER BY duration_ms, 1 LIMIT 2",
    "SELECT upper(name) AS who, inputs, output FROM spans WHERE inputs->>'n' > '2' ORDER BY who DESC LIMIT 5",
]
OTHERS = [
    "SELECT name, count(*) FROM spans GROUP BY name ORDER BY 2 DESC, 1 LIMIT 3",
    "SELECT max(inputs::VARCHAR) FROM spans ORDER BY 1 LIMIT 3",
    "SELECT DISTINCT inputs FROM spans ORDER BY 1 LIMIT 3",
    "SELECT row_number() OVER (ORDER BY run_id), inputs FROM spans ORDER BY run_id LIMIT 3",
    "SELECT run_id, inputs, (SELECT count(*) FROM spans) FROM spans ORDER BY run_id LIMIT 3",
    "SELECT run_id, unnest([1, 2]), inputs FROM spans ORDER BY ALL LIMIT 3",
    "SELECT run_id, inputs FROM spans ORDER BY ALL LIMIT 3",
    "SELECT run_id, inputs FROM spans ORDER BY 1 LIMIT 3 OFFSET 2",
    "SELECT run_id, inputs FROM spans ORDER BY 1 LIMIT 10%",
    "SELECT s.run_id, s.inputs FROM spans s JOIN nodes USING (run_id) ORDER BY 1 LIMIT 3",
    "WITH spans AS (SELECT 1 AS inputs) SELECT inputs FROM spans ORDER BY inputs LIMIT 3",
    "SELECT inputs FROM spans QUALIFY row_number() OVER (ORDER BY run_id) > 3 ORDER BY run_id LIMIT 3",
    "SELECT run_id, metadata FROM traces ORDER BY run_id LIMIT 3",
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Fifty calls and nodes, each of its own length."""
    lines = []
    for n in range(COUNT):
        more: dict[str, Any] = {"duration_ms": float(n * 7 % COUNT), "inputs": {"n": n}, "kind": "node"}
        lines.append((llm if n % 2 else span)(f"r{n}", trace="t", **more))
    with open_store(write(tmp_path_factory.mktemp("chosen") / "a.jsonl", *lines), cache=False) as opened:
        opened.sql("SELECT * FROM llm_calls, nodes LIMIT 0").close()
        yield opened


@pytest.mark.parametrize("query", CHOSEN)
def test_the_answer_is_the_same(store: Store, query: str) -> None:
    """Rows, their order and the names of the columns are those of the query as it was written."""
    found = store.sql(query)
    wanted = session.run(store.cursor(), query)
    assert found.columns == wanted.columns
    assert found.fetchall() == wanted.fetchall() != []


@pytest.mark.parametrize("query", CHOSEN[:3])
def test_only_what_is_shown_is_read(store: Store, query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the other rows no line is read again."""
    read: list[int] = []
    line = PayloadReader.line

    def noted(reader: PayloadReader, row_id: int) -> bytes:
        read.append(row_id)
        return line(reader, row_id)

    monkeypatch.setattr(PayloadReader, "line", noted)
    rows = store.sql(query).fetchall()
    assert len(set(read)) == len(rows) < 5


@pytest.mark.parametrize("query", OTHERS)
def test_any_other_query_is_left_as_it_is(store: Store, query: str) -> None:
    """What looks at more than the row itself is answered, or refused, as DuckDB does."""

    def answer(run: Callable[[str], session.Result]) -> object:
        try:
            return run(query).fetchall()
        except UsageError as error:
            return str(error)

    assert answer(store.sql) == answer(lambda text: session.run(store.cursor(), text))


@pytest.mark.parametrize(
    "query", ["", "SELEC * ORDER BY LIMIT", "DROP TABLE x -- ORDER BY LIMIT *", "\ud800 ORDER BY * LIMIT"]
)
def test_what_is_no_query_is_none_of_its_business(store: Store, query: str) -> None:
    """What cannot be parsed is left to be refused."""
    with store.cursor() as cursor:
        assert of_chosen_rows(cursor, query) is None


def test_a_wrong_name_is_told_as_it_was_written(store: Store) -> None:
    """The sentence about a mistake is about the query, not about what was made of it."""
    with pytest.raises(UsageError, match=re.escape('Referenced column "cost" not found')):
        store.sql("SELECT cost, inputs FROM spans ORDER BY 1 LIMIT 3")
