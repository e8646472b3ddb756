"""The flight recorder for LangChain and LangGraph agents.

Attach it to any invoke::

    from flightlog import JsonlTracer

    with JsonlTracer("trace.jsonl") as tracer:
        graph.invoke(inputs, {"callbacks": [tracer]})

or to everything: ``with flightlog.trace("trace.jsonl"):``, ``flightlog.install("trace.jsonl")``, the environment
variable ``FLIGHTLOG_PATH``, or ``flightlog run -- python app.py``.

Names load on first use, so that ``import flightlog`` costs next to nothing.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flightlog.attach import install, trace, uninstall
    from flightlog.errors import FlightlogError, MissingExtraError, UnreadableError, UsageError
    from flightlog.handler import JsonlTracer
    from flightlog.log_filter import TraceLogFilter
    from flightlog.reader import read_spans
    from flightlog.sidecars import OpenSpan, read_open_spans
    from flightlog.sink import SpanSink
    from flightlog.span import Span

    __version__: str

__all__ = [
    "FlightlogError",
    "JsonlTracer",
    "MissingExtraError",
    "OpenSpan",
    "Span",
    "SpanSink",
    "TraceLogFilter",
    "UnreadableError",
    "UsageError",
    "install",
    "read_open_spans",
    "read_spans",
    "trace",
    "uninstall",
]

_HOMES = {
    "FlightlogError": "errors",
    "JsonlTracer": "handler",
    "MissingExtraError": "errors",
    "OpenSpan": "sidecars",
    "Span": "span",
    "SpanSink": "sink",
    "TraceLogFilter": "log_filter",
    "UnreadableError": "errors",
    "UsageError": "errors",
    "install": "attach",
    "read_open_spans": "sidecars",
    "read_spans": "reader",
    "trace": "attach",
    "uninstall": "attach",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("flightlog")
    if (home := _HOMES.get(name)) is None:
        raise AttributeError(f"module 'flightlog' has no attribute {name!r}")
    value = getattr(import_module(f"flightlog.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, without what this module itself imports."""
    return sorted([*__all__, *(name for name in globals() if name.startswith("__")), "__version__"])


if os.environ.get("FLIGHTLOG_PATH"):
    from flightlog.on_langchain import attach_by_environment

    attach_by_environment()
