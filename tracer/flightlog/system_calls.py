"""Calls to the system that an application may forbid in its event loop, and that a span file cannot do without.

LangGraph's development server wraps those of ``os`` so that they raise in a coroutine. What an application has put
there is called first, and the system's own only when that refuses with an exception that no system call raises.
"""

import os
import sys
from collections.abc import Callable
from typing import Any, Final

_SYSTEM: Final = sys.modules.get("posix") or sys.modules.get("nt") or os
_FOLDER_MODE: Final = 0o700


def rename(source: str, target: str) -> None:
    """``os.rename``."""
    _call("rename", source, target)


def unlink(path: str | os.PathLike[str]) -> None:
    """``os.unlink``."""
    _call("unlink", path)


def status(path: str | os.PathLike[str]) -> os.stat_result:
    """``os.stat`` of a path itself, should it be a link."""
    found: os.stat_result = _call("stat", path, follow_symlinks=False)
    return found


def names_in(folder: str) -> list[str]:
    """``os.listdir``."""
    found: list[str] = _call("listdir", folder)
    return found


def make_folders(path: str) -> None:
    """``os.makedirs``, the last folder private; one that is there is good."""
    _refused(
        lambda: os.makedirs(path, mode=_FOLDER_MODE, exist_ok=True), lambda: _make_folders(path, mode=_FOLDER_MODE)
    )


def absolute(path: str) -> str:
    """``os.path.abspath``."""
    found: str = _refused(lambda: os.path.abspath(path), lambda: os.path.normpath(os.path.join(_SYSTEM.getcwd(), path)))
    return found


def without_links(path: str) -> str:
    """``os.path.realpath``; the path itself where that is forbidden, since it is many calls."""
    found: str = _refused(lambda: os.path.realpath(path), lambda: path)
    return found


def _make_folders(path: str, mode: int = 0o777) -> None:
    try:
        _SYSTEM.mkdir(path, mode)
    except FileExistsError:
        return
    except FileNotFoundError:
        above = os.path.dirname(path)
        if above == path:
            raise
        _make_folders(above)
        _SYSTEM.mkdir(path, mode)


def _call(name: str, *arguments: Any, **named: Any) -> Any:
    own: Callable[..., Any] = getattr(_SYSTEM, name)
    return _refused(lambda: getattr(os, name)(*arguments, **named), lambda: own(*arguments, **named))


def _refused(call: Callable[[], Any], own: Callable[[], Any]) -> Any:
    try:
        return call()
    except OSError:
        raise
    except Exception:
        return own()
