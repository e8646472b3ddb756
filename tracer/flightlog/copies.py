"""What a copy of a tracer is: applications copy the configs they put it in, and send them to other processes."""

from typing import Any, Self, TypeVar

_T = TypeVar("_T")


class SharedByCopies:
    """``copy`` and ``deepcopy`` give the object itself; a pickle makes one from the same arguments.

    The arguments have to be ones that can be pickled; sinks and redaction callables may not be. The class has a
    ``path``, its first argument: absolute, so that it means the same file in a process that runs elsewhere.
    """

    path: Any
    _origin: tuple[type, tuple[Any, ...], dict[str, Any]]
    """The class that was called, and with what; the object may be of a class made for it, which has no name."""

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        cls, arguments, options = self._origin
        if "path" in options:
            options = {**options, "path": self.path}
        elif arguments:
            arguments = (self.path, *arguments[1:])
        return _make, (cls, arguments, options)


def made_by(tracer: Any, cls: type[_T], arguments: tuple[Any, ...], options: dict[str, Any]) -> _T:
    """The new object, which knows from now on how it was made."""
    tracer._origin = (cls, arguments, options)
    made: _T = tracer
    return made


def _make(cls: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    return cls(*arguments, **options)
