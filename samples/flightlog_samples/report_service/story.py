"""The story of the service, told to it by HTTP: two themes, one sent back once and then approved, one left open."""

from pathlib import Path

import httpx

from flightlog import JsonlTracer
from flightlog_samples.http_server import served
from flightlog_samples.report_service.api import create_app

NAME = "report_service"


def story(out: Path) -> None:
    """Record it into `report_service.jsonl` and `report_service.sqlite`."""
    with (
        JsonlTracer(out / f"{NAME}.jsonl", service=NAME) as tracer,
        served(create_app(out / f"{NAME}.sqlite", tracer)) as url,
        httpx.Client(base_url=f"{url}/api/v1", timeout=30) as client,
    ):
        first = _generate(client, "Model Context Protocol (MCP)")
        _generate(client, "Agent2Agent Protocol (A2A)")
        for approved, words in (("false", "There are no references."), ("true", "")):
            answer = {"approved": approved, "feedback": words, "decided_by": "ana"}
            client.post(f"/reports/{first}/feedback", params=answer).raise_for_status()
        for entry in client.get("/reports").raise_for_status().json():
            print(f"{entry['status']:<12} {entry['theme']}")


def _generate(client: httpx.Client, theme: str) -> str:
    thread_id: str = client.post("/reports/generate", params={"theme": theme}).raise_for_status().json()["thread_id"]
    return thread_id
