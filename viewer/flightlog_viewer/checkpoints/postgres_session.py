"""A connection to Postgres that only reads, and never waits or takes without end, whatever the server does."""

import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from flightlog.errors import MissingExtraError, UnreadableError

CONNECT_SECONDS: Final = 10
QUERY_SECONDS: Final = 300
"""What one statement may take, unless the URL sets ``statement_timeout``. Most read a page by a key; what asks for the
questions of all threads reads the whole table of writes once."""
GRACE_SECONDS: Final = 10
"""What the server has for its answer that this was too long."""
MOST_BYTES: Final = 2 << 30
"""Of one answer; an honest one is a page, or a few checkpoints with values of 64 MiB at most."""
_ROW_BYTES: Final = 200
"""What a row takes beside its texts."""
_CHUNK: Final = 20
"""Rows that come at once; 64 MiB each at worst."""
_CHUNKING_LIBPQ: Final = 170000
_LOOK_SECONDS: Final = 0.5


class PostgresSession:
    """One connection. ``name`` is its URL as it may be shown."""

    def __init__(self, url: str) -> None:
        """Raises UnreadableError, in one sentence and without the password, when there can be none."""
        try:
            import psycopg
        except ImportError:
            raise MissingExtraError("reading a Postgres checkpoint database", "postgres") from None
        self._psycopg = psycopg
        self.name, self._secrets, options = _without_password(url)
        try:
            self._connection = self._connect(url, options)
        except (psycopg.Error, ValueError, UnicodeError) as error:
            if _is_ambiguous(url):  # libpq takes part of the password for the host, and names it
                raise UnreadableError(
                    f"{self.name} cannot be reached: write @, / and : in its user and password as %40, %2F and %3A"
                ) from None
            raise self._unreadable(error, "cannot be reached") from None
        self._chunk = _CHUNK if psycopg.pq.version() >= _CHUNKING_LIBPQ else 1
        self._patience = _Patience(self._connection)
        self._seconds: float | None = QUERY_SECONDS
        try:
            ((milliseconds,),) = self.all("SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout'")
        except BaseException:
            self.close()
            raise
        self._seconds = milliseconds / 1000 or (None if options else QUERY_SECONDS)

    def _connect(self, url: str, own_options: str) -> Any:
        given: dict[str, Any] = {
            "autocommit": True,
            "prepare_threshold": None,  # a pooler may hand the next statement to another server process
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "flightlog",
        }
        options = f"-c statement_timeout={QUERY_SECONDS}s {own_options} -c default_transaction_read_only=on"
        try:
            return self._psycopg.connect(url, options=options, **given)
        except self._psycopg.OperationalError as error:
            # A pooler shares its sessions and takes no settings for one. What we send only reads in any case.
            if own_options or "unsupported startup parameter" not in str(error):
                raise
            return self._psycopg.connect(url, **given)

    def all(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query. Raises UnreadableError."""
        rows: list[tuple[Any, ...]] = []
        size = 0
        with self._waiting(), self._connection.cursor() as cursor:
            # As they come: the server decides how many there are.
            for row in cursor.stream(query.encode(), parameters or None, size=self._chunk):
                rows.append(row)
                size += _ROW_BYTES + sum(len(value) for value in row if isinstance(value, str | bytes))
                if size > MOST_BYTES:
                    self._connection.close()
                    raise UnreadableError(f"{self.name} cannot be read: its answer has no end")
        return rows

    @contextmanager
    def moment(self) -> Iterator[None]:
        """A transaction whose queries all see one state of the database; make it short."""
        self._execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield
        finally:
            if not self._connection.closed:
                self._execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection."""
        self._patience.stop()
        self._connection.close()

    def _execute(self, statement: str) -> None:
        with self._waiting():
            self._connection.execute(statement.encode())

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Wait for the server as long as a statement may take, and a little longer."""
        try:
            with self._patience.for_seconds(None if self._seconds is None else self._seconds + GRACE_SECONDS):
                yield
        except self._psycopg.errors.QueryCanceled:
            raise self._too_long() from None
        except self._psycopg.Error as error:
            if self._patience.is_over:
                raise self._too_long() from None
            raise self._unreadable(error, "cannot be read") from None

    def _too_long(self) -> UnreadableError:
        return UnreadableError(
            f"{self.name} cannot be read: the server had no answer after {self._seconds or 0:g} s; "
            "options=-c%20statement_timeout%3D1h in its URL waits for an hour"
        )

    def _unreadable(self, error: Exception, what: str) -> UnreadableError:
        text = " ".join(str(error).split())
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return UnreadableError(f"{self.name} {what}: {text[:300]}")


class _Patience:
    """Hangs up on a server that does not answer in time: ``statement_timeout`` is a request that it may ignore."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._until: float | None = None
        self._stopped = threading.Event()
        self.is_over = False
        """Whether it hung up."""
        threading.Thread(target=self._watch, name="flightlog-postgres", daemon=True).start()

    @contextmanager
    def for_seconds(self, seconds: float | None) -> Iterator[None]:
        """A block that may take so long."""
        self._until = None if seconds is None else time.monotonic() + seconds
        try:
            yield
        finally:
            self._until = None

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(_LOOK_SECONDS):
            until = self._until
            if until is not None and time.monotonic() > until:
                self.is_over = True
                # The thread that waits for the server then finds the connection closed.
                with suppress(OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as line:
                    line.shutdown(socket.SHUT_RDWR)


def _without_password(url: str) -> tuple[str, list[str], str]:
    """The URL as it may be shown, the texts that must not be, and the options in it or in the environment."""
    from urllib.parse import unquote, urlsplit

    import psycopg

    try:
        parts = psycopg.conninfo.conninfo_to_dict(url)
        if _is_ambiguous(url):
            raise UnicodeError
    except (psycopg.Error, UnicodeError):
        try:
            password = urlsplit(url).password or ""
        except ValueError:
            password = ""
        return "the Postgres URL", [text for text in (url, password, unquote(password)) if text], ""
    password = str(parts.get("password") or "")
    user = f"{parts['user']}@" if parts.get("user") else ""
    place = str(parts.get("host") or parts.get("hostaddr") or "")
    if place.startswith("/"):  # a folder of sockets
        place, query = "", f"?host={place}"
    else:
        query = ""
    port = f":{parts['port']}" if parts.get("port") else ""
    secrets = [text for text in (password, urlsplit(url).password or "", str(parts.get("sslpassword") or "")) if text]
    options = str(parts.get("options") or os.environ.get("PGOPTIONS", ""))
    return f"postgresql://{user}{place}{port}/{parts.get('dbname') or ''}{query}", secrets, options


def _is_ambiguous(url: str) -> bool:
    """Whether what may be meant as a password holds a character that ends it."""
    userinfo, at, _ = url.partition("://")[2].rpartition("@")
    password = userinfo.partition(":")[2]
    return bool(at) and any(character in password for character in "@/")
