"""`python -m flightlog_samples.support_desk [--postgres URL]`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from flightlog_samples.recording import DEFAULT_OUT, record
from flightlog_samples.support_desk.story import story_on


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0, or 2 with a sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m flightlog_samples.support_desk", description="Record this sample.")
    parser.add_argument("--out", type=Path, default=Path(DEFAULT_OUT), help="folder to record into")
    parser.add_argument("--postgres", metavar="URL", help="a server to use (default: one of its own while it runs)")
    options = parser.parse_args(argv)
    return record(options.out, [lambda out: story_on(out, options.postgres)])


if __name__ == "__main__":
    sys.exit(main())
