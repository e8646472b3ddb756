"""How quickly the viewer paints and answers, in a pseudo-terminal, beside an empty Textual application in the same run.

A key's time runs from the write of its bytes to the last byte that comes back; during the load paints of the progress
line alone do not count, which come ten times a second, key or no key. The key in which a load ends stands apart: what
is painted then is the list. Programs that run beside it make keys late, so it says how much of the machine they took.
``--count`` makes the file smaller.
"""

import argparse
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import orjson
import psutil  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from tests.viewer.tui.terminal import Terminal

LOADS = 3
"""One alone has too few keys for a 95th percentile."""
EMPTY = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    n = 0
    def compose(self):
        yield Static('ready', id='s')
    def on_key(self, event):
        self.n += 1
        self.query_one('#s').update('key %d' % self.n)
Empty().run()
"""
HEADLESS = """
import sys
from datetime import UTC
from flightlog_viewer.analysis.filter import compile_filter
from flightlog_viewer.tui.session import Session
session = Session(sys.argv[1:], cache=False)
session.load(lambda *progress: True)
spans = session.spans
for where, sort in ((None, 'start'), (None, 'duration'), (compile_filter('status:error', 'traces'), 'duration')):
    ids = spans.trace_ids(where, sort, True)
    spans.trace_summary(where)
    page = spans.trace_page(ids[:128].tolist())
