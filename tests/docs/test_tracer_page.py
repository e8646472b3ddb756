"""The code on the pages of the tracer and of its files runs as it stands, one block after the other."""

import logging
import re
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import flightlog
from flightlog import read_spans
from flightlog.handler import TracerOptions
from flightlog.payloads.redaction import DEFAULT_KEYS
from tests.tracer.graphs import agent
from tests.tracer.models import USAGE, ScriptedModel, call

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "tracer.md").read_text()


@pytest.mark.parametrize(("page", "count", "spans"), [("tracer.md", 7, 27), ("span-files.md", 1, 9)])
def test_every_block_of_code_runs(
    page: str, count: int, spans: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block runs in the reader's place: a folder with one recorded run, a graph and a logging handler."""
    from langchain_core.messages import AIMessage

    asks = AIMessage("", tool_calls=[call("add", {"a": 1, "b": 2})], usage_metadata=USAGE)
    monkeypatch.chdir(tmp_path)
    with flightlog.trace("trace.jsonl"):
        agent(ScriptedModel(script=[asks, "3"])).invoke({"messages": [("user", "What is 1 + 2?")]})
    blocks = re.findall(r"^```python\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == count
    for block in blocks:
        names: dict[str, Any] = {"graph": agent(ScriptedModel(script=[asks, "3"])), "handler": logging.NullHandler()}
        try:
            exec(compile(block, f"docs/{page}", "exec"), names)
        finally:
            flightlog.uninstall()
    assert len(list(read_spans(tmp_path / "trace.jsonl"))) == spans


def test_every_option_is_on_the_page() -> None:
    """The table of options has each argument of JsonlTracer."""
    cells = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert named == {"path", *get_type_hints(TracerOptions)}


def test_the_keys_named_on_the_page_are_hidden() -> None:
    """The page promises nothing that the default rules do not keep."""
    named = re.search(r"Hidden by default: (.*?) and their like", PAGE, re.DOTALL)
    assert named is not None
    assert set(re.findall(r"`(\w+)`", named[1])) <= set(DEFAULT_KEYS)
