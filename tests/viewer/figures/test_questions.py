"""How long people took and how often they agreed, worked out a second time in plain Python."""

import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from flightlog_viewer import open_store
from flightlog_viewer.cli.app import main
from tests.viewer.figures.plain import percentile
from tests.viewer.figures.test_sql_page import QUERIES
from tests.viewer.span_lines import SpanLines

ANSWERS = {"approve": "yes", "reject": {"approved": False}, "edit": {"decision": "edit"}, "other": "perhaps"}
Asked = tuple[str, str | None, float | None]
"""Node, decision and lag in ms; None for a question that waits."""


def recording(seed: int) -> tuple[SpanLines, list[Asked]]:
    """Threads that ask several questions, one after the other, most of them answered."""
    chance = random.Random(seed)
    lines = SpanLines()
    asked: list[Asked] = []
    for number in range(25):
        thread, at = f"t{number}", float(chance.randrange(10_000))
        decision: str | None = None
        resumes: list[dict[str, Any]] = []
        for turn in range(chance.randint(1, 4)):
            node, root = chance.choice(["review", "pay"]), f"{thread}-{turn}"
            question = f"{root}-q"
            more: dict[str, Any] = {"resumes": resumes} if resumes else {}
            lines.add(root, None, at, 50, kind="graph", thread_id=thread, status="interrupted", **more)
            interrupts = [{"id": question, "value": "?"}]
            place = {"node": node, "thread_id": thread, "checkpoint_ns": f"{node}:{root}", "task_id": root}
            lines.add(f"{root}-n", root, at + 1, 9, kind="node", status="interrupted", interrupts=interrupts, **place)
            decision = chance.choice([*ANSWERS, "approve"])
            lag = chance.random() * chance.choice([10, 1000, 1e6])
            at = round(at + 10 + lag, 3)
            resumes = [{"interrupt_id": question, "value": ANSWERS[decision]}]
            asked.append((node, decision, lag))
        if chance.random() < 0.7:
            lines.add(f"{thread}-end", None, at, 5, kind="graph", thread_id=thread, resumes=resumes)
        else:
            asked[-1] = (asked[-1][0], None, None)
    return lines, asked


@pytest.mark.parametrize("seed", range(2))
def test_lags_and_agreement(tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int) -> None:
    """The command and the example query agree with what was asked and answered, question by question."""
    lines, asked = recording(seed)
    path = lines.write(tmp_path / "a.jsonl")
    assert main(["approvals", str(path), "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    lags = [lag for _, _, lag in asked if lag is not None]
    assert (metrics["questions"], metrics["answered"]) == (len(asked), len(lags))
    assert metrics["waiting"]["count"] == len(asked) - len(lags) > 0
    assert metrics["exact_lag"] == {
        "n": len(lags),
        "p50_ms": pytest.approx(percentile(lags, 0.5), abs=0.01),
        "p95_ms": pytest.approx(percentile(lags, 0.95), abs=0.01),
    }
    decided = [decision for _, decision, _ in asked]
    counts = {decision: decided.count(decision) for decision in ANSWERS}
    verdicts = counts["approve"] + counts["edit"] + counts["reject"]
    assert {name: metrics["overall"][name] for name in counts} == counts
    assert metrics["overall"]["n"] == verdicts
    assert metrics["overall"]["rate"] == pytest.approx(counts["approve"] / verdicts)

    nodes: dict[str, list[Asked]] = defaultdict(list)
    for one in asked:
        nodes[one[0]].append(one)
    (query,) = (query for title, query in QUERIES.items() if title.startswith("The same with"))
    with open_store(path, cache=False) as store:
        found = store.sql(query).fetchall()
    wanted = []
    for node, members in nodes.items():
        taken = [lag for _, _, lag in members if lag is not None]
        told = [decision for _, decision, _ in members if decision not in (None, "other")]
        percent = round(100 * told.count("approve") / len(told), 1)
        (group,) = (group for group in metrics["by_node"] if group["key"] == node)
        assert percent == round(100 * group["rate"], 1)
        wanted.append((node, len(members), len(taken), percent, percentile(taken, 0.5), percentile(taken, 0.95)))
    for row, expected in zip(sorted(found), sorted(wanted), strict=True):
        assert row == tuple(pytest.approx(v, abs=0.01) if isinstance(v, float) else v for v in expected)