spans.open_trace(page[int(ids[0])].trace_id, 0)
session.threads.approvals()
session.groups.figures('model', UTC, None)
session.cursors.tables()
session.cursors.sql('SELECT name, type, count(*), quantile_cont(duration_ms, 0.95) FROM spans GROUP BY ALL', 500)
print('ready', flush=True)
sys.stdin.read()
"""
"""Loads as the viewer does and asks what its screens ask, without drawing any."""


def main() -> None:
    """Print the figures."""
    from benchmarks.make_spans import FOLDER, spans_file
    from tests.viewer.tui.terminal import Terminal, flightlog

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--presses", type=int, default=60)
    given = parser.parse_args()
    path = spans_file(given.count)
    print(f"{given.count:,} spans, {path.stat().st_size / 1e9:.2f} GB, terminal of 120x40")
    print(f"{'':52} {'viewer':>9} {'empty app':>10}")
    home = tempfile.mkdtemp(prefix="flightlog-home-")
    env = {"HOME": home}
    # An installed package has its bytecode; so shall a checkout, whatever the environment says.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

    empty_paints, first_rows = [], []
    for _ in range(3):
        with Terminal([sys.executable, "-c", EMPTY], size=(120, 40), env=env) as terminal:
            empty_paints.append(terminal.wait_for("ready"))
        with Terminal(flightlog("view", str(path), "--no-cache"), size=(120, 40), env=env) as terminal:
            first_rows.append(terminal.wait_for("agent  "))
    row("first rows, s (bar: 0.3 over)", statistics.median(first_rows), statistics.median(empty_paints))

    with Terminal([sys.executable, "-c", EMPTY], size=(120, 40), env=env) as terminal:
        terminal.wait_for("ready")
        terminal.settle(0.5)
        empty_keys = presses(terminal, ["a"] * given.presses)
        empty_idle = idle(terminal.pid)
    loads = [while_loading(path, env) for _ in range(LOADS)]
    loading = [key for load in loads for key in load.keys]
    row(f"key while loading, p95 ms of {len(loading)} (bar: 50)", p95(loading), p95(empty_keys))
    row(f"... median of the p95 of {LOADS} loads", statistics.median(p95(load.keys) for load in loads))
    row("... in the first second, worst ms (bar: 50)", max(max(load.keys[:20]) for load in loads), max(empty_keys[:20]))
    row("... in which the load ends, ms with its paints", max(load.last for load in loads))
    row("... cores that other programs took meanwhile", max(load.others for load in loads))
    with Terminal(flightlog("view", str(path), "--no-cache"), size=(120, 40), env=env) as terminal:
        row("everything loaded, s", wait_loaded(terminal))
        terminal.settle(1.0)
        row("j, p95 ms (bar: 50)", p95(presses(terminal, ["j"] * given.presses)), p95(empty_keys))
        row("page down, p95 ms (bar: 50)", p95(presses(terminal, ["\x1b[6~"] * given.presses)), p95(empty_keys))
        row("to the end and back, p95 ms", p95(presses(terminal, ["G", "g"] * 10)), p95(empty_keys))
        row("sort by duration, ms (bar: 500)", timed(terminal, "s", "j\r"))
        row("filter status:error, ms (bar: 500)", timed(terminal, "/", "status:error\r"))
        terminal.send("\x1b")
        terminal.settle(1.0)
        row("idle, % of a core (bar: 1 over)", idle(terminal.pid), empty_idle)
        for keys in ("\r", "3", "4", "5", "6", "\x12", "\x1b", "1"):
            terminal.send(keys)
            terminal.settle(1.0)
        viewer_memory = psutil.Process(terminal.pid).memory_info().rss
    row("memory after a tour over the store's, MB (bar: 250)", (viewer_memory - store_memory(path, env)) / 1e6)

    large = big_trace(FOLDER / "trace-and-payload.jsonl")
    with Terminal(flightlog("view", str(large), "--no-cache"), size=(120, 40), env=env) as terminal:
        wait_loaded(terminal)
        terminal.settle(0.5)
        terminal.send("j")
        terminal.settle(0.4)
        row("100,000-span trace opens, ms (bar: 1000)", shows(terminal, "\r", b"100,000 spans"))
        terminal.settle(0.5)
        row(
            "scrolling in it, p95 ms (bar: 50)",
            p95(presses(terminal, ["\x1b[6~", "j"] * 20, quiet=0.03)),
            p95(empty_keys),
        )
    with Terminal(flightlog("view", str(large), "--no-cache"), size=(120, 40), env=env) as terminal:
        wait_loaded(terminal)
        terminal.settle(0.5)
        terminal.send("\r")
        terminal.settle(0.5)
        row("20 MB payload opens, ms (bar: 150)", shows(terminal, "j", b"lorem"), p95(empty_keys))


class Load(NamedTuple):
    """What pressing keys during one load showed."""

    keys: list[float]
    """Milliseconds of every key but the last."""
    last: float
    """Of the key in which the load ended."""
    others: float
    """Cores that were busy with other programs."""


def while_loading(path: Path, env: dict[str, str]) -> Load:
    """Press keys from the first rows until everything is loaded."""
    from tests.viewer.tui.terminal import Terminal, flightlog

    with Terminal(flightlog("view", str(path), "--no-cache"), size=(120, 40), env=env) as terminal:
        terminal.wait_for("agent  ")
        ours = [psutil.Process(), psutil.Process(terminal.pid)]
        begun, busy = time.monotonic(), machine_busy() - sum(map(process_busy, ours))
        # The progress line is painted ten times a second: a pause longer than that would never come.
        there_and_back, loaded = ["j", "k"] * 1000, lambda: " traces" in terminal.text()
        *keys, last = presses(terminal, there_and_back, until=loaded, quiet=0.05, counts=beyond_progress)
        busy = machine_busy() - sum(map(process_busy, ours)) - busy
        return Load(keys, last, busy / (time.monotonic() - begun))


def machine_busy() -> float:
    """CPU seconds that all programs together have used since the machine started."""
    times = psutil.cpu_times()
    return float(sum(times[:3]))


def process_busy(process: psutil.Process) -> float:
    """CPU seconds of one program."""
    times = process.cpu_times()
    return float(times.user + times.system)


def presses(
    terminal: "Terminal",
    keys: Sequence[str],
    until: Callable[[], bool] | None = None,
    quiet: float = 0.12,
    counts: Callable[[bytes], bool] = bool,
) -> list[float]:
    """Milliseconds to the last byte that counts, for each key; every key must have an effect."""
    found = []
    for key in keys:
        if until is not None and until():
            break
        terminal.send(key)
        found.append(terminal.settle(quiet, 5.0, counts, sure=True) * 1000)
    return found


def beyond_progress(data: bytes) -> bool:
    """Whether something is painted below the first line of the screen."""
    return any(int(line) > 1 for line in re.findall(rb"\x1b\[(\d+);\d+H", data))


def timed(terminal: "Terminal", before: str, keys: str) -> float:
    """Milliseconds to the last byte after ``keys``, with ``before`` typed first."""
    if before:
        terminal.send(before)
        terminal.settle(0.4)
    terminal.send(keys)
    return terminal.settle(1.0, 20.0) * 1000


def shows(terminal: "Terminal", keys: str, content: bytes) -> float:
    """Milliseconds from ``keys`` to the end of the paint in which ``content`` appears."""
    begun, seen = time.monotonic(), len(terminal.output)
    terminal.send(keys)
    while content not in terminal.output[seen:]:
        terminal.read(0.01)
        if time.monotonic() - begun > 20:
            raise TimeoutError(content.decode())
    return (time.monotonic() - begun + terminal.settle(0.03)) * 1000


def wait_loaded(terminal: "Terminal") -> float:
    """Seconds from the start until the counts are final."""
    while " traces" not in terminal.text():
        terminal.settle(0.2, 5.0)
        if time.monotonic() - terminal.started > 120:
            raise TimeoutError(terminal.text())
    return time.monotonic() - terminal.started


def idle(pid: int, seconds: float = 4.0) -> float:
    """CPU of a process that nobody touches, in percent of a core."""
    process = psutil.Process(pid)
    before = process.cpu_times()
    time.sleep(seconds)
    after = process.cpu_times()
    return float(after.user + after.system - before.user - before.system) / seconds * 100


def store_memory(path: Path, env: dict[str, str]) -> int:
    """Resident bytes of a process that has loaded the same file and answered the same questions, and draws nothing."""
    with psutil.Popen(
        [sys.executable, "-c", HEADLESS, str(path)], stdin=-1, stdout=-1, env={**os.environ, **env}
    ) as process:
        process.stdout.readline()
        used = int(process.memory_info().rss)
        process.stdin.close()
        process.wait()
    return used


def big_trace(path: Path) -> Path:
    """One trace of 100,000 spans, and a newer one whose second span carries 20 MB."""
    if not path.exists():
        from flightlog.span import Span

        start = 1_795_100_000_000_000_000
        with path.open("wb") as file:
            for i in range(100_000):
                parent = None if i == 0 else f"s{(i - 1) // 8}"
                span = Span(
                    type="chain" if i < 12_500 else "tool", name=f"step {i % 7}", run_id=f"s{i}", parent_run_id=parent,
                    trace_id="s0", start_ns=start + i * 10_000, duration_ms=1.0, status="ok",
                )  # fmt: skip
                file.write(span.to_json() + b"\n")
            text = "lorem ipsum dolor sit amet " * 750_000
            for run_id, parent, inputs in (("root", None, None), ("big", "root", {"document": text})):
                span = Span(
                    type="chain", name="large", run_id=run_id, parent_run_id=parent, trace_id="root",
                    start_ns=start + 10**12, duration_ms=1.0, status="ok", inputs=inputs,
                )  # fmt: skip
                file.write(orjson.dumps(span.to_record()) + b"\n")
    return path


def p95(values: Sequence[float]) -> float:
    """The value below which 95 % lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))] if ordered else float("nan")


def row(label: str, viewer: float, empty: float | None = None) -> None:
    """One line of the result."""
    print(f"{label:52} {viewer:9.2f} {'' if empty is None else f'{empty:10.2f}'}", flush=True)


if __name__ == "__main__":
    main()
