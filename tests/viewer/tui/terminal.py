"""A program in a pseudo-terminal: keys go in, every byte that comes out is kept and drawn on a screen of our own."""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

import pyte

_QUERY_ANSWERS = (
    (b"\x1b[c", b"\x1b[?62;c"),
    (b"\x1b[?2026$p", b"\x1b[?2026;2$y"),
    (b"\x1b[?2048$p", b"\x1b[?2048;0$y"),
)


class Terminal:
    """A context manager; the program ends with it."""

    def __init__(
        self, command: Sequence[str], *, size: tuple[int, int] = (80, 24), env: Mapping[str, str] | None = None
    ) -> None:
        self.width, self.height = size
        self.output = bytearray()
        self.screen = pyte.Screen(self.width, self.height)
        self._stream = pyte.ByteStream(self.screen)
        self.started = monotonic()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **(env or {})}
            for name in ("NO_COLOR", "COLUMNS", "LINES"):
                if env is None or name not in env:
                    environment.pop(name, None)
            os.execvpe(command[0], list(command), environment)
        self.resize(*size)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def resize(self, width: int, height: int) -> None:
        """Another size, as a window manager would set it."""
        self.width, self.height = width, height
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.screen.resize(height, width)

    def send(self, keys: str | bytes) -> None:
        """Type."""
        os.write(self._fd, keys.encode() if isinstance(keys, str) else keys)

    def read(self, patience: float) -> bytes:
        """What comes within ``patience`` seconds; empty at the end of the program or when nothing came."""
        ready, _, _ = select.select([self._fd], [], [], patience)
        if not ready:
            return b""
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:
            return b""
        self.output += data
        for question, answer in _QUERY_ANSWERS:
            if question in data:
                os.write(self._fd, answer)
        return data

    def settle(
        self, quiet: float = 0.4, longest: float = 20.0, counts: Callable[[bytes], bool] = bool, *, sure: bool = False
    ) -> float:
        """Read until nothing has come for ``quiet`` seconds; when the last byte that counts came, after the call.

        With ``sure`` silence before anything that counts is no end.
        """
        begun = last = monotonic()
        chunks = []
        while monotonic() - begun < longest:
            data = self.read(quiet)
            if not data:
                if sure and last == begun:
                    continue
                break
            if counts(data):
                last = monotonic()
            chunks.append(data)
        self._stream.feed(b"".join(chunks))
        return last - begun

    def wait_for(self, text: str, longest: float = 30.0) -> float:
        """Read until a text is in what has come out; seconds since the start of the program."""
        until = monotonic() + longest
        wanted = text.encode()
        pending = bytearray()
        while monotonic() < until:
            data = self.read(0.05)
            pending += data
            # Drawing costs more than looking: it is done when nothing else comes, so that the time is the program's.
            if wanted in self.output[-200_000:]:
                found = monotonic() - self.started
                self._stream.feed(bytes(pending))
                return found
            if not data and pending:
                self._stream.feed(bytes(pending))
                pending.clear()
                if text in self.text():
                    return monotonic() - self.started
        raise TimeoutError(f"{text!r} did not appear:\n{self.text()}")

    def text(self) -> str:
        """The screen."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def running(self) -> bool:
        """Whether the program has not ended."""
        done, _ = os.waitpid(self.pid, os.WNOHANG)
        if done:
            self.pid = 0
        return not done

    def close(self) -> None:
        """End the program, by its own id."""
        if self.pid:
            for name in (signal.SIGTERM, signal.SIGKILL):
                os.kill(self.pid, name)
                until = monotonic() + 3
                while monotonic() < until:
                    done, _ = os.waitpid(self.pid, os.WNOHANG)
                    if done:
                        self.pid = 0
                        break
                    self.read(0.05)
                if not self.pid:
                    break
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def flightlog(*arguments: str) -> list[str]:
    """The command line of our own program in this environment."""
    return [sys.executable, "-m", "flightlog", *arguments]
