"""Servers that do not answer, answer without end, or want no settings."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg
import pytest
from langgraph.checkpoint.postgres import PostgresSaver

from flightlog.errors import UnreadableError
from flightlog_viewer.checkpoints import open_source, postgres_session
from flightlog_viewer.cli.app import main
from tests.viewer.checkpoints.graphs import refunds, thread

Talk = Callable[[socket.socket], None]


def message(kind: bytes, body: bytes = b"") -> bytes:
    """One message of Postgres' protocol, version 3."""
    return kind + struct.pack("!I", len(body) + 4) + body


GREETING = message(b"R", struct.pack("!I", 0)) + message(b"Z", b"I")
COLUMN = message(b"T", struct.pack("!H", 1) + b"x\0" + struct.pack("!IhIhih", 0, 0, 25, -1, -1, 0))
ROW = message(b"D", struct.pack("!Hi", 1, 1000) + b"x" * 1000)


@contextmanager
def server(talk: Talk) -> Iterator[str]:
    """A server on loopback that says what ``talk`` says after a client has introduced itself; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listening.accept()
                    with client, suppress(OSError):
                        talk(client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"postgresql://127.0.0.1:{listening.getsockname()[1]}/agents?sslmode=disable&gssencmode=disable"
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def until_hung_up(client: socket.socket) -> None:
    client.settimeout(3)  # an exception that is looked at keeps its connection
    while client.recv(4096):
        pass


@pytest.mark.slow
def test_a_server_that_never_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes the connection and no more is given up, with a sentence."""
    monkeypatch.setattr(postgres_session, "CONNECT_SECONDS", 2)  # libpq takes no less
    with server(until_hung_up) as url, pytest.raises(UnreadableError, match=r"cannot be reached: .*timeout"):
        open_source(url)


def test_a_server_that_stops_speaking(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that answers no query is hung up on, with a sentence that says how to wait longer."""
    monkeypatch.setattr(postgres_session, "QUERY_SECONDS", 0.2)
    monkeypatch.setattr(postgres_session, "GRACE_SECONDS", 0.2)

    def talk(client: socket.socket) -> None:
        client.recv(4096)
        client.sendall(GREETING)
        until_hung_up(client)

    with server(talk) as url, pytest.raises(UnreadableError, match=r"no answer after 0\.2 s; .*statement_timeout"):
        open_source(url)


def test_a_server_whose_answer_has_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read as it comes, and left when it is more than any answer has."""
    monkeypatch.setattr(postgres_session, "MOST_BYTES", 1 << 20)
    sent = 0

    def talk(client: socket.socket) -> None:
        nonlocal sent
        client.recv(4096)
        client.sendall(GREETING)
        client.recv(4096)
        client.sendall(message(b"1") + message(b"2") + COLUMN)
        while True:
            client.sendall(ROW * 100)
            sent += 100 * len(ROW)

    with server(talk) as url, pytest.raises(UnreadableError, match="its answer has no end"):
        open_source(url)
    assert sent < 64 << 20


def test_a_statement_that_takes_too_long(postgres_database: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The server ends it, here because somebody has locked a table; the URL says after how long."""
    with PostgresSaver.from_conn_string(postgres_database) as saver:
        saver.setup()
    url = f"{postgres_database}&options=-c%20statement_timeout%3D150"
    with psycopg.connect(postgres_database) as other:
        other.execute("LOCK TABLE checkpoints")
        assert main(["threads", "--checkpoints", url]) == 2
    assert "cannot be read: the server had no answer after 0.15 s; " in capsys.readouterr().err
    assert main(["threads", "--checkpoints", url]) == 0


def test_the_session_only_reads(postgres_database: str) -> None:
    """Whatever settings its URL has, and with a bound for every statement."""
    with PostgresSaver.from_conn_string(postgres_database) as saver:
        saver.setup()
    url = f"{postgres_database}&options=-c%20default_transaction_read_only%3Doff%20-c%20work_mem%3D5MB"
    session = postgres_session.PostgresSession(url)
    try:
        settings = "SELECT current_setting('work_mem'), current_setting('statement_timeout')"
        assert session.all(settings) == [("5MB", "5min")]
        with pytest.raises(UnreadableError, match="read-only transaction"):
            session.all("CREATE TABLE mine (id int)")
    finally:
        session.close()


def test_a_pooler_that_takes_no_settings(postgres_database: str) -> None:
    """A session without them is asked for, and reads."""
    with PostgresSaver.from_conn_string(postgres_database) as saver:
        saver.setup()
        refunds().compile(checkpointer=saver).invoke({"amount": 3}, thread("t"))
    place = psycopg.conninfo.conninfo_to_dict(postgres_database)
    refusals = 0

    def talk(client: socket.socket) -> None:
        nonlocal refusals
        hello = client.recv(4096)
        if b"\0options\0" in hello:
            refusals += 1
            client.sendall(message(b"E", b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0"))
            return
        with socket.socket(socket.AF_UNIX) as behind:
            behind.connect(f"{place['host']}/.s.PGSQL.5432")
            behind.sendall(hello)
            back = threading.Thread(target=forward, args=(behind, client))
            back.start()
            forward(client, behind)
            back.join(10)

    with server(talk) as url, open_source(f"{url}&user=postgres".replace("/agents", f"/{place['dbname']}")) as source:
        assert [summary.thread_id for summary in source.threads()] == ["t"]
    assert refusals == 1


def forward(source: socket.socket, target: socket.socket) -> None:
    """Hand on what comes, to its end."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)
