"""Fixtures that tests of every package may use, what their names look like, and what makes the suite quick."""

import atexit
import gc
import os
import signal
import sys
from itertools import filterfalse
from pathlib import Path

import pyarrow
import pytest
from hypothesis import HealthCheck, settings

from flightlog_viewer.cli.without_pandas import WithoutPandas
from tests.postgres import postgres_database, postgres_url

__all__ = ["postgres_database", "postgres_url"]

# A busy machine is no failure: how long an example takes says nothing here.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# A suite that runs in the background (`make test &`, nohup) ignores these, and so would every command that it starts.
for _name, _handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    if hasattr(signal, _name) and signal.getsignal(getattr(signal, _name)) == signal.SIG_IGN:
        signal.signal(getattr(signal, _name), _handler)

# Set in many containers; it would hide what becomes of output that cannot be written at the end.
os.environ.pop("PYTHONUNBUFFERED", None)

# pyarrow looks for pandas once. It finds none, as in the program, and no worker imports it; `.df()` still does.
sys.meta_path.insert(0, _without_pandas := WithoutPandas())
pyarrow.array([0])
sys.meta_path.remove(_without_pandas)

# Imports make a million objects that stay, the viewer leaves cycles behind with every paint: by default each eighth
# second of a worker went into looks for garbage.
gc.set_threshold(10_000, 20, 20)

_IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
if _IS_WORKER:  # taking apart what it leaves takes Python seconds; all that it had to say is said by then
    atexit.register(os._exit, 0)

_LONGEST = 200
_WAITING = [Path(__file__).parent / folder for folder in ("viewer/tui", "snapshots")]


def pytest_make_parametrize_id(val: object) -> str | None:
    """The beginning of a long text: a name of megabytes would go into every report and into the environment."""
    return f"{str(val)[:_LONGEST]}..." if isinstance(val, str | bytes) and len(val) > _LONGEST else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for a screen begins: it takes longest, and beside it there is all else to be done.

    Workers begin at different places of the list, each as far from the next. The first gets most of it, the second
    what the first would not have done when all else is.
    """
    waiting, others = list(filter(_waits, items)), list(filterfalse(_waits, items))
    first = sum(item.path <= waiting[len(waiting) * 3 // 4].path for item in waiting) if waiting else 0
    second = max(0, len(items) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) - first)
    items[:] = [*waiting[:first], *others[:second], *waiting[first:], *others[second:]]


def _waits(item: pytest.Item) -> bool:
    return any(item.path.is_relative_to(folder) for folder in _WAITING)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """The last of all that is tidied up, so that pytest's own search for garbage at the end is quick too."""
    if not _IS_WORKER:
        config.add_cleanup(_let_go)


def _let_go() -> None:
    gc.unfreeze()
    gc.collect()  # or nanobind tells of functions that live on


def pytest_collection_finish() -> None:
    """What is imported by now stays to the end: the garbage collector need not go through it in every test."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """One look for garbage suffices: pytest looks five times before it ends."""
    gc.collect()
    gc.freeze()
