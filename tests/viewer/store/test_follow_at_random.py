"""A store that follows files while they are written, torn, rotated, packed and copied ends as a fresh one begins."""

import gzip
import random
from pathlib import Path
from typing import Any

import orjson
import pytest

from flightlog_viewer import Store, open_store
from flightlog_viewer.store.files import source_file
from tests.viewer.figures.forest import forest

BAD = [b"{\n", b"nonsense\n", b'{"v":1}\n', b"\xff\xfe\n", b"[]\n", b"\n"]
ACTIONS = [*["write"] * 7, "tear", "mend", "repeat", "spoil", "rotate", "pack", "copy", *["look"] * 4]


class Folder:
    """Three files that several writers write, as it may please chance."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.chance = random.Random(seed)
        records = forest(seed, traces=5, most=12)
        self.left = [orjson.dumps(record | {"inputs": {"n": record["seq"]}}) + b"\n" for record in records]
        self.written: list[bytes] = []
        self.torn: dict[str, bytes] = {}
        """By file, the rest of a line whose beginning is there."""
        self.number = 0

    def append(self, name: str, data: bytes) -> None:
        """Behind what is there, a torn line brought to its end first."""
        with (self.path / f"{name}.jsonl").open("ab") as file:
            file.write(self.torn.pop(name, b"") + data)

    def take(self, most: int) -> bytes:
        """The next lines that nobody has written."""
        taken = [self.left.pop() for _ in range(min(most, len(self.left)))]
        self.written += taken
        return b"".join(taken)

    def step(self, action: str) -> None:
        """Something happens to one of the files."""
        name = self.chance.choice("abc")
        plain = self.path / f"{name}.jsonl"
        whole = plain.exists() and name not in self.torn
        self.number += 1
        match action:
            case "write":
                self.append(name, self.take(self.chance.randint(1, 4)))
            case "tear" if self.left:
                line = self.take(1)
                cut = self.chance.randrange(1, len(line))
                self.append(name, line[:cut])
                self.torn[name] = line[cut:]
            case "mend":
                self.append(name, b"")
            case "repeat" if not self.torn:
                self.append(name, b"".join(self.chance.choices(self.written, k=3)))
            case "spoil":
                self.append(name, self.chance.choice(BAD))
            case "rotate" if whole:
                plain.rename(self.path / f"{name}.20261120T120000.{self.number:06}Z.jsonl")
            case "pack":
                for rotated in sorted(self.path.glob("*Z.jsonl"))[:1]:
                    rotated.with_name(f"{rotated.name}.gz").write_bytes(gzip.compress(rotated.read_bytes()))
                    rotated.unlink()
            case "copy" if whole and self.chance.random() < 0.3:
                (self.path / f"copy{self.number}.jsonl").write_bytes(plain.read_bytes())


def rounded(value: Any) -> Any:
    """Sums depend in their last digits on the order in which they were added up."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, tuple | list) else value


def everything(store: Store) -> dict[str, list[str]]:
    """All that a store says, but for where rows and lines stand."""
    queries = {
        "spans": "SELECT * EXCLUDE (row_id, file) FROM spans",
        "traces": "SELECT * EXCLUDE (row_id, file) FROM traces",
        "threads": "FROM threads",
        "rejects": "SELECT DISTINCT byte_offset, reason FROM rejects",
    }
    told: dict[str, list[Any]] = {name: store.sql(query).fetchall() for name, query in queries.items()}
    told |= {by: store.query("summary", by=by) for by in ("name", "node", "thread", "waste")}
    return {name: sorted(repr(rounded(row)) for row in rows) for name, rows in told.items()}


def follow(path: Path, seed: int) -> None:
    """Let things happen until all is written, looking in between."""
    folder = Folder(path, seed)
    folder.append("a", folder.take(1))
    with open_store(path, cache=False) as store:
        while folder.left or folder.torn:
            action = folder.chance.choice(ACTIONS)
            folder.step(action)
            if action == "look":
                store.refresh()
                if folder.chance.random() < 0.3:
                    everything(store)
        store.refresh()
        followed = everything(store)
        with open_store(path, cache=False) as fresh:
            assert followed == everything(fresh), f"seed {seed}"
        assert store.span_count == len(folder.written)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.slow
def test_what_was_followed_is_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Spans with their payloads, traces, threads, rejects and groups are the same, whatever happened when."""
    monkeypatch.setattr(source_file, "_REST", 0)
    follow(tmp_path, seed)


@pytest.mark.soak
def test_what_was_followed_very_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for a hundred folders."""
    monkeypatch.setattr(source_file, "_REST", 0)
    for seed in range(2, 100):
        (tmp_path / str(seed)).mkdir()
        follow(tmp_path / str(seed), seed)
