"""Answers that are whole in time: the timeout of a socket is for the next byte, and a server may send one at a time."""

import io
import time
from http.client import HTTPResponse
from socket import socket
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection


def whole_in_time(pool: PoolManager) -> PoolManager:
    """The pool; the total timeout of its requests holds for the last byte of an answer too."""
    pool.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
    return pool


class _Until(io.RawIOBase):
    """What a socket gives until its timeout, counted from now. Raises TimeoutError."""

    def __init__(self, source: socket, raw: io.RawIOBase) -> None:
        self._source = source
        self._raw = raw
        timeout = source.gettimeout()
        self._end = None if timeout is None else time.monotonic() + timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._end is not None:
            # Never 0, which would be not to wait at all.
            self._source.settimeout(max(0.001, self._end - time.monotonic()))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_Until(sock, self.fp.detach()))


class _HttpConnection(HTTPConnection):
    response_class = _Response


class _HttpsConnection(HTTPSConnection):
    response_class = _Response


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection
