import asyncio
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from langchain_core.runnables import Runnable, RunnableLambda

import flightlog
from flightlog import JsonlTracer, attach, read_spans
from flightlog.errors import UsageError


def _add_one(x: int) -> int:
    return x + 1


step: Runnable[int, int] = RunnableLambda(_add_one).with_config(run_name="step")
two_steps = step | step


def _fail(x: int) -> float:
    return x / 0


bad: Runnable[int, float] = RunnableLambda(_fail).with_config(run_name="bad")


@pytest.fixture(autouse=True)
def detached() -> Iterator[None]:
    yield
    flightlog.uninstall()


def names(path: Path) -> list[str]:
    return sorted(span.name for span in read_spans(path)) if path.exists() else []


def test_block_records_what_is_inside(tmp_path: Path) -> None:
    """Every invoke inside the block is recorded, children too, and none before or after it."""
    path = tmp_path / "trace.jsonl"
    step.invoke(0)
    with flightlog.trace(path) as tracer:
        two_steps.invoke(1)
        assert tracer.summary()["chain"]["count"] == 3
    step.invoke(2)
    assert names(path) == ["RunnableSequence", "step", "step"]
    assert list(tmp_path.iterdir()) == [path]


def test_block_reaches_tasks_and_threads(tmp_path: Path) -> None:
    """Tasks, threads and pools that are started inside the block are inside it."""
    path = tmp_path / "trace.jsonl"

    async def work() -> None:
        await asyncio.gather(*(two_steps.ainvoke(n) for n in range(5)), asyncio.to_thread(step.invoke, 1))
        await asyncio.get_running_loop().run_in_executor(None, step.invoke, 1)

    with flightlog.trace(path):
        asyncio.run(work())
        thread = threading.Thread(target=step.invoke, args=(1,))
        thread.start()
        thread.join()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(step.invoke, range(3)))
    assert names(path) == ["RunnableSequence"] * 5 + ["step"] * 16


def test_block_leaves_others_alone(tmp_path: Path) -> None:
    """A thread and a task that were there before the block, each with a block of their own or none, keep theirs."""
    go, done = threading.Event(), threading.Event()

    def other(path: Path | None) -> None:
        if path is None:
            go.wait()
            step.invoke(1)
        else:
            with flightlog.trace(path):
                go.wait()
                step.invoke(1)
        done.wait()

    threads = [threading.Thread(target=other, args=(path,)) for path in (None, tmp_path / "theirs.jsonl")]
    for thread in threads:
        thread.start()
    with flightlog.trace(tmp_path / "ours.jsonl"):
        go.set()
        two_steps.invoke(1)
        done.set()
        for thread in threads:
            thread.join()
    assert names(tmp_path / "ours.jsonl") == ["RunnableSequence", "step", "step"]
    assert names(tmp_path / "theirs.jsonl") == ["step"]


def test_threads_with_blocks_of_their_own_keep_apart(tmp_path: Path) -> None:
    """Of threads that serve a request each, in a block each, none records into another's file, whichever came first."""
    opened = [threading.Event() for _ in range(3)]
    done = threading.Event()

    def serve(n: int) -> None:
        with flightlog.trace(tmp_path / f"{n}.jsonl"):
            opened[n].set()
            done.wait()
            step.with_config(run_name=f"run {n}").invoke(n)

    threads = [threading.Thread(target=serve, args=(n,)) for n in range(3)]
    for thread, event in zip(threads, opened, strict=True):
        thread.start()
        event.wait()
    done.set()
    for thread in threads:
        thread.join()
    assert [names(tmp_path / f"{n}.jsonl") for n in range(3)] == [["run 0"], ["run 1"], ["run 2"]]


