"""What importing costs: a production process that imports the tracer gets nothing of the viewer."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import flightlog
import flightlog_exporters
import flightlog_viewer
from tests.viewer.span_lines import story

_HEAVY = (
    "duckdb",
    "textual",
    "opentelemetry",
    "langgraph",
    "langchain",
    "numpy",
    "pyarrow",
    "typer",
    "rich",
    "pydantic_ai",
)


def loaded_by(code: str) -> set[str]:
    """The top-level modules that are loaded after running ``code`` in a fresh interpreter."""
    report = "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.uncounted
@pytest.mark.parametrize(
    ("code", "forbidden"),
    [
        ("import flightlog; flightlog.JsonlTracer", set(_HEAVY)),
        ("import flightlog_viewer", {"textual", "duckdb", "typer", "langgraph", "langchain", "langchain_core"}),
        ("from flightlog_viewer import open_store", {"textual", "langgraph", "langchain", "langchain_core", "typer"}),
        ("import flightlog_exporters", {"opentelemetry", "duckdb", "textual", "langgraph"}),
        ("from flightlog.__main__ import main; main(['--help'])", {*_HEAVY, "langchain_core"}),
        (
            "from flightlog_viewer.cli.app import main; main(['summary', '--help'])",
            {"duckdb", "textual", "numpy", "pyarrow", "langchain_core", "langgraph", "opentelemetry"},
        ),
    ],
    ids=["flightlog", "flightlog_viewer", "open_store", "flightlog_exporters", "help", "help of a command"],
)
def test_an_import_loads_no_more_than_it_needs(code: str, forbidden: set[str]) -> None:
    """Each entrance leaves alone what it has no use for."""
    assert not loaded_by(code) & forbidden


@pytest.mark.parametrize("package", [flightlog, flightlog_exporters, flightlog_viewer])
def test_completion_offers_what_is_public(package: ModuleType) -> None:
    """`dir` has the public names, though they load on first use, and nothing that the module only uses."""
    assert [name for name in dir(package) if not name.startswith("__")] == sorted(package.__all__)


@pytest.mark.uncounted
def test_a_command_leaves_pandas_out(tmp_path: Path) -> None:
    """pyarrow would import it in every command that reads spans; it has 0.3 s to cost and nothing to give."""
    source = story().write(tmp_path / "s.jsonl")
    program = "import sys; sys.argv = ['flightlog']; from flightlog_viewer.cli.app import main"
    code = f"{program}; main(['traces', {str(source)!r}])"
    assert not loaded_by(code) & {"pandas", "textual", "langchain_core", "opentelemetry"}
