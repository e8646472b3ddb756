"""Waits until the application uses LangChain, so that attaching by environment costs nothing before.

LangChain asks every registered configure hook for a handler when a run begins. ``when_first_used`` registers one as
soon as the module that keeps the hooks is loaded, which LangChain does at the latest for the first run.
"""

import importlib.util
import sys
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

_HOOKS_MODULE: Final = "langchain_core.tracers.context"


def when_first_used(action: Callable[[], None]) -> None:
    """Call ``action`` once, at the beginning of the first LangChain run of this process."""
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

    def get(self) -> None:
        action, self._action = self._action, None
        if action is not None:
            action()


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
