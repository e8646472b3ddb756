"""What we read without a graph's code equals what LangGraph says with it, checkpoint by checkpoint."""

from pathlib import Path

import pytest

from flightlog_viewer.checkpoints import open_source
from tests.conformance.replay import flow, human, nested, state
from tests.conformance.replay.compare import differences
from tests.conformance.replay.savers import SAVERS, open_saver
from tests.conformance.replay.scenario import SCENARIOS, Run

assert all((flow, human, nested, state))  # importing them registers their scenarios

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")

EVERY = [(name, saver, durability) for name in SCENARIOS for saver in SAVERS for durability in (None, "exit", "sync")]
# In small, every scenario on SQLite, every third on one of the other savers too, every fifth with another durability.
SMALL = {
    case
    for index, name in enumerate(SCENARIOS)
    for case in (
        (name, "sqlite", None),
        *([(name, SAVERS[1 + index // 3 % 3], None)] if index % 3 == 1 else []),
        *([(name, SAVERS[index // 5 % 4], "sync" if index % 20 == 0 else "exit")] if index % 5 == 0 else []),
    )
}


@pytest.mark.parametrize(
    ("name", "kind", "durability"),
    [pytest.param(*case, marks=[] if case in SMALL else [pytest.mark.soak]) for case in EVERY],
)
async def test_every_checkpoint_agrees(
    name: str, kind: str, durability: str | None, tmp_path: Path, postgres_url: str
) -> None:
    """Next nodes, questions, values, parents, step, source and time of every checkpoint equal LangGraph's."""
    async with open_saver(kind, tmp_path, postgres_url) as (saver, target):
        run = Run(saver, kind.endswith("async"), durability)
        await SCENARIOS[name](run)
        with open_source(target) as source:
            assert await differences(run, source, name) == []


def test_there_are_enough_scenarios() -> None:
    """The suite holds at least 50 graphs."""
    assert len(SCENARIOS) >= 50
