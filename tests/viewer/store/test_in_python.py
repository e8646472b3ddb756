"""The store as somebody in an interpreter or a notebook meets it."""

import subprocess
import sys
from pathlib import Path

import pytest

from flightlog import UsageError
from flightlog_viewer import open_store
from tests.viewer.store.records import span, write

# What DuckDB looks at to know a notebook. It draws its bars with ipywidgets there, and that is not installed.
NOTEBOOK = """
import sys, types
sys.modules["IPython"] = types.ModuleType("IPython")
sys.modules["IPython"].get_ipython = lambda: types.SimpleNamespace(config={"IPKernelApp": {}})
sys.modules["ipywidgets"] = None
import duckdb
try:
    duckdb.connect().execute("SET enable_progress_bar = false")
except duckdb.InvalidInputException:
    print("a notebook")
from flightlog_viewer import open_store
told = []
with open_store(sys.argv[1], cache=False, progress=lambda *done: told.append(done)) as store:
    print(store.span_count, told[-1][2])
"""


def test_a_notebook_without_widgets(tmp_path: Path) -> None:
    """A store opens where DuckDB refuses every setting of its progress bar, and tells how far it is."""
    path = write(tmp_path / "a.jsonl", span("r"))
    done = subprocess.run([sys.executable, "-c", NOTEBOOK, path], capture_output=True, text=True)
    assert (done.stdout.split("\n"), done.stderr) == (["a notebook", "1 1", ""], "")


def test_an_answer_is_read_row_by_row(tmp_path: Path) -> None:
    """A result is iterated over like a list of rows, once, and a value that cannot be computed is a sentence."""
    with open_store(write(tmp_path / "a.jsonl", span("r"), span("s")), cache=False) as store:
        found = store.sql("SELECT run_id FROM spans ORDER BY run_id")
        assert [run_id for (run_id,) in found] == ["r", "s"]
        with pytest.raises(UsageError, match="read to its end, or closed: run the query again"):
            found.fetchall()
        many = store.sql("SELECT i FROM range(5000) numbers(i)")
        assert [number for (number,) in many] == list(range(5000))
        with pytest.raises(UsageError, match="beyond what Python can hold"):
            list(store.sql("SELECT INTERVAL 100000000 YEARS"))


def test_they_say_what_they_are(tmp_path: Path) -> None:
    """A store shows what is in it and a result how it is read, also when they are closed."""
    with open_store(write(tmp_path / "a.jsonl", span("r")), cache=False) as store:
        shown = store.sql("SELECT name, count(*) AS n FROM spans GROUP BY name")
        assert repr(store) == "<Store: 1 span in 1 file>"
        assert repr(shown) == "Result(name VARCHAR, n BIGINT): iterate over it, or .df(), .arrow(), .fetchall()"
        assert shown.fetchall() == [("r", 1)]
    assert repr(store) == "<Store: closed>"
    assert "Result(name VARCHAR" in repr(shown)
