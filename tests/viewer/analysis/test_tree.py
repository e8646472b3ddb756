"""The outline of a trace, whatever its links look like."""

from hypothesis import given, settings
from hypothesis import strategies as st

from flightlog_viewer.analysis.tree import SpanRow, build


def row(
    i: int,
    parent: int | None,
    *,
    name: str = "n",
    type: str = "tool",
    kind: str | None = None,
    status: str = "ok",
    start: int | None = None,
) -> SpanRow:
    above = None if parent is None else f"r{parent}"
    return SpanRow(i, f"r{i}", above, type, kind, name, status, i if start is None else start, 1.0)


def test_children_stand_under_their_parent_by_start_time() -> None:
    """Children are ordered by when they started, not by the order of the file."""
    outline = build([row(0, None, start=0), row(1, 0, name="late", start=9), row(2, 0, name="early", start=3)])
    assert outline.children[0] == [2, 1]
    assert outline.order == [0, 2, 1]


def test_like_siblings_are_grouped() -> None:
    """Three or more like siblings in a row become one group, unless they are all there is."""
    rows = [row(0, None), *(row(i, 0, name="search") for i in range(1, 5)), row(5, 0, name="refund")]
    outline = build(rows)
    group = outline.children[0][0]
    assert not outline.is_span(group)
    assert outline.children[group] == [1, 2, 3, 4]
    assert group not in outline.everything_open()
    assert build(rows[:5]).children[0] == [1, 2, 3, 4]


def test_a_group_of_nodes_tells_which_tools_they_called() -> None:
    """Nodes that call tools in parallel have one name; the tools are named, each once, in the order of the calls."""
    rows = [row(0, None), *(row(i, 0, name="tools", type="chain", kind="node") for i in range(1, 5)), row(5, 0)]
    called = {1: "search", 2: "refund", 3: "search", 4: "search"}
    rows += [row(5 + i, i, name=name) for i, name in called.items()]
    rows.append(row(10, 2, name="route", type="chain", kind="edge"))
    outline = build(rows)
    group = outline.children[0][0]
    assert (outline.group_name(group), outline.tools_in(group)) == ("tools", ["search", "refund"])


def test_siblings_of_another_type_are_not_alike() -> None:
    """A tool and a model of one name stand apart."""
    types = ("tool", "llm", "tool", "tool", "retriever")
    rows = [row(0, None), *(row(i, 0, name="search", type=type) for i, type in enumerate(types, 1))]
    assert build(rows).children[0] == [1, 2, 3, 4, 5]


def test_the_nodes_of_middleware_are_one_row() -> None:
    """Those around a call of the model are grouped, but for one that asks, that failed or in which something ran."""
    names = [f"{name}.before_model" for name in ("Pii", "Limit", "Todo")]
    names += [
        "model",
        "Review.after_model",
        "Limit.after_model",
        "Pii.after_model",
        "Todo.before_agent",
        "Sum.before_model",
    ]
    statuses = {5: "interrupted", 8: "error"}
    rows = [row(0, None, type="chain", kind="graph")]
    for i, name in enumerate(names, 1):
        rows.append(row(i, 0, type="chain", kind="node", name=name, status=statuses.get(i, "ok")))
    rows += [row(10, 4, type="llm"), row(11, 9, type="llm")]
    outline = build(rows)
    group = outline.children[0][0]
    assert outline.children[0] == [group, 4, 5, 6, 7, 8, 9]
    assert (outline.children[group], outline.group_name(group)) == ([1, 2, 3], "middleware")
    assert group not in outline.everything_open()
    assert build([row(0, None), *(row(i, 0, name="a.after_model") for i in range(1, 4))]).children[0] == [1, 2, 3]


def test_orphans_stand_under_a_heading_by_start_time() -> None:
    """Spans whose parent is not in the file stand together below the rest."""
    outline = build([row(0, None), row(1, 99, start=8, name="a"), row(2, 98, start=4, name="b")])
    assert outline.orphans is not None
    assert outline.children[outline.orphans] == [2, 1]
    assert outline.roots == [0, outline.orphans]


def test_a_cycle_is_cut_once_and_said() -> None:
    """Two spans that name each other as parent are shown, and one of them is marked."""
    outline = build([row(0, 1), row(1, 0)])
    assert len(outline.cut) == 1
    assert sorted(outline.order) == [0, 1]


def test_a_run_id_used_twice_takes_the_latest_parent_before() -> None:
    """A child of a run id that was used twice belongs to the later one that had started."""
    first, second = row(0, None, start=0), row(1, None, start=10)._replace(run_id="r0")
    outline = build([first, second, row(2, 0, start=12), row(3, 0, start=5)])
    assert outline.parent[2] == 1
    assert outline.parent[3] == 0


def test_a_run_id_of_very_many_spans() -> None:
    """Where all spans have one id and name it as their parent, each stands under the one before."""
    count = 20_000
    outline = build([row(i, 0)._replace(run_id="r0") for i in range(count)])
    assert (outline.parent[:3], outline.cut) == ([-1, 0, 1], frozenset({0}))
    assert outline.order == list(range(count))


def test_a_run_inside_one_of_the_same_id_is_not_its_own_parent() -> None:
    """Where parent and child have one run id, the child stands under the other."""
    outline = build([row(0, None, start=0), row(1, 0, start=10)._replace(run_id="r0")])
    assert (outline.parent[1], outline.cut) == (0, frozenset())


