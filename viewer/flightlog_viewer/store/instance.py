"""DuckDB instances that leave room for others: in a container, what the kernel ends for too much may be the agent."""

from typing import Any, Final

import duckdb

from flightlog.errors import FlightlogError

MOST_BYTES: Final = 4 << 30
_BYTES_PER_THREAD: Final = 96 << 20
"""What a thread of DuckDB may need: its reader of JSON takes 32 MB for the text alone."""
_LEAST_ADDRESSES: Final = 1_000_000_000
"""Bytes of address space. With less, a library of ours ends the process by a segmentation fault, without a word."""
_UNITS: Final = {"bytes": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40, "PiB": 50}


def connect(**config: Any) -> duckdb.DuckDBPyConnection:
    """An empty instance in memory. It takes half of what there is, 4 GiB at most, and writes nothing beside it. Its
    clock is UTC, as our times are. Where there is little memory, fewer threads work than there are processors.

    What there is, is the machine's or what the control group of the process may have, as DuckDB finds out. Raises
    FlightlogError when a limit of the process leaves too little for anything.
    """
    _check_addresses()
    # Without a folder for what does not fit, it would be .tmp wherever we are.
    options = {"memory_limit": "50%", "temp_directory": "", **config}
    connection = duckdb.connect(":memory:", config=options)
    # DuckDB would take a TIMESTAMP that is compared with now() for the local time of the machine.
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    limit = memory_limit(connection)
    if limit > MOST_BYTES:
        limit = MOST_BYTES
        connection.execute(f"SET memory_limit = '{MOST_BYTES >> 20}MiB'")
    ((threads,),) = connection.execute("SELECT current_setting('threads')").fetchall()
    if threads > (most := max(1, int(limit) // _BYTES_PER_THREAD)):
        connection.execute(f"SET threads = {most}")
    return connection


def memory_limit(connection: duckdb.DuckDBPyConnection) -> float:
    """What an instance may take, in bytes."""
    ((text,),) = connection.execute("SELECT current_setting('memory_limit')").fetchall()
    amount, unit = text.split()
    return float(amount) * 2.0 ** _UNITS[unit]


def _check_addresses() -> None:
    try:
        import resource
    except ImportError:
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < _LEAST_ADDRESSES:
        raise FlightlogError(f"`ulimit -v` leaves a process {limit / 1e6:.0f} MB here: this takes more than 1,000")
