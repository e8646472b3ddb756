"""`python -m flightlog_samples [NAMES...]`: record samples into one folder, or list them."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from flightlog.errors import UsageError
from flightlog.streams import drop_output
from flightlog_samples.catalogue import DEFAULT, SAMPLES, Sample, select
from flightlog_samples.recording import DEFAULT_OUT, record


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0, or 2 with a sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m flightlog_samples", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"samples, or all (default: {' '.join(DEFAULT)})")
    parser.add_argument("--out", type=Path, default=Path(DEFAULT_OUT), help="folder to record into")
    parser.add_argument("--list", action="store_true", help="name the samples and what each shows")
    options = parser.parse_args(argv)
    if options.list:
        for sample in SAMPLES:
            _say(f"{sample.name:<18} {sample.shows}")
        return 0
    try:
        samples = select(options.names)
    except UsageError as error:
        print(f"flightlog: {error}", file=sys.stderr)
        return 2
    return record(options.out, [partial(_announced, sample) for sample in samples])


def _announced(sample: Sample, out: Path) -> None:
    _say(f"-- {sample.name}: {sample.shows}")
    sample.story()(out)


def _say(text: str) -> None:
    try:
        print(text, flush=True)
    except OSError:  # the reader (`| head`) has left, or the disk is full: what is recorded is the same
        drop_output()


if __name__ == "__main__":
    sys.exit(main())
