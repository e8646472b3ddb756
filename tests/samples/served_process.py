"""A sample's service in a process of its own, which can be killed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def service_process(name: str, out: Path, *options: str) -> Iterator[str]:
    """Serve `flightlog_samples.NAME` over the files in `out`, give its URL, and kill it without warning at the end."""
    command = [sys.executable, "-m", f"flightlog_samples.{name}", "--serve", "--port", "0", "--out", str(out), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("listening on "), line
            yield line.removeprefix("listening on ").strip()
        finally:
            process.kill()
            process.wait(30)
