"""Where spans stand on the line of time."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from flightlog_viewer.analysis import timeline
from flightlog_viewer.analysis.timeline import Interval
from flightlog_viewer.analysis.tree import SpanRow, build


def row(i: int, parent: int | None, start_ms: int, took_ms: float | None, status: str = "ok") -> SpanRow:
    above = None if parent is None else f"r{parent}"
    return SpanRow(i, f"r{i}", above, "tool", None, f"n{i}", status, start_ms * 1000, took_ms)


def test_a_bar_is_at_least_one_column_and_inside_the_line() -> None:
    """A span too short for a column still shows."""
    line = timeline.axis(Interval(0, 1_000_000), 40)
    assert line.bar(999_999, 1_000_000) == (39, 40)
    assert line.bar(500_100, 500_200) == (20, 21)
    assert line.bar(0, 1_000_000) == (0, 40)
    assert line.bar(2_000_000, 3_000_000) is None


def test_what_only_touches_the_window_is_in_it() -> None:
    """A span that ends where the window begins, or begins where it ends, stands at the edge."""
    line = timeline.axis(Interval(0, 1_000_000), 40)
    assert (line.bar(-500, 0), line.bar(1_000_000, 1_000_500)) == ((0, 1), (39, 40))
    assert (line.bar(-500, -1), line.bar(1_000_001, 1_000_500)) == (None, None)


def test_short_work_within_long_work_leaves_no_gap() -> None:
    """Nothing is idle until all that has begun has ended."""
    busy = [Interval(0, 400), Interval(10, 20), Interval(900, 1000)]
    assert timeline.idle(busy, Interval(0, 1000)) == [Interval(400, 900)]
    assert timeline.idle([], Interval(0, 1000)) == [Interval(0, 1000)]
    assert timeline.idle([Interval(-50, 2000)], Interval(0, 1000)) == []


def test_a_long_idle_stretch_collapses() -> None:
    """A night without work takes three columns, and the work around it the rest."""
    work = [Interval(0, 10), Interval(990, 1000)]
    line = timeline.axis(Interval(0, 1000), 60, work)
    assert line.gaps == (Interval(10, 990),)
    assert line.column(990) - line.column(10) == timeline.IDLE_COLUMNS
    assert line.column(1000) == 60
    assert line.gap_columns() == [30]


def test_only_the_longest_idle_stretches_collapse() -> None:
    """At most five do, and none at all where there are too few columns for them."""
    starts = [0]
    for gap in (100, 120, 140, 160, 180, 200):
        starts.append(starts[-1] + gap)
    work = [Interval(start, start + 1) for start in starts]
    window = Interval(0, starts[-1] + 1)
    longest = tuple(Interval(a + 1, b) for a, b in pairwise(starts))[1:]
    assert timeline.axis(window, 60, work).gaps == longest
    assert timeline.axis(window, 30, work).gaps == ()


def test_what_is_idle_at_the_ends_collapses_too() -> None:
    """A window that begins and ends in a gap has its work between two times three columns."""
    line = timeline.axis(Interval(0, 1000), 60, [Interval(400, 600)])
    assert line.gaps == (Interval(0, 400), Interval(600, 1000))
    assert [line.column(time) for time in (0, 400, 600, 1000)] == [0, 3, 57, 60]
    assert [line.time(column) for column in (0, 3, 30, 57, 60)] == [0, 400, 500, 600, 1000]
    assert line.gap_columns() == [1, 58]


def test_a_short_idle_stretch_stays() -> None:
    """What is idle for no more than a tenth of the window is drawn as long as it is."""
    assert timeline.axis(Interval(0, 1000), 60, [Interval(0, 450), Interval(550, 1000)]).gaps == ()
    assert timeline.axis(Interval(0, 1000), 60, [Interval(0, 450), Interval(551, 1000)]).gaps == (Interval(450, 551),)


def test_no_columns_draw_nothing() -> None:
    """Without room there is neither a bar nor a minimap."""
    assert timeline.axis(Interval(0, 10), 0).bar(0, 10) is None
    assert timeline.minimap(timeline.measure(build([row(0, None, 0, 1)]), 0), 0) == ([], [])
    assert timeline.measure(build([]), 0).busy == []


def test_time_and_column_are_inverse() -> None:
    """The time under the column of a time is that time."""
    line = timeline.axis(Interval(0, 1000), 60, [Interval(0, 400), Interval(900, 1000)])
    for time in (0, 100, 399, 950, 1000):
        assert abs(line.time(line.column(time)) - time) <= 1


def test_the_critical_path_goes_back_through_who_finished_last() -> None:
    """A short span beside a long one is not on the path; what ran before the long one is."""
    rows = [row(0, None, 0, 100), row(1, 0, 0, 40), row(2, 0, 5, 10), row(3, 0, 40, 60)]
    assert timeline.critical_path(build(rows)) == {0, 1, 3}


def test_the_critical_path_bears_with_clocks() -> None:
    """A span that seems to end just after the next began is on the path; one that ran on for long is not."""
    nearly = [row(0, None, 0, 100), row(1, 0, 0, 60.5), row(2, 0, 60, 40)]
    assert timeline.critical_path(build(nearly)) == {0, 1, 2}
    beside = [row(0, None, 0, 100), row(1, 0, 0, 62), row(2, 0, 60, 40)]
    assert timeline.critical_path(build(beside)) == {0, 2}


def test_the_critical_path_goes_down_through_groups() -> None:
    """Of like siblings under one heading the last to end is on the path, and what it called."""
    alike = [row(i, 0, 10 * i, 5)._replace(name="same") for i in (1, 2, 3)]
    rows = [row(0, None, 0, 100), *alike, row(4, 0, 40, 10), row(5, 3, 31, 2)]
    assert timeline.critical_path(build(rows)) == {0, 1, 2, 3, 4, 5}


def test_orphans_are_not_on_the_critical_path() -> None:
    """The path is that of the last root to end, not of spans without a parent in the file."""
    assert timeline.critical_path(build([row(0, None, 0, 100), row(1, None, 20, 90), row(2, 99, 500, 10)])) == {1}


def test_the_minimap_counts_leaves_and_marks_failures() -> None:
    """Where two leaves overlap the count is two; where one failed, the column says so."""
    outline = build([row(0, None, 0, 100), row(1, 0, 0, 60), row(2, 0, 50, 50, "error")])
    counts, failed = timeline.minimap(timeline.measure(outline, 0), 10)
    assert counts == [1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    assert failed == [False] * 5 + [True] * 5


def test_ticks_are_round() -> None:
    """The ruler shows round times that fit."""
    assert timeline.axis(Interval(0, 8_400_000), 60).ticks(4)[:3] == [(0, 0.0), (35, 5000.0)]
    assert [at for _, at in timeline.axis(Interval(0, 1_000_000), 60).ticks(5)] == [0, 200, 400, 600, 800, 1000]
    assert timeline.axis(Interval(7, 7), 60).ticks(4) == [(0, 0.0), (60, 0.001)]


def test_an_unended_span_counts_to_the_end_of_the_window() -> None:
    """A running span is busy until now."""
    outline = build([row(0, None, 0, 10), row(1, 0, 2, None, "running")])
    spread = timeline.measure(outline, 99_000)
    assert spread.whole == Interval(0, 99_000)
    assert spread.busy == [Interval(2000, 99_000)]


def test_a_dead_process_does_not_run_on() -> None:
    """Where a process died the trace ends with the last that is known of it, however long ago that is."""
    outline = build([row(0, None, 0, None, "unfinished"), row(1, 0, 2, 3), row(2, 0, 6, None, "unfinished")])
    assert timeline.measure(outline, 99_000).whole == Interval(0, 6000)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), min_size=1, max_size=8))
def test_busy_is_when_at_least_one_leaf_works(spans: list[tuple[int, int]]) -> None:
    """Every moment in which a leaf runs is busy, and no other."""
    rows = [row(0, None, 0, 100), *(row(i + 1, 0, start, took) for i, (start, took) in enumerate(spans))]
    busy = timeline.measure(build(rows), 0).busy
    covered = {ms for start, end in busy for ms in range(start // 1000, end // 1000)}
    assert covered == {ms for start, took in spans for ms in range(start, start + took)}
    assert all(one.end < next_one.start for one, next_one in pairwise(busy))


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 5_000)), min_size=1, max_size=12),
    st.integers(1, 200),
)
def test_columns_grow_with_time(spans: list[tuple[int, int]], width: int) -> None:
    """Whatever collapses, a later time never stands to the left of an earlier one."""
    busy = [Interval(start, start + took) for start, took in spans]
    window = Interval(min(b.start for b in busy), max(max(b.end for b in busy), 1))
    line = timeline.axis(window, width, busy)
    columns = [line.column(t) for t in range(window.start, window.end + 1, max(1, (window.end - window.start) // 50))]
    assert columns == sorted(columns)
    assert all(0 <= column <= width for column in columns)


@given(st.floats(0.01, 100), st.integers(0, 1000))
def test_zoom_stays_inside_the_trace(factor: float, centre: int) -> None:
    """Zooming in and out never leaves the trace."""
    whole = Interval(0, 1000)
    inside = timeline.zoomed(Interval(200, 600), whole, factor, centre)
    assert whole.start <= inside.start < inside.end <= whole.end


def test_a_window_moves_and_zooms_to_the_edges_and_no_further() -> None:
    """Zooming keeps what is under the cursor where it is; ten microseconds are the least, the whole the most."""
    whole = Interval(0, 1000)
    assert timeline.zoomed(Interval(200, 600), whole, 0.5, 300) == (250, 450)
    assert timeline.zoomed(Interval(200, 600), whole, 0.001, 300) == (298, 308)
    assert timeline.zoomed(Interval(200, 600), whole, 9, 300) == whole
    assert timeline.shifted(Interval(200, 600), whole, -300) == (0, 400)
    assert timeline.shifted(Interval(200, 600), whole, 500) == (600, 1000)
    assert timeline.shifted(Interval(200, 600), whole, 5) == (205, 605)
