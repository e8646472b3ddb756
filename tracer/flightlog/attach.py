"""Attaching without passing ``callbacks``: a ``with`` block, the whole process, or by environment.

LangChain asks registered configure hooks for a handler whenever a run begins, root or child. The hooks registered
here answer with the tracers that hold at that moment in that place.
"""

import contextlib
import logging
import os
import sys
import threading
import weakref
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final, Unpack

from flightlog.errors import UsageError
from flightlog.handler import JsonlTracer, TracerOptions
from flightlog.sampling import SamplingOptions, sampling_options
from flightlog.writing.span_file import whole_path

_logger: Final = logging.getLogger("flightlog")

PATH_VARIABLE: Final = "FLIGHTLOG_PATH"
SAMPLE_VARIABLE: Final = "FLIGHTLOG_SAMPLE"
ALWAYS_KEEP_VARIABLE: Final = "FLIGHTLOG_ALWAYS_KEEP"


class _Block:
    """One open ``with trace(...)`` block."""

    def __init__(self, tracer: JsonlTracer, outer: "_Block | None") -> None:
        self.tracer = tracer
        self.outer = outer
        self.open = True
        self.file = os.path.realpath(tracer.path or "")
        self.older_threads = weakref.WeakSet(threading.enumerate())
        """Threads that ran before the block was entered: those work for somebody else unless a context says so."""


_lock: Final = threading.RLock()
"""Re-entrant: a signal handler may open a block while this thread is opening one."""
_installed: tuple[JsonlTracer, ...] = ()
_blocks: tuple[_Block, ...] = ()
"""Open blocks of the whole process, innermost last."""
_current: Final[ContextVar[_Block | None]] = ContextVar("flightlog_block", default=None)
_THREADS_INHERIT: Final[bool] = getattr(sys.flags, "thread_inherit_context", False)
"""Whether a thread begins in the context of the one that starts it: Python 3.14, and by default without the GIL."""
_said_ambiguous = False
_slots = 0
"""Hooks registered so far; a hook can answer with one handler only."""


@contextlib.contextmanager
def trace(path: str | os.PathLike[str], **options: Unpack[TracerOptions]) -> Iterator[JsonlTracer]:
    """Record every run that begins inside the block, in asyncio tasks and in threads that are started inside too.

    ``options`` are those of JsonlTracer; gives the tracer. Blocks may nest, each with its own file; a block for the
    file of an enclosing block or of ``install`` uses that tracer, and records once.

    A thread that was there before the block (of a pool, say) belongs to the block when the work was handed to it
    with its context, as asyncio and LangChain do; ``loop.run_in_executor`` and ``submit`` do not. So does a thread that
    opens a block of its own, or begins while blocks for several files are open: whose it is cannot be told otherwise.

    Raises UsageError for an argument that cannot be meant.
    """
    block = _enter(path, options)
    token = _current.set(block)
    try:
        yield block.tracer
    finally:
        # A generator that is closed from another context (a web framework's dependency, say) cannot reset.
        with contextlib.suppress(ValueError):
            _current.reset(token)
        _leave(block)


def install(path: str | os.PathLike[str], **options: Unpack[TracerOptions]) -> JsonlTracer:
    """Record every run of this process from now on; the tracer is closed at exit.

    ``options`` are those of JsonlTracer. A second call for the same file gives the tracer that is there. Raises
    UsageError for an argument that cannot be meant.
    """
    global _installed
    with _lock:
        tracer = _tracer_of(path, _installed)
        if tracer is None:
            tracer = JsonlTracer(path, **options)
            _installed = (*_installed, tracer)
            _reserve_slots(len(_installed) + _depth())
        return tracer


def uninstall() -> None:
    """Take back every ``install``, and close those tracers. Runs that have begun are recorded to their end."""
    global _installed
    with _lock:
        tracers, _installed = _installed, ()
    for tracer in tracers:
        tracer.close()


