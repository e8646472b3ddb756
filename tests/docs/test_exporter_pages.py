"""What docs/opentelemetry.md and docs/import-export.md say is what the program does."""

from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from flightlog_exporters.delivery import settings
from flightlog_exporters.readers.foreign import VOCABULARIES
from flightlog_samples.__main__ import main as record
from flightlog_viewer.cli.app import main
from tests.docs.test_pages import ROOT, blocks, commands
from tests.exporters.receiver import receiving

PAGES = ("docs/opentelemetry.md", "docs/import-export.md")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a recording, as the working directory."""
    folder = tmp_path_factory.mktemp("docs")
    with chdir(folder):
        assert record(["human_in_the_loop"]) == 0
        yield folder


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_the_page_runs(page: str, folder: Path) -> None:
    """Each line of a shell block succeeds; the server of the examples is a real one."""
    lines = commands(page)
    assert lines
    with receiving() as server:
        for line in lines:
            program, *arguments = line.replace("http://localhost:4318", server.url).split()
            assert program == "flightlog"
            assert main(arguments) == 0, line
        assert bool(server.spans) == ("export otlp " in " ".join(lines))


def test_the_parquet_query_answers(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The lines for DuckDB count the calls of each model."""
    monkeypatch.chdir(tmp_path)
    assert main(["export", "parquet", str(folder / "flightlog-demo"), "-o", "runs.parquet"]) == 0
    (example,) = blocks("docs/import-export.md", "python")
    found: dict[str, object] = {}
    exec(compile(example, "docs/import-export.md", "exec"), found)
    assert isinstance(found["spans"], list)


def test_the_bridge_example_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The lines for the bridge record a run."""
    from langchain_core.runnables import RunnableLambda

    monkeypatch.chdir(tmp_path)
    (example,) = blocks("docs/opentelemetry.md", "python")
    exec(compile(example, "docs/opentelemetry.md", "exec"), {"agent": RunnableLambda(lambda text: text)})
    assert (tmp_path / "spans.jsonl").stat().st_size


def test_the_variables_and_vocabularies_are_all_named() -> None:
    """The pages name every variable that is read and every vocabulary that is known."""
    text = (ROOT / PAGES[0]).read_text()
    source = Path(settings.__file__).read_text()
    for name in ("PROTOCOL", "HEADERS", "TIMEOUT", "COMPRESSION", "CERTIFICATE", "CLIENT_KEY", "INSECURE"):
        assert f'get("{name}")' in source
        assert f"_{name}`" in text
    assert len(VOCABULARIES) == 3
