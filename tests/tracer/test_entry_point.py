import os
import subprocess
import sys
from pathlib import Path

import pytest

from flightlog.__main__ import main


def flightlog(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flightlog", *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("word", ["--version", "-V", "version"])
def test_version(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints the name and the version."""
    assert main([word]) == 0
    assert capsys.readouterr().out.startswith("flightlog 0.")


@pytest.mark.parametrize("module", ["duckdb", "typer"])
def test_missing_extra_is_one_sentence(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the viewer's packages a command names the extra on stderr and exits 2."""
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["summary", "trace.jsonl"]) == 2
    captured = capsys.readouterr()
    assert captured.err == "flightlog: `flightlog summary` needs more packages: pip install 'flightlog[viewer]'\n"
    assert captured.out == ""
    assert main(["demo"]) == 2
    assert "pip install 'flightlog[viewer,samples]'" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--help"], ["help"]])
def test_help_without_the_viewer(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the viewer's packages the help says that `run` works and how to get the rest; with them it does not."""
    assert main(arguments) == 0
    usual = capsys.readouterr().out
    assert "run a command" in usual
    monkeypatch.setitem(sys.modules, "textual", None)
    assert main(arguments) == 0
    added = capsys.readouterr().out.removeprefix(usual)
    assert added == "\nOnly `run` works as it is installed here; for the others: pip install 'flightlog[viewer]'\n"


@pytest.mark.parametrize("arguments", [["--version"], ["run", "--help"], ["--help"]])
def test_nobody_reads(arguments: list[str]) -> None:
    """A reader that has gone (`| head`) ends the output without a word, also without the viewer's packages."""
    code = "import sys; sys.modules['textual'] = None; from flightlog.__main__ import main; sys.exit(main())"
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-c", code, *arguments], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("arguments", "page"), [(["help", "filter"], "The filter language"), (["help", "run"], "usage: flightlog run")]
)
def test_pages_that_need_no_viewer(
    arguments: list[str], page: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The help of `run` and of the filter language is printed without the viewer's packages, other help names them."""
    monkeypatch.setitem(sys.modules, "typer", None)
    assert main(arguments) == 0
    assert capsys.readouterr().out.startswith(page)
    assert main(["help", "summary"]) == 2
    assert "`flightlog summary` needs more packages: pip install 'flightlog[viewer]'" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["sumary"], ["help", "sumary"]])
def test_a_mistyped_command_without_the_viewer(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No package would make a command of what is none: it is answered as ever."""
    monkeypatch.setitem(sys.modules, "typer", None)
    assert main(arguments) == 2
    assert capsys.readouterr() == ("", "flightlog: no command 'sumary': did you mean `flightlog summary`?\n")


def test_the_store_without_the_viewer() -> None:
    """`open_store` without the viewer's packages names the extra."""
    script = (
        "import sys; sys.modules['duckdb'] = None\n"
        "import flightlog, flightlog_viewer\n"
        "try:\n    flightlog_viewer.open_store\nexcept flightlog.MissingExtraError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "flightlog_viewer.open_store needs more packages: pip install 'flightlog[viewer]'\n"


def test_run_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    """`run --help` shows its option and an example."""
    assert main(["run", "--help"]) == 0
    out = capsys.readouterr().out
    assert "--out PATH" in out
    assert "flightlog run -o trace.jsonl -- python app.py" in out


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        ([], 2, "no command"),
        (["--"], 2, "no command"),
        (["-o"], 2, "-o needs a value"),
        (["--out=", "--", "false"], 2, "is empty"),
        (["--fast", "--", "false"], 2, "no option --fast"),
        (["--sample"], 2, "--sample needs a value"),
        (["--sample", "lots", "--", "false"], 2, "sample must be a share between 0 and 1"),
        (["--sample=nan", "--", "false"], 2, "sample must be a share between 0 and 1"),
        (["--always-keep", "slow", "--", "false"], 2, "no status 'slow'"),
        (["--", "no-such-command-here"], 127, "no command 'no-such-command-here'"),
        (["--", __file__], 126, "cannot be run: it may not be executed"),
    ],
)
def test_run_with_a_mistake(
    arguments: list[str], status: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake in `run` is one sentence on stderr."""
    assert main(["run", *arguments]) == status
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    "option", [["-o", "x.jsonl"], ["-ox.jsonl"], ["--out", "x.jsonl"], ["--out=x.jsonl"], ["--output", "x.jsonl"]]
)
def test_run_is_the_command(option: list[str], tmp_path: Path) -> None:
    """`run` gives the command its own streams, exit status and arguments, and the span file's absolute path."""
    script = "import os, sys; print(sys.argv[1:], os.environ['FLIGHTLOG_PATH']); sys.exit(7)"
    done = flightlog("run", *option, "--", sys.executable, "-c", script, "-o", "y", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout == f"['-o', 'y'] {tmp_path / 'x.jsonl'}\n"


def test_run_keeps_the_sitecustomize_it_hides(tmp_path: Path) -> None:
    """A `sitecustomize` of the application still runs, and PYTHONPATH still holds what it held."""
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.mine = __file__\n")
    script = "import sys, sitecustomize; print(sys.mine, sitecustomize.__file__)"
    done = flightlog("run", "--", sys.executable, "-c", script, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.stdout.split() == [str(tmp_path / "sitecustomize.py")] * 2
    assert done.returncode == 0


def test_run_imports_no_langchain(tmp_path: Path) -> None:
    """A recorded Python process that does not use LangChain does not load it."""
    script = "import sys; print([m for m in sys.modules if m.startswith(('langchain', 'langgraph', 'orjson'))])"
    done = flightlog("run", "--", sys.executable, "-c", script, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("[]\n", "")
    assert list(tmp_path.iterdir()) == []


def test_run_says_when_that_python_has_no_flightlog(tmp_path: Path) -> None:
    """A Python of another environment without flightlog runs as ever, and one sentence says it is not recorded.

    A folder of that name, where the command is run, does not pass for it.
    """
    (tmp_path / "flightlog").mkdir()
    other = tmp_path / "python3"
    other.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')  # -S: no site-packages
    other.chmod(0o755)
    done = flightlog("run", "--", str(other), "-c", "print(1)", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert done.stderr.startswith(f"flightlog: {other} has no flightlog")
