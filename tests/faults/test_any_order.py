"""Writers, readers and outside hands in any order: a state machine finds orders that nobody thought of."""

import contextlib
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from flightlog import read_open_spans
from flightlog.rotation import rotated_files
from flightlog.sidecars import sidecars
from flightlog.writing.span_file import SpanFile
from tests.faults.lines import line, numbers

WRITERS = st.integers(0, 2)


class Hands(RuleBasedStateMachine):
    """Three writers of one path (one of them rotates it), and what can be done to the path from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="flightlog-"))
        self.path = self.folder / "logs" / "trace.jsonl"
        self.files = [SpanFile(self.path), SpanFile(self.path, max_bytes=900), SpanFile(self.path)]
        self.seq = 0
        self.moved: list[Path] = []
        self.promised: set[int] = set()
        self.written: set[tuple[str | None, int | None]] = set()
        self.in_flight: dict[int, int] = {}

    def teardown(self) -> None:
        for file in self.files:
            file.close()
        assert list(self.folder.rglob("*.open")) == []
        shutil.rmtree(self.folder)

    @rule(writer=WRITERS, size=st.sampled_from([0, 300, 2000]))
    def write(self, writer: int, size: int) -> None:
        self.seq += 1
        assert self.files[writer].write(line(self.seq, size=size))
        self.promised.add(self.seq)

    @rule(writer=WRITERS)
    def start(self, writer: int) -> None:
        self.seq += 1
        self.files[writer].open_span(self.seq, line(self.seq))
        self.in_flight[self.seq] = writer

    @rule(in_file=st.booleans(), which=st.integers(0, 9))
    def end(self, in_file: bool, which: int) -> None:
        if self.in_flight:
            seq = sorted(self.in_flight, reverse=True)[which % len(self.in_flight)]
            writer = self.in_flight.pop(seq)
            if in_file:
                assert self.files[writer].write(line(seq))
                self.promised.add(seq)
                self.written.add(("w", seq))
            self.files[writer].close_span(seq, in_file=in_file)

    @rule(writer=WRITERS)
    def close(self, writer: int) -> None:
        self.files[writer].close()
        for seq in [seq for seq, owner in self.in_flight.items() if owner == writer]:
            del self.in_flight[seq]

    @rule(writer=WRITERS)
    def reopen(self, writer: int) -> None:
        self.close(writer)
        self.files[writer] = SpanFile(self.path, max_bytes=900 if writer == 1 else None)

    @rule(cut=st.integers(1, 200))
    def neighbour_is_killed(self, cut: int) -> None:
        with contextlib.suppress(FileNotFoundError), self.path.open("ab") as file:
            file.write(line(10**9)[:-cut])

    @rule()
    def rename(self) -> None:
        if self.path.exists():
            self.moved.append(self.path.rename(self.folder / f"moved-{len(self.moved)}.jsonl"))

    @rule()
    def delete(self) -> None:
        self.promised -= set(self.found(self.path)) - self.found_elsewhere()
        self.path.unlink(missing_ok=True)

    @rule()
    def delete_folder(self) -> None:
        elsewhere = {number for file in self.moved for number in numbers(file)}
        self.promised &= elsewhere
        shutil.rmtree(self.path.parent, ignore_errors=True)

    @rule()
    def truncate(self) -> None:
        self.promised -= set(self.found(self.path)) - self.found_elsewhere()
        if self.path.exists():
            self.path.write_bytes(b"")

    @rule()
    def truncate_sidecars(self) -> None:
        for sidecar in sidecars(self.path):
            sidecar.write_bytes(b"")

    def found(self, path: Path) -> list[int]:
        if not path.exists():
            return []
        copy = self.folder / "alone.jsonl"  # a name without rotated files
        shutil.copy(path, copy)
        return numbers(copy)

    def found_elsewhere(self) -> set[int]:
        return {number for file in (*self.moved, *rotated_files(self.path)) for number in self.found(file)}

    @invariant()
    def nothing_promised_is_missing(self) -> None:
        assert self.promised <= self.found_elsewhere() | set(self.found(self.path))

    @invariant()
    def what_is_shown_in_flight_is(self) -> None:
        shown = {one.span.seq for one in read_open_spans(self.path, self.written)}
        assert shown <= set(self.in_flight)

    @invariant()
    def counts_add_up(self) -> None:
        assert all(file.stats()["lost"] == 0 for file in self.files)


def run_machine(examples: int) -> None:
    options = settings(max_examples=examples, stateful_step_count=40, database=None)
    run_state_machine_as_test(Hands, settings=options)


def test_any_order_of_hands() -> None:
    """Nothing that was acknowledged is missing, whatever is done to the path in whatever order."""
    run_machine(15)


@pytest.mark.soak
def test_many_orders_of_hands() -> None:
    """The same over many more orders."""
    run_machine(400)
