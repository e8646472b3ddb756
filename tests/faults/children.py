"""Python children that a fault is done to."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def start(script: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    """Start a Python process that runs ``script`` and can import the tests' own modules."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(child: subprocess.Popen[str], *, seconds: float = 60) -> str:
    """What the child printed; fails when it did not exit with 0."""
    try:
        out, err = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        raise
    assert child.returncode == 0, err
    return out


def run(script: str, *arguments: object, seconds: float = 60, **environment: str) -> str:
    """Start a child and wait for it."""
    return finish(start(script, *arguments, **environment), seconds=seconds)
