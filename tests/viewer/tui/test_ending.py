"""The end of a viewer that is told to go, as a real process with a real terminal."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.viewer.tui.driving import application
from tests.viewer.tui.recordings import support_file

pytestmark = pytest.mark.uncounted

TOLD_AT = """
import signal, sys

from flightlog_viewer.tui.app import FlightlogApp

moment = sys.argv.pop(1)
usual = getattr(FlightlogApp, moment)

def told(self, *arguments):
    signal.raise_signal(signal.SIGTERM)
    return usual(self, *arguments)

setattr(FlightlogApp, moment, told)
from flightlog.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("moment", ["get_driver_class", "on_mount", "start_load", "_progress"])
def test_a_signal_at_any_moment_ends_the_viewer(moment: str, tmp_path: Path, home: Path) -> None:
    """It gives the terminal back, says so by its status, and leaves no thread that keeps it."""
    spans = support_file(tmp_path / "support.jsonl", 3, failing=())
    ours, its = os.openpty()
    command = [sys.executable, "-c", TOLD_AT, moment, "view", str(spans), "--no-cache"]
    environment = {**os.environ, "HOME": str(home), "TERM": "xterm-256color"}
    shown = b""
    with subprocess.Popen(
        command, stdin=its, stdout=its, stderr=its, start_new_session=True, env=environment
    ) as viewer:
        os.close(its)
        try:
            while part := _read(ours):
                shown += part
            assert viewer.wait(timeout=60) == 128 + signal.SIGTERM
        finally:
            viewer.kill()
            os.close(ours)
    assert shown.count(b"[?1049h") == shown.count(b"[?1049l")
    assert b"Traceback" not in shown


async def test_a_load_may_outlive_the_viewer(tmp_path: Path) -> None:
    """It goes on in its thread for a moment after the screens have gone, and says how far it is to nobody."""
    app = application([support_file(tmp_path / "support.jsonl", 3, failing=())])
    async with app.run_test():
        pass
    try:
        app._progress(1, 2, 3)
    finally:
        app.session.close()


def _read(terminal: int) -> bytes:
    """What the other side wrote; nothing once it has ended."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""
