"""Waits until the application uses LangChain, so that attaching by environment costs nothing before.

LangChain asks every registered configure hook for a handler when a run begins. ``when_first_used`` registers one as
soon as the module that keeps the hooks is loaded, which LangChain does at the latest for the first run.
"""

import contextlib
import importlib.util
import os
import sys
import threading
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

_HOOKS_MODULE: Final = "langchain_core.tracers.context"
_PATIENCE_S: Final = 5.0
"""How long a run, or a fork, waits for another thread that attaches: it imports for a tenth of a second."""


def when_first_used(action: Callable[[], None]) -> None:
    """Call ``action`` once, at the beginning of the first LangChain run of this process; never raises.

    Runs that begin in other threads meanwhile wait for it, as forks do: the child of one in the middle of imports could
    never import what its parent was importing.
    """
    hook = _AtFirstUse(action)
    module = sys.modules.get(_HOOKS_MODULE)
    if module is not None:
        _register(module, hook)
    else:
        sys.meta_path.insert(0, _Watcher(hook))


def attach_by_environment() -> None:
    """Attach for the file that ``FLIGHTLOG_PATH`` names, once LangChain is used. Costs no import before."""
    when_first_used(_attach)


def _attach() -> None:
    from flightlog.attach import attach_from_environment

    attach_from_environment()


class _AtFirstUse:
    """Stands where LangChain expects the context variable that holds a handler."""

    def __init__(self, action: Callable[[], None]) -> None:
        self._action: Callable[[], None] | None = action
        self._lock = threading.RLock()  # re-entrant: a signal handler may begin a run in the middle of the action
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._before_fork, after_in_parent=self._release, after_in_child=self._after_fork_in_child
            )

    def get(self) -> None:
        if self._action is not None and self._lock.acquire(timeout=_PATIENCE_S):
            if (action := self._action) is not None:
                with contextlib.suppress(Exception):
                    action()
                self._action = None
            self._release()

    def _before_fork(self) -> None:
        if self._action is not None:
            self._lock.acquire(timeout=_PATIENCE_S)

    def _release(self) -> bool:
        """False when another thread holds the lock, or none."""
        try:
            self._lock.release()
        except RuntimeError:
            return False
        return True

    def _after_fork_in_child(self) -> None:
        if not self._release():
            self._action = None  # done, or begun by a thread that is not here to end it
        self._lock = threading.RLock()


class _Watcher(MetaPathFinder):
    """Finds the one module through the finders behind it, once, and steps aside."""

    def __init__(self, hook: _AtFirstUse) -> None:
        self._hook = hook

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != _HOOKS_MODULE:
            return None
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._hook)
        return spec


class _Loader(Loader):
    """Loads the module as its own loader does, then registers the hook in it."""

    def __init__(self, loader: Loader, hook: _AtFirstUse) -> None:
        self._loader = loader
        self._hook = hook

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _register(module, self._hook)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)  # get_source and others that tools such as inspect ask for


def _register(module: ModuleType, hook: _AtFirstUse) -> None:
    register = getattr(module, "register_configure_hook", None)
    if register is not None:
        register(hook, True)
