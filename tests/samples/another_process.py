"""Python code run in a process of its own."""

import subprocess
import sys
import textwrap


def python(code: str, *arguments: str) -> list[str]:
    """Run the code and return the lines it printed; its failure is the test's."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
