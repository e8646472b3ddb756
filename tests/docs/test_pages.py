"""What the pages say is what the program does: their commands, queries and code run over a fresh recording."""

import contextlib
import functools
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from flightlog_samples.__main__ import main as record
from flightlog_viewer import open_store
from flightlog_viewer.analysis.filter_fields import FIELDS
from flightlog_viewer.analysis.pricing import UNITS
from flightlog_viewer.cli.app import main
from flightlog_viewer.cli.commands.schema import tables
from flightlog_viewer.cli.record_fields import RECORD
from flightlog_viewer.cli.registry import COMMANDS
from tests.viewer.span_lines import story

ROOT = Path(__file__).parents[2]
DEMO = ["demo", "--no-view", "--out", "flightlog-demo"]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
SOURCES = ("tracer", "exporters", "viewer", "samples")
EXPORTS = ("otlp", "otlp-json", "parquet", "perfetto")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
APP = """
from langchain_core.runnables import RunnableLambda
print(RunnableLambda(lambda text: text.upper()).invoke("recorded"))
"""


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a language in a page."""
    text = (ROOT / page).read_text()
    return [found[1] for found in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


def commands(page: str) -> list[str]:
    """The lines of the shell blocks of a page, without comments."""
    lines = "".join(blocks(page, "sh")).splitlines()
    return [line for line in (line.partition("#")[0].strip() for line in lines) if line]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a recording of the default samples and a program to run, as the working directory."""
    folder = tmp_path_factory.mktemp("docs")
    with chdir(folder):
        Path("app.py").write_text(APP)
        assert record([]) == 0
        yield folder


@functools.cache  # several pages have the same line, and there is one folder
def run(command: str) -> str:
    """Run one command line of a page and return what it printed; it must succeed."""
    program, *arguments = shlex.split(command)
    if program == "make" or arguments == DEMO:
        return ""  # .ci/run runs make from a clean checkout; tests/test_whole_line.py runs the demo
    assert program == "flightlog", command
    if arguments[0] == "run":  # it takes the place of the process
        arguments = [sys.executable if argument == "python" else argument for argument in arguments]
        done = subprocess.run(
            [sys.executable, "-m", "flightlog", *arguments], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(arguments)
    assert status == 0, f"{command}: {err.getvalue()}"
    return out.getvalue()


@pytest.mark.slow
@pytest.mark.uncounted
@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/commands.md",
        "docs/filter.md",
        "docs/checkpoints.md",
        "docs/viewer.md",
        "docs/incidents.md",
    ],
)
def test_every_command_of_a_page_runs(page: str, folder: Path) -> None:
    """Each line of a shell block succeeds, one after the other, in a folder with the demo's recording."""
    lines = commands(page)
    assert lines
    for line in lines:
        run(line)


