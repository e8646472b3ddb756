"""What a copy of a tracer is: applications copy the configs they put it in, and send them to other processes."""

from typing import Any, Self


class SharedByCopies:
    """``copy`` and ``deepcopy`` give the object itself; a pickle makes one from the same arguments.

    The arguments have to be ones that can be pickled; sinks and redaction callables may not be. The class has a
    ``path``, its first argument: absolute, so that it means the same file in a process that runs elsewhere.
    """

    path: Any
    _arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *arguments: Any, **options: Any) -> Self:
        self = super().__new__(cls)
        self._arguments = (arguments, options)
        return self

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        arguments, options = self._arguments
        return _make, (type(self), (self.path, *arguments[1:]), {k: v for k, v in options.items() if k != "path"})


def _make(cls: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    return cls(*arguments, **options)
