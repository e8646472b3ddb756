"""How our files are opened in an application that owns the process and the folder."""

import os
from pathlib import Path

import pytest

from flightlog.writing.descriptor import open_file


@pytest.mark.parametrize("error", [FileExistsError, FileNotFoundError])
def test_a_folder_that_goes_while_it_is_made(
    error: type[OSError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cleaning job that takes the folder in the middle of that makes for one more try."""
    makedirs = os.makedirs

    def too_late(name: str, mode: int = 0o777, exist_ok: bool = False) -> None:
        monkeypatch.setattr(os, "makedirs", makedirs)
        raise error(name)

    monkeypatch.setattr(os, "makedirs", too_late)
    path = tmp_path / "logs" / "trace.jsonl"
    os.close(open_file(str(path), os.O_WRONLY | os.O_CREAT))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    """It is left as it is, and the error says so."""
    (tmp_path / "logs").write_text("mine")
    with pytest.raises(NotADirectoryError):
        open_file(str(tmp_path / "logs" / "trace.jsonl"), os.O_WRONLY | os.O_CREAT)
    assert (tmp_path / "logs").read_text() == "mine"
