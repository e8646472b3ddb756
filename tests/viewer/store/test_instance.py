"""What an instance of DuckDB takes of the machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flightlog_viewer.store import instance

GROUPS = Path("/sys/fs/cgroup/memory")
"""Control groups for memory, of the first version."""


@pytest.mark.skipif(not os.access(GROUPS, os.W_OK), reason="no control group can be made")
def test_a_container_has_less_memory_than_its_machine(tmp_path: Path) -> None:
    """Half of what the control group may have is taken, and not of what the machine has."""
    group = GROUPS / f"flightlog-test-{os.getpid()}"
    group.mkdir()
    program = "from flightlog_viewer.store.instance import connect, memory_limit; print(memory_limit(connect()))"
    try:
        (group / "memory.limit_in_bytes").write_text(str(300 << 20))
        inside = f'echo $$ > "$1"; exec "$2" -c "{program}"'
        command = ["sh", "-c", inside, "sh", str(group / "cgroup.procs"), sys.executable]
        assert float(subprocess.run(command, check=True, capture_output=True, text=True).stdout) == 150 << 20
    finally:
        group.rmdir()


@pytest.mark.parametrize(("memory", "threads"), [(50, 1), (256, 2), (4096, 16)])
def test_where_there_is_little_memory_fewer_threads_work(
    memory: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each thread reads with 32 MB of its own: sixteen of them would leave nothing of a small container's."""
    monkeypatch.setattr(instance, "MOST_BYTES", memory << 20)
    with instance.connect(threads=16, memory_limit="8GB") as connection:
        assert connection.execute("SELECT current_setting('threads')").fetchall() == [(threads,)]
