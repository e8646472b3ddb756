"""Commands over files whose index cache is damaged."""

import io
from pathlib import Path

import pytest

from flightlog.errors import UnreadableError
from flightlog_viewer.cli.app import main
from flightlog_viewer.cli.opening import opened
from flightlog_viewer.cli.output import line
from flightlog_viewer.store import rows
from tests.viewer.store.damage import damage, spans

REMOVED = "the index cache of these files was damaged and has been removed"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A span file that is cached when it is opened."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(rows, "CACHED_BYTES", 1)
    return spans(tmp_path / "a.jsonl")


def base(path: Path) -> Path:
    """Its base."""
    (found,) = (path.parent / "cache").rglob("*.duckdb")
    return found


def ask(path: Path, query: str) -> int:
    """The status of a query."""
    return main(["sql", query, str(path), "--csv"])


def test_a_command_starts_over(path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It removes what is damaged, says so in one sentence, and answers; a query from a pipe is not read twice."""
    query = "SELECT sum(step), max(name) > 'f' AS f FROM spans"
    assert ask(path, query) == 0
    expected = capsys.readouterr().out
    damage(path, base(path), query)
    monkeypatch.setattr("sys.stdin", io.StringIO(query))
    assert ask(path, "-") == 0
    assert tuple(capsys.readouterr()) == (expected, f"flightlog: {REMOVED}\n")
    assert ask(path, query) == 0
    assert tuple(capsys.readouterr()) == (expected, "")


def test_an_answer_that_has_begun(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was printed is not printed twice: the command ends, and the next one finds things in order."""
    query = "SELECT step, name FROM spans ORDER BY ALL"
    with opened([str(path)]) as store:
        expected = store.sql(query).fetchall()
    damage(path, base(path), query)

    def begin() -> None:
        with opened([str(path)]) as store:
            line("begun")
            store.sql(query).fetchall()

    with pytest.raises(UnreadableError, match=f"{REMOVED}: give the command again"):
        begin()
    with opened([str(path)]) as store:
        assert store.sql(query).fetchall() == expected
    assert tuple(capsys.readouterr()) == ("begun\n", "")
