"""Signals of the application that arrive while the tracer is at work, and the descriptors a daemon leaves."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from langchain_core.runnables import Runnable, RunnableLambda

import flightlog
from flightlog import JsonlTracer, read_spans
from flightlog.foreign import foreign
from flightlog.payloads.plain import convert
from tests.faults.children import run
from tests.faults.lines import broken


class Interrupting:
    """An object during whose ``repr`` a signal arrives, when it is expected."""

    def __repr__(self) -> str:
        if signal.getsignal(signal.SIGUSR1) is not signal.SIG_DFL:
            signal.raise_signal(signal.SIGUSR1)
        return "gone on"


class Died(Exception):
    """An exception during whose text a signal arrives."""

    __str__ = Interrupting.__repr__


def _one(value: object) -> int:
    return 1


step: Runnable[Any, int] = RunnableLambda(_one).with_config(run_name="step")
Handle = Callable[[Callable[[int, FrameType | None], None]], object]


@pytest.fixture
def handle() -> Iterator[Handle]:
    before = signal.getsignal(signal.SIGUSR1)
    yield lambda handler: signal.signal(signal.SIGUSR1, handler)
    signal.signal(signal.SIGUSR1, before)


def leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(number)


class Service:
    """A handler that is a method."""

    def leave(self, number: int, frame: FrameType | None) -> None:
        leave(number, frame)


@pytest.mark.parametrize("handler", [leave, Service().leave])
@pytest.mark.parametrize("kind", [Interrupting, Died])
def test_exit_by_a_signal_goes_through(handle: Handle, handler: Any, kind: type, tmp_path: Path) -> None:
    """`sys.exit()` in a signal handler ends the application also when the tracer is looking at a value."""
    handle(handler)
    value = kind()
    with JsonlTracer(tmp_path / "trace.jsonl") as tracer:
        with pytest.raises(SystemExit):
            convert(value)
        with pytest.raises(SystemExit):
            step.invoke([value], {"callbacks": [tracer]})
        assert foreign.depth == 0
        step.with_config(run_name="after").invoke(1, {"callbacks": [tracer]})
    assert "after" in [span.name for span in read_spans(tmp_path / "trace.jsonl")]


def test_exit_by_a_repr_does_not(tmp_path: Path) -> None:
    """An object that calls `sys.exit()` when it is looked at ends nothing."""

    class Leaving:
        def __repr__(self) -> str:
            raise SystemExit

    with JsonlTracer(tmp_path / "trace.jsonl") as tracer:
        assert step.invoke([Leaving()], {"callbacks": [tracer]}) == 1


def test_signal_while_a_block_is_opened(handle: Handle, tmp_path: Path) -> None:
    """A signal handler may open a block while this thread is opening one."""

    def handler(number: int, frame: FrameType | None) -> None:
        with flightlog.trace(tmp_path / "inner.jsonl"):
            step.invoke(1)

    def rules() -> Iterator[str]:
        signal.raise_signal(signal.SIGUSR1)
        yield "secret_code"

    handle(handler)
    with flightlog.trace(tmp_path / "outer.jsonl", redact=rules()):
        step.invoke(1)
    assert [span.name for span in read_spans(tmp_path / "inner.jsonl")] == ["step"]
    assert [span.name for span in read_spans(tmp_path / "outer.jsonl")] == ["step"]


@pytest.mark.uncounted
def test_daemon_that_prints_without_streams(tmp_path: Path) -> None:
    """What a program prints after it has closed its streams does not land in the span file or in the sidecar."""
    script = """
        import os, sys
        from flightlog import JsonlTracer
        from tests.faults.agents import converse
        os.closerange(0, 3)
        tracer = JsonlTracer(sys.argv[1])
        def disturb():
            for fd in range(3):
                try:
                    os.write(fd, b"printed by the application\\n")
                except OSError:
                    pass
        converse({"callbacks": [tracer]}, disturb=disturb)
        open_files = {os.readlink(f"/dev/fd/{fd}") for fd in range(3) if os.path.exists(f"/dev/fd/{fd}")}
        assert not [name for name in open_files if "trace" in name]
        os._exit(0)
    """
    path = tmp_path / "trace.jsonl"
    run(script, path)
    for file in tmp_path.iterdir():
        assert b"printed" not in file.read_bytes()
    assert broken(path) == []
