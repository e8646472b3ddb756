"""Attaching from outside: FLIGHTLOG_PATH, and `flightlog run` over programs that know nothing of flightlog."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from flightlog import read_spans

pytestmark = pytest.mark.uncounted

APP = """\
import subprocess, sys
from langchain_core.runnables import RunnableLambda

def run(name):
    chain = RunnableLambda(lambda x: x + 1).with_config(run_name=name)
    return (chain | chain).invoke(1)

def test_app():
    assert run("tested") == 3

if __name__ == "__main__":
    print(run("parent" if len(sys.argv) == 1 else sys.argv[1]))
    if len(sys.argv) == 1:
        sys.exit(subprocess.run([sys.executable, __file__, "child"]).returncode)
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_text(APP)
    return path


def execute(*command: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("FLIGHTLOG_", "PYTEST_"))}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def names(path: Path) -> Counter[str]:
    return Counter(span.name for span in read_spans(path))


@pytest.mark.slow
def test_script_and_its_child_process(app: Path, tmp_path: Path) -> None:
    """`flightlog run -- python app.py` records the script and the Python it starts, and changes nothing it prints."""
    done = execute(sys.executable, "-m", "flightlog", "run", "--", sys.executable, app, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.split()) == ["3", "3"]
    assert names(tmp_path / "trace.jsonl") == {"RunnableSequence": 2, "parent": 2, "child": 2}
    assert sorted(one.name for one in tmp_path.iterdir() if one.name != "__pycache__") == ["app.py", "trace.jsonl"]


@pytest.mark.parametrize(
    ("command", "name"),
    [(["python", "-m", "app", "module"], "module"), (["pytest", "-q", "-p", "no:cacheprovider", "app.py"], "tested")],
)
def test_modules_and_console_scripts(app: Path, tmp_path: Path, command: list[str], name: str) -> None:
    """`python -m` and console scripts are recorded alike, found on PATH."""
    path = os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"]))
    run = ("flightlog", "run", "-o", "out/spans.jsonl", "--", *command)
    done = execute(*run, cwd=tmp_path, PATH=path, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert done.returncode == 0, done.stderr
    assert names(tmp_path / "out" / "spans.jsonl") == {"RunnableSequence": 1, name: 2}


@pytest.mark.slow
def test_variable_works_once_flightlog_is_imported(app: Path, tmp_path: Path) -> None:
    """With FLIGHTLOG_PATH set, `import flightlog` anywhere in the program attaches, before or after LangChain."""
    for n, lines in enumerate(("import flightlog, app", "import app, flightlog")):
        path = tmp_path / f"{n}.jsonl"
        code = f"{lines}; app.run('x'); app.run('x')"
        done = execute(sys.executable, "-c", code, cwd=tmp_path, FLIGHTLOG_PATH=str(path))
        assert (done.returncode, done.stderr) == (0, "")
        assert names(path) == {"RunnableSequence": 2, "x": 4}


def test_first_runs_in_many_threads(app: Path, tmp_path: Path) -> None:
    """A server whose first requests come in many threads at once has all of them recorded, not the first alone."""
    code = """if True:
        import app, threading
        start = threading.Barrier(8)
        def serve(n):
            start.wait()
            app.run(f"request {n}")
        threads = [threading.Thread(target=serve, args=(n,)) for n in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    """
    done = execute(sys.executable, "-m", "flightlog", "run", "--", sys.executable, "-c", code, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    requests = {f"request {n}": 2 for n in range(8)}
    assert names(tmp_path / "trace.jsonl") == {"RunnableSequence": 8, **requests}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_while_the_first_run_attaches(app: Path, tmp_path: Path) -> None:
    """A child that is forked while a thread of its parent attaches neither hangs nor goes unrecorded."""
    code = """if True:
        import app, os, signal, threading
        app.run("before")
        import flightlog
        threads = [threading.Thread(target=app.run, args=("thread",)) for _ in range(2)]
        for thread in threads: thread.start()
        child = os.fork()
        signal.alarm(20)
        if not child:
            app.run("child")
            os._exit(0)
        for thread in threads: thread.join()
        assert os.waitpid(child, 0)[1] == 0
    """
    path = tmp_path / "trace.jsonl"
    done = execute(sys.executable, "-W", "ignore", "-c", code, cwd=tmp_path, FLIGHTLOG_PATH=str(path))
    assert (done.returncode, done.stderr) == (0, "")
    assert names(path) == {"RunnableSequence": 3, "thread": 4, "child": 2}


def test_variable_and_callback_record_once(app: Path, tmp_path: Path) -> None:
    """A program that attaches a tracer to the same file itself is recorded once."""
    code = """if True:
        from flightlog import JsonlTracer, trace
        from app import *
        chain = RunnableLambda(lambda x: x).with_config(run_name="x")
        with JsonlTracer("trace.jsonl") as tracer, trace("trace.jsonl"):
            chain.invoke(1, {"callbacks": [tracer]})
    """
    done = execute(sys.executable, "-m", "flightlog", "run", "--", sys.executable, "-c", code, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert names(tmp_path / "trace.jsonl") == {"x": 1}


def test_unwritable_path_changes_nothing(app: Path, tmp_path: Path) -> None:
    """A span file that cannot be written does not change what the program does; one sentence says so."""
    run = (sys.executable, "-m", "flightlog", "run", "-o", "/proc/no/x", "--", sys.executable, app, "alone")
    done = execute(*run, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "3\n")
    assert [line[:44] for line in done.stderr.splitlines()] == ["spans are being lost: cannot write /proc/no/x"[:44]]


def test_a_folder_is_no_span_file(app: Path, tmp_path: Path) -> None:
    """`run -o FOLDER` says so and runs nothing."""
    command = (sys.executable, "-m", "flightlog", "run", "-o", tmp_path, "--", sys.executable, app)
    done = execute(*command, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is a folder: name a file in it" in done.stderr


SAMPLED = """\
from langchain_core.runnables import RunnableLambda

def fail(x):
    if x % 10 == 0:
        raise ValueError("tenth")
    return x

for n in range(100):
    try:
        RunnableLambda(fail).with_config(run_name="one").invoke(n)
    except ValueError:
        pass
"""


@pytest.mark.slow
def test_sampling_from_outside(tmp_path: Path) -> None:
    """`run --sample 0 --always-keep error`, which sets the variables of the same meaning, records failed traces only;
    a variable that means nothing is said, and all is recorded."""
    app = tmp_path / "app.py"
    app.write_text(SAMPLED)
    path = tmp_path / "trace.jsonl"
    options = ("--sample=0", "--always-keep", "error, abandoned", "--always-keep", "interrupted")
    done = execute(sys.executable, "-m", "flightlog", "run", *options, "--", sys.executable, app, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [span.status for span in read_spans(path)] == ["error"] * 10
    path.unlink()
    program = "import flightlog, runpy; runpy.run_path('app.py')"
    environment = {"FLIGHTLOG_PATH": str(path), "FLIGHTLOG_SAMPLE": "a lot", "FLIGHTLOG_ALWAYS_KEEP": "error"}
    done = execute(sys.executable, "-c", program, cwd=tmp_path, **environment)
    assert "FLIGHTLOG_SAMPLE" in done.stderr
    assert len(list(read_spans(path))) == 100
