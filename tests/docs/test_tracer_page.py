"""The code on the page of the tracer runs as it stands, one block after the other."""

import re
from pathlib import Path
from typing import Any

import pytest

import flightlog
from flightlog import read_spans
from flightlog.redaction import DEFAULT_KEYS
from tests.tracer.graphs import agent
from tests.tracer.models import USAGE, ScriptedModel, call

PAGE = (Path(__file__).parents[2] / "docs" / "tracer.md").read_text()


def test_every_block_of_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block runs in the reader's place: an empty folder and a graph of their own."""
    from langchain_core.messages import AIMessage

    asks = AIMessage("", tool_calls=[call("add", {"a": 1, "b": 2})], usage_metadata=USAGE)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 6
    for block in blocks:
        names: dict[str, Any] = {"graph": agent(ScriptedModel(script=[asks, "3"]))}
        try:
            exec(compile(block, "docs/tracer.md", "exec"), names)
        finally:
            flightlog.uninstall()
    assert len(list(read_spans(tmp_path / "trace.jsonl"))) == 18


def test_the_keys_named_on_the_page_are_hidden() -> None:
    """The page promises nothing that the default rules do not keep."""
    named = re.search(r"Hidden by default: (.*?) and their like", PAGE, re.DOTALL)
    assert named is not None
    assert set(re.findall(r"`(\w+)`", named[1])) <= set(DEFAULT_KEYS)