def test_the_attach_example_records(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The README's lines, with an agent, write the agent's spans."""
    from langchain_core.runnables import RunnableLambda

    monkeypatch.chdir(tmp_path)
    (example,) = blocks("README.md", "python")
    exec(compile(example, "README.md", "exec"), {"agent": RunnableLambda(lambda state: state)})
    with open_store("trace.jsonl") as store:
        assert store.span_count == 1


def test_every_command_is_described_with_an_example() -> None:
    """The page names each command, and its help has an example."""
    text = (ROOT / "docs/commands.md").read_text()
    for command in COMMANDS:
        assert f"**`{command.name}`**" in text, command.name
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            assert main([command.name, "--help"]) == 0
        assert f"flightlog {command.name} " in out.getvalue(), command.name
        assert "xample" in out.getvalue(), command.name


def test_every_query_of_the_page_runs(folder: Path, tmp_path: Path) -> None:
    """Each query answers over the demo's recording and a file with failures, retries and a question."""
    story().write(tmp_path / "story.jsonl")
    demo = folder / "flightlog-demo"
    databases = [str(demo / "checkpoints.sqlite")]
    queries = blocks("docs/sql.md", "sql")
    assert len(queries) > 15
    silent = set()
    tables = {"customers": {"tenant": ["acme"], "plan": ["gold"]}}
    with open_store([demo, tmp_path / "story.jsonl"], checkpoints=databases, tables=tables, cache=False) as store:
        for query in queries:
            result = store.sql(query)
            assert result.columns, query
            if not result.fetchall():
                silent.add(query)
    # Nothing died in flight, no line was rejected and nothing failed in the hours of the incident there.
    nothing = {query for query in queries if any(word in query for word in ("= 'unfinished'", "rejects", "2026-12-31"))}
    assert silent == nothing


def test_the_notebook_example_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The lines for a notebook give counts and a frame."""
    (example,) = blocks("docs/sql.md", "python")
    names: dict[str, object] = {}
    exec(compile(example, "docs/sql.md", "exec"), names)
    assert "approval" in capsys.readouterr().out
    assert len(names["frame"]) == 11  # type: ignore[arg-type]


def test_the_store_example_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The lines of the page about loading count the spans and read a payload."""
    (example,) = blocks("docs/store.md", "python")
    exec(compile(example, "docs/store.md", "exec"), {})
    assert capsys.readouterr().out.startswith("40 spans, 0 rejects\n")


def test_every_option_that_a_page_names_exists_and_the_other_way_round() -> None:
    """What a page calls an option, some command takes, and what a command takes, some page names."""
    programs = [["run"], *([command.name] for command in COMMANDS), *(["export", name] for name in EXPORTS)]
    known: set[str] = set()
    for program in programs:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            assert main([*program, "--help"]) == 0
        known.update(OPTION.findall(out.getvalue()))
    described = {"--help"}
    for page in PAGES:
        text = re.sub(r"^python -m flightlog_samples.*$", "", page.read_text(), flags=re.MULTILINE)
        named = {option for code in re.findall(r"`[^`]+`", text) for option in OPTION.findall(code)}
        assert named <= known, page.name
        described.update(OPTION.findall(text))
    assert not known - described


def test_every_variable_that_is_read_is_described() -> None:
    """A page names each environment variable that changes what flightlog does."""
    reads = re.compile(r'(?:environ(?:\.get\(|\[)|_VARIABLE: Final = )"([A-Z_]+)"|"([A-Z_]+)" (?:not )?in os\.environ')
    ours = [path for folder in SOURCES for path in (ROOT / folder).rglob("*.py")]
    read = {name for path in ours for found in reads.findall(path.read_text()) for name in found if name}
    assert len(read) > 10
    text = "".join(page.read_text() for page in PAGES)
    # Whether a terminal has colours, what runs in a browser, and where Python finds us: nobody sets those for us.
    of_others = {"COLORTERM", "TEXTUAL_DRIVER", "PYTHONPATH"}
    text = text.replace("`OTEL_EXPORTER_OTLP_TRACES_…`", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    assert not {name for name in read - of_others if not re.search(rf"\b{name}\b", text)}


def test_every_table_and_column_is_described() -> None:
    """The part of the page about a table names each of its columns, but the record's, which `schema` describes."""
    text = (ROOT / "docs/sql.md").read_text().partition("## Useful queries")[0]
    shared = set(tables()["spans"])
    place = {"database", "thread_id", "checkpoint_ns", "checkpoint_id"}
    for table, columns in tables().items():
        [row] = re.findall(rf"^\| `{table}` \|.*$", text, re.MULTILINE)
        part = row + "".join(re.findall(rf"\*\*`{table}`\*\*.*?(?=\*\*`|\n\n)", text, re.DOTALL))
        known = (
            {field.name for field in RECORD} if table == "spans" else shared if "columns of `spans`" in row else set()
        )
        known |= place if "its place" in part or "its\nplace" in part else set()
        missing = [column for column in columns if column not in known and f"`{column}`" not in part]
        assert not missing, (table, missing)


def test_every_price_of_ones_own_is_described() -> None:
    """The page names each key of a price file."""
    text = (ROOT / "docs/sql.md").read_text()
    assert not [unit for unit in UNITS if not re.search(rf"\b{unit}_mtok\b", text)]


def test_every_field_of_the_filter_language_is_described() -> None:
    """The page names each field and its other names."""
    text = (ROOT / "docs/filter.md").read_text()
    assert not [name for name in FIELDS if f"`{name}`" not in text]


@pytest.mark.parametrize("page", sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")))
def test_every_page_is_found_and_its_links_lead_somewhere(page: str) -> None:
    """Links between pages are relative and lead to files, and the README leads to each page or its folder."""
    for source in (page, "README.md"):
        for target in re.findall(r"\]\(([^)#\s]+)", (ROOT / source).read_text()):
            if "://" not in target:
                assert (ROOT / source).parent.joinpath(target).exists(), (source, target)
    readme = (ROOT / "README.md").read_text()
    assert f"({page})" in readme or f"({Path(page).parent})" in readme, page


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "DECISIONS.md"])
def test_every_module_that_a_page_names_is_there(page: str) -> None:
    """Who is sent to a file or folder by the pages for contributors finds it."""
    text = (ROOT / page).read_text()
    folders = ("tracer", "exporters", "viewer", "samples", "tests")
    known = [
        path.as_posix() for folder in folders for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts
    ]
    named = set(re.findall(r"`((?:tracer|exporters|viewer|samples|tests|tui)/[a-z_/]+|[a-z_/]*[a-z_]+\.py)`", text))
    assert named
    assert not [name for name in named if not any(path.endswith(f"/{name}") for path in known)]
