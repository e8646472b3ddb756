"""Span files of any size for the benchmarks: agent runs with varied payloads, about 900 bytes a span.

    python benchmarks/make_spans.py 1000000 spans.jsonl
    python benchmarks/make_spans.py 1000000 hostile.jsonl --hostile

The same numbers give the same bytes. A hostile file has something odd in every line: half are not spans at all, a
quarter have fields of a wrong type, a quarter have names that look like numbers.
"""

import argparse
import random
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from flightlog.span import format_time

FOLDER = Path(tempfile.gettempdir()) / "flightlog-bench"
START_NS = 1_795_100_000_000_000_000
WRITERS = 64
MODELS = (("gpt-4o", "openai"), ("gpt-4o-mini", "openai"), ("claude-sonnet-4-5", "anthropic"), ("house-7b", None))
TOOLS = ("search", "refund", "lookup_order", "send_mail")
NODES = ("plan", "tools", "review", "answer")
SYLLABLES = ("ka", "lo", "mi", "ter", "an", "sol", "ver", "ing", "ed", "pra", "qui", "zo", "é", "ß")
PAYLOADS = ("metadata", "inputs", "output")


def spans_file(count: int, *, hostile: bool = False) -> Path:
    """The file of so many spans in the benchmarks' folder, made if it is not there."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{'hostile' if hostile else 'spans'}-{count}.jsonl"
    if not path.exists():
        partial = path.with_suffix(".partial")
        write(partial, count, hostile=hostile)
        partial.rename(path)
    return path


def write(path: Path, count: int, *, hostile: bool = False, seed: int = 1) -> None:
    """Write ``count`` lines."""
    spoil = random.Random(seed + 1)
    with path.open("wb") as file:
        for number, record in enumerate(records(count, seed)):
            if not hostile:
                file.write(orjson.dumps(record) + b"\n")
            elif number % 4 == 1:
                file.write(orjson.dumps(record | {"step": "five", "model": {"a": 1}}) + b"\n")
            elif number % 4 == 3:
                file.write(orjson.dumps(record | {"name": str(number)}) + b"\n")
            else:
                file.write(_spoiled(orjson.dumps(record), spoil) + b"\n")


def _spoiled(line: bytes, spoil: random.Random) -> bytes:
    match spoil.randrange(5):
        case 0:
            return line[: len(line) // 2]
        case 1:
            return line.replace(b'"status":"', b'"status":7,"was":"', 1)
        case 2:
            return line.replace(b'"duration_ms":', b'"duration_ms":-', 1)
        case 3:
            return line.replace(b'"run_id":"', b'"run_id":"\xff', 1)
        case _:
            return line.replace(b'"v":1', b'"v":"1"', 1)


def records(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Records in the order a tracer writes them: children before the spans around them."""
    chance = random.Random(seed)
    words = ["".join(chance.choices(SYLLABLES, k=chance.randint(1, 4))) for _ in range(2000)]
    seq = run = 0
    while seq < count:
        # Runs overlap, as those of several processes do: within one they would not keep the order of their numbers.
        writer = f"5d1c94c2f0b14b{run % WRITERS:02x}"
        for record in _run(chance, words, run, seq):
            if seq == count:
                return
            record["writer_id"] = writer
            yield {k: v for k, v in record.items() if k not in PAYLOADS} | {k: record[k] for k in PAYLOADS}
            seq += 1
        run += 1


def _run(chance: random.Random, words: list[str], run: int, seq: int) -> Iterator[dict[str, Any]]:
    """One agent run of 9 spans: the graph, four nodes, three LLM calls and a tool call."""
    trace = _id(chance)
    begin = START_NS + run * 180_000_000
    thread = f"thread-{run // 6}"
    at = begin
    for step in range(4):
        # A span is numbered when it starts: the run first, then each node before what runs in it.
        number = seq + 1 + 2 * step
        node = NODES[step]
        node_id, task = _id(chance), _id(chance)
        place = {"thread_id": thread, "node": node, "step": step, "checkpoint_ns": f"{node}:{task}", "task_id": task}
        lasting = chance.lognormvariate(5, 1)
        failed = chance.random() < 0.01
        leaf = _span(
            chance, trace, number + 1, "tool" if step == 1 else "llm", _id(chance), node_id, at, lasting, failed
        )
        leaf |= place
        if step == 1:
            leaf |= {"name": chance.choice(TOOLS), "tool_call_id": f"call_{leaf['run_id'][:8]}"}
            leaf |= {"inputs": {"query": _text(chance, words, 2, 10)}, "output": _message(chance, words, "tool", 4, 21)}
        else:
            leaf |= _llm(chance, words)
        yield leaf
        outer = _span(chance, trace, number, "chain", node_id, trace, at, lasting * 1.1, failed)
        outer |= {"kind": "node", "name": node} | place
        outer |= {"inputs": {"messages": [_message(chance, words, "human", 4, 19)]}, "output": {"next": node}}
        yield outer
        at += round(lasting * 1.1e6)
    whole = (at - begin) / 1e6 + 1
    root = _span(chance, trace, seq, "chain", trace, None, begin, whole, False)
    root |= {"kind": "graph", "name": "agent", "thread_id": thread}
    root |= {"inputs": {"messages": [_message(chance, words, "human", 4, 15)]}}
    yield root | {"output": {"messages": [_message(chance, words, "ai", 10, 30)]}}


def _span(
    chance: random.Random,
    trace: str,
    seq: int,
    kind: str,
    run_id: str,
    parent: str | None,
    start_ns: int,
    duration_ms: float,
    failed: bool,
) -> dict[str, Any]:
    record: dict[str, Any] = {"v": 1, "type": kind, "name": "", "run_id": run_id}
    if parent is not None:
        record["parent_run_id"] = parent
    record |= {
        "trace_id": trace,
        "writer_id": "",
        "seq": seq,
        "start_time": format_time(start_ns),
        "duration_ms": round(duration_ms, 6),
        "status": "error" if failed else "ok",
        "service": "support",
        "host": "bench-1",
        "pid": 4242,
        "metadata": {"user": f"user-{chance.randrange(500)}", "plan": chance.choice(("free", "pro"))},
    }
    if failed:
        record["error"] = {"type": "TimeoutError", "message": "the upstream did not answer within 30 s"}
    return record


def _llm(chance: random.Random, words: list[str]) -> dict[str, Any]:
    model, provider = chance.choice(MODELS)
    tokens, output = chance.randint(200, 9000), chance.randint(5, 900)
    fields: dict[str, Any] = {
        "name": model,
        "model": model,
        "finish_reason": "stop",
        "token_usage": {
            "input_tokens": tokens,
            "output_tokens": output,
            "total_tokens": tokens + output,
            "input_token_details": {"cache_read": tokens // chance.randint(2, 9)},
        },
        "inputs": {"messages": [_message(chance, words, kind, 4, 15) for kind in ("system", "human")]},
        "output": _message(chance, words, "ai", 4, 21),
    }
    return fields if provider is None else fields | {"provider": provider}


def _message(chance: random.Random, words: list[str], kind: str, least: int, most: int) -> dict[str, Any]:
    return {"type": kind, "content": _text(chance, words, least, most), "id": _id(chance)}


def _text(chance: random.Random, words: list[str], least: int, most: int) -> str:
    return " ".join(chance.choices(words, k=chance.randint(least, most)))


def _id(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, help="number of lines")
    parser.add_argument("path", type=Path)
    parser.add_argument("--hostile", action="store_true", help="make something odd of every line")
    given = parser.parse_args()
    write(given.path, given.count, hostile=given.hostile)
