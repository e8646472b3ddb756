"""Loading span files into the store, against a bare DuckDB ``read_json`` of the same light columns.

Everything is queryable when a load counts as done: payload places and rejects too; cache off. Runs alternate in one
process; the figures are medians and their ratio. ``--count`` and ``--rounds`` make it smaller.
"""

import argparse
import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> None:
    """Print the ratios."""
    from benchmarks.make_spans import spans_file

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    path = spans_file(given.count)
    hostile = spans_file(given.count, hostile=True)
    print(f"{given.count:,} spans, {path.stat().st_size / 1e9:.2f} GB, median of {given.rounds}, alternating")
    times = alternate(
        {
            "bare read_json": lambda: bare(path),
            "store": lambda: store(path),
            "summary command": lambda: summary(path),
            "import of duckdb": imports,
        },
        given.rounds,
    )
    base = times["bare read_json"]
    print(f"load: {times['store'] / base:.2f}x bare read_json ({times['store']:.2f} s); bar 1.5x, moonshot 1.25x")
    rest = times["summary command"] - 1.5 * base
    print(f"summary --no-cache: {times['summary command']:.2f} s, 1.5x bare {rest:+.2f} s; bar +1 s")
    times = alternate({"bare read_json": lambda: bare(hostile), "store": lambda: store(hostile)}, min(3, given.rounds))
    ratio = times["store"] / times["bare read_json"]
    print(f"hostile file: {ratio:.2f}x bare read_json ({times['store']:.2f} s); bar 5x")


def alternate(tasks: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """The median wall time of each, seconds."""
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            gc.collect()
            begin = time.perf_counter()
            task()
            taken[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in taken.items()}


def bare(path: Path) -> None:
    """DuckDB alone: the same columns, nothing checked, nothing found again."""
    import duckdb

    from flightlog_viewer.store.columns import LIGHT

    columns = "{" + ", ".join(f"'{c.name}': '{c.type}'" for c in LIGHT) + "}"
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            f"CREATE TABLE spans AS SELECT * FROM read_json('{path}', format = 'newline_delimited', "
            f"columns = {columns}, ignore_errors = true)"
        )


def store(path: Path) -> None:
    """The store, until rows, payloads and rejects can be asked for."""
    from flightlog_viewer import open_store

    with open_store(path, cache=False) as loaded:
        loaded.payload(loaded.span_count - 1)
        loaded.sql("SELECT count(*) FROM rejects").fetchall()


def summary(path: Path) -> None:
    """The command as a user runs it."""
    command = [sys.executable, "-m", "flightlog", "summary", "--no-cache", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def imports() -> None:
    """What a process that uses DuckDB pays before it does anything."""
    subprocess.run([sys.executable, "-c", "import duckdb, numpy, pyarrow"], check=True)


if __name__ == "__main__":
    main()
