"""FLIGHTLOG_MODEL: the samples on a provider's own client."""

from pathlib import Path

import pytest

from flightlog import read_spans
from flightlog_samples import react_agent
from flightlog_samples.__main__ import main
from flightlog_samples.http_server import served
from tests.samples.openai_service import openai_service


def test_the_agent_runs_on_a_provider_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LangChain's OpenAI client makes the calls, and the spans hold its model, provider and tokens."""
    with served(openai_service(react_agent.script)) as url:
        monkeypatch.setenv("FLIGHTLOG_MODEL", "openai:gpt-4o-mini")
        monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")
        monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
        assert main(["--out", str(tmp_path / "out"), "react_agent"]) == 0
    spans = list(read_spans(tmp_path / "out" / "spans.jsonl"))
    calls = [span for span in spans if span.type == "llm"]
    assert len(calls) == 6
    assert {(span.provider, span.model) for span in calls} == {("openai", "gpt-4o-mini-2024-07-18")}
    assert sum((span.token_usage or {}).get("total_tokens", 0) for span in calls) == 90
    assert "not-a-key" not in (tmp_path / "out" / "spans.jsonl").read_text()


def test_a_provider_that_refuses_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model that cannot be reached exits with status 2 and names the setting."""
    monkeypatch.setenv("FLIGHTLOG_MODEL", "openai:gpt-4o-mini")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert main(["--out", str(tmp_path / "out"), "react_agent"]) == 2
    assert "FLIGHTLOG_MODEL=openai:gpt-4o-mini" in capsys.readouterr().err