def attach_from_environment() -> None:
    """Install for the file that ``FLIGHTLOG_PATH`` names, if it names one. Never raises: nobody asked in code.

    ``FLIGHTLOG_SAMPLE`` and ``FLIGHTLOG_ALWAYS_KEEP`` are JsonlTracer's ``sample`` and ``always_keep``. If they make
    no sense, everything is recorded, and a warning says so.
    """
    path = _variable(PATH_VARIABLE)
    if path:
        with contextlib.suppress(Exception):
            try:
                install(path, **_sampling())
            except UsageError as error:
                _logger.warning("nothing is recorded: %s: %s", PATH_VARIABLE, error)


def _sampling() -> SamplingOptions:
    try:
        return sampling_options(_variable(SAMPLE_VARIABLE), _variable(ALWAYS_KEEP_VARIABLE))
    except UsageError as error:
        with contextlib.suppress(Exception):
            _logger.warning("%s or %s: %s; recording everything", SAMPLE_VARIABLE, ALWAYS_KEEP_VARIABLE, error)
        return {}


def _variable(name: str) -> str:
    """Without the blanks, and the line ends of Windows, that files of variables bring along."""
    return os.environ.get(name, "").strip()


class _Slot:
    """Stands where LangChain expects a context variable: the ``index``-th tracer that holds here and now."""

    def __init__(self, index: int) -> None:
        self._index = index

    def get(self) -> JsonlTracer | None:
        tracers = _installed
        if _blocks:
            tracers = _with_blocks(tracers)
        return tracers[self._index] if self._index < len(tracers) else None


def _with_blocks(tracers: tuple[JsonlTracer, ...]) -> tuple[JsonlTracer, ...]:
    for block in _outwards(_here()):
        if block.open and block.tracer not in tracers:
            tracers = (*tracers, block.tracer)
    return tracers


def _here() -> _Block | None:
    block = _current.get()
    if block is not None or _THREADS_INHERIT:
        return block
    thread = threading.current_thread()
    around = [block for block in _blocks if thread not in block.older_threads]
    if not around:
        return None
    chain = list(_outwards(around[-1]))
    if all(block in chain or block.file == around[-1].file for block in around):
        return around[-1]
    _say_ambiguous()
    return None


def _say_ambiguous() -> None:
    """Warn, once in a process, that a thread may belong to any of several blocks."""
    global _said_ambiguous
    if not _said_ambiguous:
        _said_ambiguous = True
        with contextlib.suppress(Exception):
            _logger.warning(
                "a thread is recorded by no trace block: blocks for several files are open, and nothing tells which "
                "of them started it; start it with contextvars.copy_context().run, or pass callbacks"
            )


def _outwards(block: _Block | None) -> Iterator[_Block]:
    """A block and those around it."""
    while block is not None:
        yield block
        block = block.outer


def _enter(path: str | os.PathLike[str], options: TracerOptions) -> _Block:
    global _blocks
    # What a thread without a context is inside of is a guess: with a block of its own it says itself.
    outer = _current.get()
    enclosing = [block.tracer for block in _outwards(outer) if block.open]
    with _lock:
        tracer = _tracer_of(path, (*enclosing, *_installed)) or JsonlTracer(path, **options)
        block = _Block(tracer, outer)
        _blocks = (*_blocks, block)
        _reserve_slots(len(_installed) + _depth())
    return block


def _leave(block: _Block) -> None:
    global _blocks
    with _lock:
        block.open = False
        _blocks = tuple(other for other in _blocks if other is not block)
        shared = block.tracer in _installed or any(other.tracer is block.tracer for other in _blocks)
    if not shared:
        block.tracer.close()


def _depth() -> int:
    """How many blocks can hold at one place."""
    return max((sum(1 for _ in _outwards(block)) for block in _blocks), default=0)


def _tracer_of(path: str | os.PathLike[str], tracers: tuple[JsonlTracer, ...]) -> JsonlTracer | None:
    real = os.path.realpath(whole_path(path))
    return next((tracer for tracer in tracers if tracer.path and os.path.realpath(tracer.path) == real), None)


def _reserve_slots(count: int) -> None:
    global _slots
    if _slots < count:
        from langchain_core.tracers.context import register_configure_hook

        while _slots < count:
            register_configure_hook(_Slot(_slots), True)  # type: ignore[arg-type]  # only get() is ever called
            _slots += 1
