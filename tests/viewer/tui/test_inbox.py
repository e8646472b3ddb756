"""The inbox: what waits for a human, how long, filtered, and the way to its thread."""

from pathlib import Path

import pytest

from tests.viewer.tui.driving import driven


async def test_the_inbox_leads_to_the_thread(spans: Path, database: Path) -> None:
    """The pending question is listed with what may be answered; y copies the snippet; t opens the thread."""
    async with driven([spans], [database], size=(120, 40)) as viewer:
        await viewer.press("4")
        assert "1 pending" in viewer.text()
        assert "accept edit respond" in viewer.text()
        await viewer.press("y", "enter")
        assert viewer.app.clipboard.startswith("graph.invoke(Command(resume={'int-1': ...})")
        await viewer.press("t")
        assert "t-1  < step" in viewer.text()


async def test_the_inbox_says_how_long_a_question_waits(spans: Path, database: Path) -> None:
    """Where nothing is answered there is no column for the time of an answer, and the age is called what it is."""
    async with driven([spans], [database], size=(120, 40)) as viewer:
        await viewer.press("4")
        assert "Waits" in viewer.text()
        assert "Lag" not in viewer.text()
        await viewer.press("v", "v")
        assert "Lag" in viewer.text()
        assert "Waits" not in viewer.text()


@pytest.mark.slow
async def test_a_filter_leaves_the_questions_that_match(spans: Path, database: Path) -> None:
    """/ filters every tab of the inbox, a mistake is marked, what is hidden is said, and Esc brings all back."""
    async with driven([spans], [database], size=(80, 24)) as viewer:
        await viewer.press("4", "slash")
        await viewer.write("node:nobody")
        await viewer.press("enter")
        assert "0 of 1" in viewer.text()
        assert "no question here matches this filter: Esc clears it" in viewer.text()
        await viewer.press("v")
        assert "nothing is answered" in viewer.text()
        await viewer.press("V", "escape", "slash")
        await viewer.write("status:pending refund")
        await viewer.press("enter")
        assert "1 of 1" in viewer.text()
        assert " t-1 " in viewer.text()
        await viewer.press("slash")
        await viewer.write(" zzz:x")
        await viewer.press("enter")
        assert "questions have no field 'zzz'" in viewer.text()
        assert " t-1 " in viewer.text()
        await viewer.press("escape")
        assert "1 of 1" not in viewer.text()
