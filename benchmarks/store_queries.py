"""A loaded store: opening it again from the cache, growth, single payloads, percentiles, payload filters, memory.

Figures are medians of one run, beside what importing DuckDB costs in it. ``--memory`` adds loads of 100k, 1M and 5M
spans in processes of their own, with their peak memory and time per span; it makes a 5M file (4.7 GB) for it.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

MEASURE = """
import json, resource, sys, time
import duckdb, numpy, pyarrow
from flightlog_viewer import open_store
begin = time.perf_counter()
with open_store(sys.argv[1], cache=False) as store:
    count, took = store.span_count, time.perf_counter() - begin
    store.query("summary", by="model")
print(json.dumps([count, took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def main() -> None:
    """Print the figures and their bars."""
    from benchmarks.make_spans import spans_file

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true")
    given = parser.parse_args()
    original = spans_file(given.count)
    folder = Path(tempfile.mkdtemp(prefix="flightlog-bench-", dir=original.parent))
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    try:
        # A copy of its own, because it grows.
        path = Path(shutil.copy(original, folder / "spans.jsonl"))
        print(f"{given.count:,} spans, {path.stat().st_size / 1e9:.2f} GB, medians of {given.rounds}")
        reopening(path, given.rounds)
        queries(path, given.rounds)
        growth(path, given.rounds)
        if given.memory:
            memory(spans_file)
    finally:
        shutil.rmtree(folder)


def reopening(path: Path, rounds: int) -> None:
    """The command from the cache, beyond the imports."""
    command = [sys.executable, "-m", "flightlog", "summary", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    imports = [sys.executable, "-c", "import duckdb"]
    taken = timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL), rounds)
    base = timed(lambda: subprocess.run(imports, check=True), rounds)
    print(f"summary from the cache: {taken:.2f} s, {taken - base:.2f} s beyond importing duckdb; bar 0.5 s")


def queries(path: Path, rounds: int) -> None:
    """Asking an open store."""
    from flightlog_viewer import open_store

    by_model = (
        "SELECT model, quantile_cont(duration_ms, [0.5, 0.95, 0.99]) FROM spans WHERE type = 'llm' GROUP BY model"
    )
    some = "name IN ('search', 'refund') AND row_id < 900000"
    with open_store(path) as store:
        ids = iter(range(0, store.span_count, store.span_count // (rounds + 1)))
        one = timed(lambda: store.payload(next(ids)), rounds)
        print(f"one payload by id: {one * 1000:.1f} ms; bar 50 ms")
        print(f"percentiles by model: {timed(lambda: store.sql(by_model).fetchall(), rounds):.3f} s; bar 0.3 s")
        ((passing,),) = store.sql(f"SELECT count(*) FROM spans WHERE {some}").fetchall()
        text = f"SELECT count(*) FROM spans WHERE {some} AND output->>'content' LIKE '%zo%'"
        took = timed(lambda: store.sql(text).fetchall(), rounds)
        print(f"payload filter over {passing:,} spans: {took:.2f} s; bar 1 s for 50,000")


def growth(path: Path, rounds: int) -> None:
    """10 MB more, while the file is open."""
    from flightlog_viewer import open_store

    with path.open("rb") as file:
        block = file.read(10_000_000)
    block = block[: block.rindex(b"\n") + 1]
    taken = []
    with open_store(path) as store:
        for number in range(rounds):
            # Other records, or they would be duplicates.
            with path.open("ab") as file:
                file.write(block.replace(b'"writer_id":"5d1c', f'"writer_id":"{number:04}'.encode()))
            begin = time.perf_counter()
            rows = store.refresh()
            store.sql("SELECT max(row_id) FROM spans").fetchall()
            taken.append(time.perf_counter() - begin)
    print(f"10 MB appended ({rows:,} spans): visible after {statistics.median(taken):.2f} s; bar 0.3 s")


def memory(make: Callable[[int], Path]) -> None:
    """Peak memory and time by size, each load in a process of its own."""
    for count in (100_000, 1_000_000, 5_000_000):
        command = [sys.executable, "-c", MEASURE, str(make(count))]
        loaded, took, peak = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        print(f"{loaded:,} spans: {took / loaded * 1e6:.2f} us a span, peak {peak:.0f} MB; bar 1,500 MB at 5M")


def timed(task: Callable[[], object], rounds: int) -> float:
    """The median wall time, seconds."""
    taken = []
    for _ in range(rounds):
        begin = time.perf_counter()
        task()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
