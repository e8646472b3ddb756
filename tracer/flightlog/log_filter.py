"""Ids of the current run on the application's own log records, so that logs and spans can be joined."""

import logging
import sys
from typing import Any, Final

_CONFIG_MODULE: Final = "langchain_core.runnables.config"


class TraceLogFilter(logging.Filter):
    """Puts ``trace_id`` and ``run_id`` on every log record, for formatters to use; never drops one.

    Give it to a handler, so that records of every logger pass it::

        handler.addFilter(flightlog.TraceLogFilter())
        handler.setFormatter(logging.Formatter("%(message)s trace=%(trace_id)s run=%(run_id)s"))

    The run is the innermost chain, node or tool that the code runs in; inside a model it is the run that called it.
    Where no run is, or none that a tracer records, both are ``missing``.
    """

    def __init__(self, name: str = "", *, missing: str = "-") -> None:
        super().__init__(name)
        self._missing = missing

    def filter(self, record: logging.LogRecord) -> bool:
        """True, unless the filter was given a logger name that the record does not have."""
        trace_id, run_id = current_run() or (self._missing, self._missing)
        record.trace_id, record.run_id = trace_id, run_id
        return bool(super().filter(record))


def current_run() -> tuple[str, str] | None:
    """``(trace_id, run_id)`` of the recorded run that this code runs in, or None. Never raises."""
    config_module = sys.modules.get(_CONFIG_MODULE)  # when LangChain is not loaded there is no run
    if config_module is None:
        return None
    try:
        config: Any = config_module.var_child_runnable_config.get()
        manager = config.get("callbacks") if config else None
        parent = getattr(manager, "parent_run_id", None)
        if parent is None or manager is None:
            return None
        for handler in manager.handlers:
            trace_of = getattr(handler, "trace_id_of", None)
            trace_id = trace_of(parent) if trace_of is not None else None
            if isinstance(trace_id, str):
                return trace_id, str(parent)
    except Exception:
        return None
    return None