@pytest.mark.parametrize(("files", "recorded"), [(("a", "b"), 0), (("a", "a"), 4)])
def test_a_thread_between_blocks_for_several_files_is_in_none(
    files: tuple[str, str],
    recorded: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A bare thread started while threads have blocks for several files is recorded by none, which is said once."""
    monkeypatch.setattr(attach, "_said_ambiguous", False)
    both = threading.Barrier(2)

    def serve(name: str) -> None:
        with flightlog.trace(tmp_path / name):
            both.wait()
            bare = threading.Thread(target=lambda: [step.invoke(1), step.invoke(1)])
            bare.start()
            bare.join()
            both.wait()

    threads = [threading.Thread(target=serve, args=(name,)) for name in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(len(names(path)) for path in tmp_path.iterdir()) == recorded
    assert ["no trace block" in record.message for record in caplog.records] == ([] if recorded else [True])


STARTED_OUTSIDE = """
import sys, threading, flightlog
from langchain_core.runnables import RunnableLambda

def run(name):
    thread = threading.Thread(target=RunnableLambda(lambda x: x).with_config(run_name=name).invoke, args=(1,))
    thread.start()
    thread.join()

def block():
    with flightlog.trace(sys.argv[1]):
        run("inside")
        opened.set()
        done.wait()

opened, done = threading.Event(), threading.Event()
theirs = threading.Thread(target=block)
theirs.start()
opened.wait()
run("outside")
done.set()
theirs.join()
"""


@pytest.mark.skipif(sys.version_info < (3, 14), reason="no thread inherits a context before Python 3.14")
def test_threads_that_inherit_the_context_are_told_apart_by_it(tmp_path: Path) -> None:
    """A thread that is started while a block of another is open is outside, where threads inherit the context."""
    path = tmp_path / "trace.jsonl"
    subprocess.run([sys.executable, "-X", "thread_inherit_context=1", "-c", STARTED_OUTSIDE, path], check=True)
    assert names(path) == ["inside"]


async def test_concurrent_blocks_keep_apart(tmp_path: Path) -> None:
    """Tasks with a block each record into their own files, however they interleave."""

    async def one(n: int) -> None:
        with flightlog.trace(tmp_path / f"{n}.jsonl"):
            for _ in range(3):
                await asyncio.sleep(0)
                await RunnableLambda(lambda x: x).with_config(run_name=f"run {n}").ainvoke(n)

    await asyncio.gather(*(one(n) for n in range(5)))
    for n in range(5):
        assert names(tmp_path / f"{n}.jsonl") == [f"run {n}"] * 3


def test_nested_blocks_record_both(tmp_path: Path) -> None:
    """The runs of an inner block are in both files; those of the outer block only in its own."""
    inner, outer = tmp_path / "inner.jsonl", tmp_path / "outer.jsonl"
    with flightlog.trace(outer):
        step.invoke(1)
        with flightlog.trace(inner):
            step.invoke(1)
        step.invoke(1)
    assert names(inner) == ["step"]
    assert names(outer) == ["step"] * 3


def test_same_file_is_recorded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that reaches one file through a block, the process, a callback and another callback is there once."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "trace.jsonl"
    installed = flightlog.install("trace.jsonl")
    assert flightlog.install(path) is installed
    with flightlog.trace(path) as outer, flightlog.trace("./trace.jsonl") as inner, JsonlTracer(path) as explicit:
        assert outer is inner is installed
        two_steps.invoke(1, {"callbacks": [explicit, JsonlTracer(path)]})
        two_steps.invoke(1)
    spans = list(read_spans(path))
    assert len(spans) == 6
    assert len({span.run_id for span in spans}) == 6


def test_a_path_at_home_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` means the same to whoever looks for the tracer of a file as to the tracer."""
    monkeypatch.setenv("HOME", str(tmp_path))
    tracer = flightlog.install("~/trace.jsonl")
    assert flightlog.install("~/trace.jsonl") is tracer
    with flightlog.trace("~/trace.jsonl") as inside:
        assert inside is tracer


def test_a_current_folder_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A relative path is a usage error then, and from the environment a warning: a release was removed, say."""
    (tmp_path / "old").mkdir()
    monkeypatch.chdir(tmp_path / "old")
    (tmp_path / "old").rmdir()
    with pytest.raises(UsageError, match="the current folder is gone"):
        flightlog.install("trace.jsonl")
    with pytest.raises(UsageError, match="the current folder is gone"), flightlog.trace("trace.jsonl"):
        pass
    monkeypatch.setenv("FLIGHTLOG_PATH", "trace.jsonl")
    attach.attach_from_environment()
    assert "nothing is recorded: FLIGHTLOG_PATH: 'trace.jsonl' cannot be" in caplog.text


def test_blanks_around_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Files of variables, of Docker say, bring blanks and the line ends of Windows along: they mean nothing."""
    monkeypatch.chdir(tmp_path)
    for name, value in (("PATH", f" {tmp_path}/t.jsonl\r"), ("SAMPLE", "1.0\r"), ("ALWAYS_KEEP", " ")):
        monkeypatch.setenv(f"FLIGHTLOG_{name}", value)
    attach.attach_from_environment()
    two_steps.invoke(1)
    flightlog.uninstall()
    monkeypatch.setenv("FLIGHTLOG_PATH", " ")
    attach.attach_from_environment()
    two_steps.invoke(1)
    assert [path.name for path in tmp_path.iterdir()] == ["t.jsonl"]
    assert caplog.text == ""


def test_block_of_an_installed_file_does_not_close_it(tmp_path: Path) -> None:
    """Leaving a block leaves the tracer of the process open."""
    tracer = flightlog.install(tmp_path / "trace.jsonl")
    with flightlog.trace(tmp_path / "trace.jsonl"):
        pass
    step.invoke(1)
    assert tracer.summary()["chain"]["count"] == 1


def test_install_records_everywhere_until_uninstall(tmp_path: Path) -> None:
    """The whole process is recorded, threads that were there before too, and nothing after uninstall."""
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        flightlog.install(first)
        flightlog.install(second)
        pool.submit(step.invoke, 1).result()
        flightlog.uninstall()
        pool.submit(step.invoke, 1).result()
    assert names(first) == names(second) == ["step"]


def test_block_survives_an_exception_and_another_context(tmp_path: Path) -> None:
    """The block ends with the exception that leaves it, and also when a generator is closed from elsewhere."""
    path = tmp_path / "trace.jsonl"
    with pytest.raises(ZeroDivisionError), flightlog.trace(path):
        bad.invoke(1)

    def dependency() -> Generator[None, None, None]:
        with flightlog.trace(path):
            yield

    async def other_context() -> None:
        next(held)

    held = dependency()
    asyncio.run(other_context())
    held.close()
    step.invoke(1)
    assert [(span.name, span.status) for span in read_spans(path)] == [("bad", "error")]


def test_runs_that_outlive_the_block_are_recorded_to_their_end(tmp_path: Path) -> None:
    """A run that began inside and ends after the block is in the file."""
    path = tmp_path / "trace.jsonl"
    started, go = threading.Event(), threading.Event()

    def slow(x: int) -> int:
        started.set()
        go.wait()
        return x

    run: Runnable[int, int] = RunnableLambda(slow).with_config(run_name="slow")
    with flightlog.trace(path):
        thread = threading.Thread(target=run.invoke, args=(1,))
        thread.start()
        started.wait()
    go.set()
    thread.join()
    assert names(path) == ["slow"]


def test_many_blocks_leave_nothing_behind(tmp_path: Path) -> None:
    """A process that opens a block for every request keeps neither hooks nor files."""
    from langchain_core.tracers.context import _configure_hooks

    for n in range(50):
        with flightlog.trace(tmp_path / f"{n}.jsonl"):
            step.invoke(n)
        if n == 0:
            hooks = len(_configure_hooks)
    assert len(_configure_hooks) == hooks
    assert len(list(tmp_path.iterdir())) == 50
