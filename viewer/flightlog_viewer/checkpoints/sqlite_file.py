"""Opens a SQLite file, whatever state it is in, without changing a byte of it; says in one sentence what is wrong."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flightlog.errors import UnreadableError
from flightlog_viewer.databases import SQLITE
from flightlog_viewer.file_head import head_of

_BESIDE = ("-journal", "-wal", "-shm")
"""What SQLite opens beside a database."""
BUSY_SECONDS = 5.0
"""How long a lock of another program is waited for."""


class DamagedError(UnreadableError):
    """Pages of the database are broken; others may be whole."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name} is damaged: {detail}")
        self.detail = detail
        """SQLite's own words."""


class SqliteFile:
    """An open SQLite file. Not for use by two threads at once."""

    def __init__(self, path: Path) -> None:
        """Raises UnreadableError, in one sentence, for what cannot be opened."""
        self.name = str(path)
        self._path = path
        _check_header(path)
        self.damage: DamagedError | None = None
        """What was wrong when the file was opened; some of it can be read nevertheless."""
        self.connection = self._open()

    def one(self, query: str, parameters: Sequence[object]) -> tuple[Any, ...] | None:
        """The first row of a query."""
        rows = self.all(query, parameters)
        return rows[0] if rows else None

    def all(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query. Raises UnreadableError, DamagedError where pages are broken."""
        try:
            return self.connection.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            if "decode to UTF-8" not in str(error):
                raise self._unreadable(error) from error
        self.read_any_text()
        return self.all(query, parameters)

    def read_any_text(self) -> None:
        """From here on text that is no UTF-8 is shown as well as it can be, and not raised; that is slower."""
        self.connection.text_factory = lambda data: data.decode("utf-8", "replace")

    @contextlib.contextmanager
    def moment(self) -> Iterator[None]:
        """A transaction whose queries all see one state of the database; make it short."""
        self.all("BEGIN")
        try:
            yield
        finally:
            self.connection.rollback()

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect("mode=ro")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname == "SQLITE_READONLY_ROLLBACK":  # read as it is, it would show what never was
                raise UnreadableError(
                    f"{self.name} holds an unfinished transaction of a program that died, which only a program that "
                    f"may write can undo: copy it and {self._path.name}-journal, open the copy with sqlite3 once, and "
                    "give the copy"
                ) from error
            # A cleanly closed write-ahead-log database in a folder that we cannot write to: SQLite would have to make
            # its shared-memory file. Nobody has it open for writing, or a -wal file were there.
            if "locked" in str(error) or Path(f"{self._path}-wal").exists():
                raise self._unreadable(error) from error
            try:
                return self._connect("mode=ro&immutable=1")
            except sqlite3.DatabaseError as again:
                raise self._unreadable(again) from again
        except sqlite3.Error as error:
            problem = self._unreadable(error)
            if not isinstance(problem, DamagedError):
                raise problem from error
            try:
                connection = self._connect("mode=ro", cut=True)
            except sqlite3.Error:
                raise problem from error
            self.damage = problem
            return connection

    def _connect(self, options: str, *, cut: bool = False) -> sqlite3.Connection:
        address = f"file:{quote(str(self._path.absolute()))}?{options}"
        connection = sqlite3.connect(
            address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            if cut:  # SQLite opens a file that is shorter than its header says in this mode only; nothing is written
                connection.execute("PRAGMA writable_schema = ON")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except UnicodeDecodeError as error:  # of SQLite's own message, which quotes a broken schema
            connection.close()
            raise sqlite3.DatabaseError(error.object.decode("utf-8", "backslashreplace")) from None
        except BaseException:
            connection.close()
            raise
        return connection

    def _unreadable(self, error: sqlite3.Error) -> UnreadableError:
        text = str(error)
        if "locked" in text:
            return UnreadableError(f"{self.name} is locked by another program: try again")
        if "malformed" in text or "not a database" in text or "disk I/O" in text:
            return DamagedError(self.name, text)
        return UnreadableError(f"{self.name} cannot be read: {text}")


def _check_header(path: Path) -> None:
    try:
        if path.is_dir():
            raise UnreadableError(f"{path} is a folder: name the database file in it")
        for file in (path, *(path.with_name(path.name + end) for end in _BESIDE)):
            if file.exists() and not file.is_file():  # a pipe would be waited for
                raise UnreadableError(f"{file} is not a regular file, as a database is")
        head = head_of(path, len(SQLITE))
    except FileNotFoundError:
        raise UnreadableError(f"{path} does not exist") from None
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}") from error
    if not head:
        raise UnreadableError(f"{path} is empty: no checkpoint has been written to it")
    if head != SQLITE:
        raise UnreadableError(f"{path} is not a SQLite database")
