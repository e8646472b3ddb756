"""Random recordings with all that figures depend on, the same for the same seed."""

import random
from typing import Any

Record = dict[str, Any]

# Both sides of the end of a day, an ISO week and a year, in every zone there is.
_HOURS = [f"{day}T{hour:02}" for day in ("2026-12-31", "2027-01-01", "2027-01-04") for hour in (2, 11, 20, 23)]


def forest(seed: int, traces: int = 12, most: int = 14) -> list[Record]:
    """Finished spans of several traces: nested and overlapping, retried, waiting, cached, priced and not, orphaned."""
    chance = random.Random(seed)
    records: list[Record] = []
    for number in range(traces):
        trace = f"t{number}"
        hour = chance.choice(_HOURS)
        chosen = [f"{trace}-{place}" for place in range(chance.randint(1, most))]
        orphaned = chance.random() < 0.2
        # The first has the trace's id, as roots have, unless the root is in no file.
        names = chosen if orphaned else [trace, *chosen[1:]]
        for place, name in enumerate(names):
            record = _span(chance, name, trace, f"{hour}:59:59.{chance.randrange(40) * 1000 + number:06}Z")
            if place:
                record["parent_run_id"] = "missing" if chance.random() < 0.05 else chance.choice(names[:place])
            elif orphaned:
                record["parent_run_id"] = "missing"
            records.append(record | {"seq": len(records) + 1, "writer_id": "w"})
    chance.shuffle(records)
    return records


def _span(chance: random.Random, name: str, trace: str, start: str) -> Record:
    kind = chance.choice(["llm", "llm", "tool", "chain", "chain", "chain", "retriever", "event"])
    record: Record = {
        "v": 1,
        "type": kind,
        "name": f"n{chance.randrange(3)}",
        "run_id": name,
        "trace_id": trace,
        "start_time": start,
        "duration_ms": chance.choice([0.0, chance.random() / 50, chance.randrange(30), chance.random() * 30]),
        "status": chance.choice(
            ["ok", "ok", "error", "error", "interrupted", "interrupted", "handoff", "cancelled", "abandoned"]
        ),
    }
    maybe: Record = {
        "node": f"n{chance.randrange(3)}",
        "thread_id": f"th{chance.randrange(2)}",
        "task_id": f"k{chance.randrange(2)}",
        "attempt": chance.randint(1, 3),
        "tags": chance.sample(["x", "retry:attempt:1", "retry:attempt:2"], 1),
        "service": f"s{chance.randrange(2)}",
        "service_version": f"1.{chance.randrange(2)}",
        "environment": f"e{chance.randrange(2)}",
        # The second is too large to be kept with the row.
        "metadata": {"tenant": chance.choice(["acme", "b/c"]), "long/er": "x" * chance.choice([1, 2000])},
    }
    if kind == "chain":
        maybe["kind"] = chance.choice(["graph", "node", "node", "task", "runnable"])
    if kind == "llm":
        given, answered = chance.randrange(300_000), chance.randrange(500)
        kinds = {name: given // 5 for name in ("cache_read", "cache_creation", "audio") if chance.random() < 0.5}
        maybe |= {
            "cache_hit": chance.random() < 0.3,
            "model": chance.choice(
                ["gpt-4o", "gemini-2.5-pro", "gemini-2.5-flash", "claude-sonnet-4-5", "nobody-knows"]
            ),
            "request_model": chance.choice(["gpt-4o-mini", "nobody-knows"]),
            "provider": chance.choice(["openai", "google_genai", "anthropic"]),
            "time_to_first_token_ms": chance.random() * 9,
            "token_usage": {
                "input_tokens": given,
                "output_tokens": answered,
                "total_tokens": given + answered,
                "input_token_details": kinds,
                "output_token_details": {"reasoning": answered // 3, "audio": answered // 4},
            },
        }
    if kind == "tool" or record["status"] == "error":
        maybe["error"] = {"type": f"E{chance.randrange(2)}", "message": f"m{chance.randrange(2)}"}
    if record["run_id"] == trace:
        del maybe["node"]
    return record | {field: value for field, value in maybe.items() if chance.random() < 0.7}