def test_failures_are_where_an_error_began() -> None:
    """A span that failed only because its child did is passed over, and the search wraps round."""
    rows = [row(0, None, status="error"), row(1, 0, status="error", name="a"), row(2, 0, status="error", name="b")]
    outline = build(rows)
    assert outline.failures() == [1, 2]
    assert outline.next_in([1, 2], 1, 1) == (2, "")
    assert outline.next_in([1, 2], 2, 1) == (1, "past the end: on from the top")
    assert outline.next_in([1, 2], 0, -1) == (2, "past the top: on from the end")
    assert outline.next_in([2], 2, 1) == (2, "this is the only one")
    assert outline.next_in([], 0, 1) is None


def test_what_died_with_its_process_is_a_failure() -> None:
    """Of the spans that never ended the innermost is where it happened."""
    rows = [row(0, None, status="unfinished"), row(1, 0, name="a"), row(2, 0, status="unfinished", name="b")]
    assert build(rows).failures() == [2]


def test_where_the_failure_of_a_trace_began() -> None:
    """From the root down through the child that shares its fate and ended last, or has not ended; groups too."""
    failed = [row(i, 0, status="error", name="a", start=i) for i in (1, 2, 3)]
    rows = [row(0, None, status="error"), *failed, row(4, 0, name="b", start=9), row(5, 2, status="error", start=20)]
    assert build(rows).origin() == 3
    assert build([*rows, row(6, 2, status="unfinished", start=2)._replace(duration_ms=None)]).origin() == 3
    rows[2] = rows[2]._replace(duration_ms=None)
    assert build(rows).origin() == 5
    assert build([row(0, None), row(1, 0, status="error")]).origin() is None
    assert build([row(0, 7, status="error")]).origin() is None


def test_where_a_trace_waits() -> None:
    """An interrupted root leads to the span that asks, not to one that failed on the way."""
    rows = [row(0, None, status="interrupted"), row(1, 0, status="error", start=9), row(2, 0, status="interrupted")]
    assert build(rows).origin() == 2


def test_ways_through_the_tree() -> None:
    """Ancestors go up to the top, siblings along one parent, roots along the roots; the ends have no next."""
    rows = [row(0, None), row(1, 0, name="a"), row(2, 1), row(3, 0, name="b"), row(4, None)]
    outline = build(rows)
    assert outline.ancestors(2) == [1, 0]
    assert outline.ancestors(0) == []
    assert [outline.sibling(1, 1), outline.sibling(3, -1), outline.sibling(0, 1)] == [3, 1, 4]
    assert [outline.sibling(3, 1), outline.sibling(1, -1), outline.sibling(2, 1)] == [None, None, None]


def test_a_closed_span_hides_what_is_below_it() -> None:
    """Lines go down only where a node is open, depth by depth; a filter opens whatever leads to a match."""
    outline = build([row(0, None), row(1, 0, name="a"), row(2, 1), row(3, 0, name="b")])
    assert outline.lines({0}) == [(0, 0), (1, 1), (3, 1)]
    assert outline.lines({1}) == [(0, 0)]
    assert outline.lines({0, 1}) == [(0, 0), (1, 1), (2, 2), (3, 1)]
    assert outline.lines(set(), keep={2}) == [(0, 0), (1, 1), (2, 2)]
    assert outline.below(0, 5, {1}) == [(1, 6), (2, 7), (3, 6)]


def test_an_end_is_in_microseconds() -> None:
    """A span ends its duration after its start; one that has not ended has no end."""
    one = row(0, None, start=7)._replace(duration_ms=1.5)
    assert (one.end_us, one._replace(duration_ms=None).end_us) == (1507, None)


def test_the_next_one_from_a_group_is_inside_it() -> None:
    """A group stands before the first of its spans."""
    alike = [row(i, 0, status="error", name="a") for i in (1, 2, 3)]
    outline = build([row(0, None), *alike, row(4, 0, name="b")])
    group = outline.parent[1]
    assert not outline.is_span(group)
    assert outline.next_in([1, 2, 3], group, 1) == (1, "")


def test_a_filter_keeps_ancestors() -> None:
    """Only what matches is listed, with everything above it."""
    outline = build([row(0, None), row(1, 0, name="a"), row(2, 1), row(3, 0, name="b")])
    assert [line.node for line in outline.lines(set(), keep={2})] == [0, 1, 2]


def test_ten_thousand_levels_are_a_tree_like_any_other() -> None:
    """Depth costs no recursion."""
    outline = build([row(i, i - 1 if i else None) for i in range(10_000)])
    assert outline.lines(outline.everything_open())[-1].depth == 9_999


@settings(max_examples=60)
@given(st.lists(st.one_of(st.none(), st.integers(0, 14)), min_size=1, max_size=14))
def test_every_span_is_shown_exactly_once(parents: list[int | None]) -> None:
    """Whatever the parent links are, each span stands in the tree once, and folding by ``below`` agrees with it."""
    outline = build([row(i, parent, name=f"n{i % 2}") for i, parent in enumerate(parents)])
    assert sorted(outline.order) == list(range(len(parents)))
    everything = set(range(len(outline.children)))
    lines = outline.lines(everything)
    assert len(lines) == len(outline.children)
    at = next((i for i, line in enumerate(lines) if outline.children[line.node]), None)
    if at is not None:
        below = outline.below(lines[at].node, lines[at].depth, everything)
        assert lines[at + 1 : at + 1 + len(below)] == below
