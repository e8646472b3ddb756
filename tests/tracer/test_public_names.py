"""What `import flightlog` offers, and the options of its tracer."""

import copy
import inspect
import pickle
import re
from importlib.metadata import version
from typing import Any, get_type_hints

import pytest

import flightlog
from flightlog import JsonlTracer, UsageError
from flightlog.handler import TracerOptions
from flightlog.testing import MemorySink
from flightlog_viewer.analysis.filter_syntax import FilterError
from flightlog_viewer.checkpoints.sqlite_file import DamagedError
from flightlog_viewer.store.watch import LoadCancelledError


@pytest.mark.parametrize("name", flightlog.__all__)
def test_a_public_name_loads_and_says_what_it_is(name: str) -> None:
    """Every name of `__all__` is there on first use, is listed by `dir`, and has a docstring."""
    assert name in dir(flightlog)
    assert inspect.getdoc(getattr(flightlog, name))


def test_what_is_not_public_is_not_there() -> None:
    """A name that is not offered is an AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="no attribute 'JsonTracer'"):
        flightlog.JsonTracer  # noqa: B018


def test_the_version_is_there() -> None:
    """`flightlog.__version__` is that of the installed distribution, and `dir` has it."""
    assert "__version__" in dir(flightlog)
    assert flightlog.__version__ == version("flightlog")


def test_the_signature_of_the_tracer_names_its_options() -> None:
    """`help` and notebooks show `JsonlTracer(path=None, *, sinks=(), ...)`."""
    assert list(inspect.signature(JsonlTracer).parameters)[:3] == ["path", "sinks", "redact"]


def test_every_error_is_a_flightlog_error() -> None:
    """One `except` catches whatever flightlog raises on purpose."""
    errors = [name for name in flightlog.__all__ if name.endswith("Error")]
    assert len(errors) == 4
    assert all(issubclass(getattr(flightlog, name), flightlog.FlightlogError) for name in errors)


@pytest.mark.parametrize(
    "error",
    [
        UsageError("said"),
        flightlog.MissingExtraError("this", "viewer"),
        FilterError("not a field", 3, "a b:c"),
        LoadCancelledError(),
        DamagedError("x.sqlite", "malformed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_comes_out_of_another_process_as_it_was(error: flightlog.FlightlogError) -> None:
    """Pools of processes send what is raised in them: sentence, class and attributes are the same."""
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_options_that_are_passed_on_are_those_of_the_tracer() -> None:
    """`trace`, `install` and `recording` take what JsonlTracer takes, of the same types; it explains each."""
    taken = inspect.signature(JsonlTracer.__init__).parameters
    options = {name for name, parameter in taken.items() if parameter.kind is inspect.Parameter.KEYWORD_ONLY}
    hints = get_type_hints(JsonlTracer.__init__)
    assert get_type_hints(TracerOptions) == {name: hints[name] for name in options}
    explained = re.findall(r"\w+", JsonlTracer.__init__.__doc__ or "")
    assert [name for name in (*options, "path") if name not in explained] == []


def test_a_tracer_shows_its_file(tmp_path: Any) -> None:
    """In a debugger and in a log a tracer says where it writes."""
    assert repr(JsonlTracer(tmp_path / "t.jsonl")) == f"JsonlTracer('{tmp_path}/t.jsonl')"
    assert repr(JsonlTracer()) == "JsonlTracer()"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"max_field_bytes": 63}, "max_field_bytes must be at least 64"),
        ({"max_bytes": 0}, "max_bytes must be at least 1"),
        ({"max_total_bytes": -1}, "max_total_bytes must be at least 1"),
        ({"sample": 1.5}, "between 0 and 1"),
        ({"sample": -0.1}, "between 0 and 1"),
        ({"sample": float("nan")}, "between 0 and 1"),
        ({"always_keep": ("eror",)}, "knows no status 'eror'"),
        ({"always_keep": "eror", "sample": 0.5}, "knows no status 'eror'"),
        ({"redact": [7]}, "not int"),
        ({"redact": False}, "or None to hide nothing, not bool"),
        ({"capture": False}, "takes a mode"),
        ({"capture": ["inputs"]}, "takes a mode"),
        ({"max_field_bytes": None}, "must be at least 64"),
        ({"max_bytes": "10MB"}, "not '10MB'"),
        ({"sample": "0.1"}, "not '0.1'"),
        ({"always_keep": None}, "takes statuses"),
        ({"always_keep": [None, "ok"]}, "knows no status None"),
        ({"service_version": 1.4}, "service_version must be a string, not 1.4"),
        ({"service": b"desk"}, "service must be a string"),
        ({"environment": ["production"]}, "environment must be a string"),
        ({"fsync": "no"}, "fsync must be True or False, not 'no'"),
        ({"sinks": 7}, "takes a list of sinks"),
        ({"sinks": [print]}, "is not a sink"),
        ({"sinks": [MemorySink]}, r"MemorySink\(\) instead of MemorySink"),
    ],
    ids=str,
)
def test_an_option_that_cannot_be_meant_is_refused(options: Any, sentence: str) -> None:
    """A mistake is said when the tracer is made, in a sentence, not when spans are missing."""
    with pytest.raises(UsageError, match=sentence):
        JsonlTracer(**options)
