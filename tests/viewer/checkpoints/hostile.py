"""A checkpoint database whose every blob tries to run something when it is loaded the usual way."""

import json
import pickle
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ormsgpack

PATHS = (
    "~__pregel_pull, node",
    "~__pregel_push, 9999999999999999999999, False",
    "~__pregel_push, ~__pregel_push, ~, \u00b2, True",
    "~__interrupt__, x",
    "node_error_handler",
    "~__pregel_pull, a, node_error_handler, False",
    "",
)
SHAPES: dict[str, Any] = {
    "a list for a type": {"__type__": ["x"]},
    "a dict for a type": [{"__type__": {}}],
    "a set of a number": {"__type__": "builtins.set", "items": 7},
    "closed": {"__type__": "__opaque__", "encoding": [], "nbytes": "x"},
    "sent": [{"__type__": "langgraph.types.Send", "node": ["x"], "arg": 1}],
    "a question": [{"__type__": "langgraph.types.Interrupt", "id": {}, "value": {"__type__": []}}],
    "a message": [{"type": ["ai"], "content": {}, "tool_calls": [{"name": [], "args": 7}]}],
}
"""Data of an application that looks like what the decoder makes of objects, and is not."""
CHECKPOINT_ID = "1f1e4ca7-d8a7-6f44-8000-20fedd937284"


class _Reduce:
    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self._marker,))


def ext(code: int, *parts: Any) -> bytes:
    """A msgpack extension object as LangGraph packs it."""
    return ormsgpack.packb(ormsgpack.Ext(code, ormsgpack.packb(parts, option=ormsgpack.OPT_NON_STR_KEYS)))


def blobs(marker: Path) -> Iterator[tuple[str, str, bytes]]:
    """Name, type tag and bytes of every attack; each would create `marker` if what it names were called."""
    shell, code = f"touch {marker}", f"open({str(marker)!r}, 'w')"
    for number in (0, 1, 2, 3, 4, 5):
        for module, name, argument in (
            ("os", "system", shell),
            ("builtins", "eval", code),
            ("builtins", "exec", code),
            ("os", "mkdir", str(marker)),
            ("subprocess", "getoutput", shell),
            ("pathlib", "Path.touch", str(marker)),
        ):
            content: Any = [argument] if number == 1 else {"command": argument} if number in (2, 4, 5) else argument
            method = ("__call__",) if number == 3 else ("model_validate_json",) if number == 5 else ()
            yield f"ext {number} {module}.{name}", "msgpack", ext(number, module, name, content, *method)
    for version in (1, 2):
        envelope: dict[str, Any] = {"lc": version, "type": "constructor", "id": ["os", "system"], "args": [shell]}
        yield f"lc{version}", "json", json.dumps(envelope).encode()
        evaluate = {**envelope, "id": ["builtins", "eval"], "method": "x", "args": [], "kwargs": {"source": code}}
        yield f"lc{version} eval", "json", json.dumps(evaluate).encode()
    yield "pickle", "pickle", pickle.dumps(_Reduce(marker))
    yield "numpy", "msgpack", ormsgpack.packb(ormsgpack.Ext(6, pickle.dumps(_Reduce(marker))))
    yield "delta", "msgpack", ormsgpack.packb(ormsgpack.Ext(7, ext(0, "os", "system", shell)))
    yield "unknown", "msgpack", ormsgpack.packb(ormsgpack.Ext(99, b"\x00\x01"))
    yield "encrypted", "msgpack+aes", b"\x00" * 40
    yield "array bomb", "msgpack", b"\xdd\xff\xff\xff\xff\x01"
    yield "map bomb", "msgpack", b"\xdf\xff\xff\xff\xff\x01"
    yield "deep", "msgpack", b"\x91" * 100_000 + b"\x01"
    yield "deep json", "json", b"[" * 100_000
    yield "deep but legal", "msgpack", b"\x91" * 900 + b"\x01"
    yield "ext as key", "msgpack", b"\x81\xd4\x00\x01\x02"
    yield "huge int", "json", b"1" * 10_000
    yield "surrogate", "json", b'"\\ud800 \\u001b[31m \\u202e"'
    yield "surrogate question", "json", b'[{"value": 1, "ns": ["\\ud800"]}, {"id": "\\udfff", "value": "\\ud800"}]'
    yield "infinite", "json", b"1e999"
    yield "not utf-8", "json", b'"\xff\xfe"'
    odd = {
        "channel_versions": {1: 2, "branch:to:x": [1], "join:a:b": 1, "__pregel_tasks": {}},
        "versions_seen": {1: {2: 3}, "a": 5, "x": {"branch:to:x": {}, 4: 4}, "__interrupt__": {"a": 1}},
        "channel_values": {1: 2, "branch:to:x": None, "join:a:b": {"items": 7}, "__pregel_tasks": [{"__type__": 1}, 5]},
        "ts": 7,
    }
    yield "odd keys", "msgpack", ormsgpack.packb(odd, option=ormsgpack.OPT_NON_STR_KEYS)
    for name, shape in SHAPES.items():
        yield f"as if decoded: {name}", "msgpack", ormsgpack.packb(shape)
    nested = ormsgpack.packb("end")
    for _ in range(200):
        nested = ormsgpack.packb(ormsgpack.Ext(5, ormsgpack.packb(["os", "system", {"x": 1}]) + nested))
    yield "nested", "msgpack", nested


def write(path: Path, marker: Path) -> list[str]:
    """Fill a SQLite database with one thread an attack, as whole checkpoint, channel, write, question and answer."""
    connection = sqlite3.connect(path)
    connection.executescript(
        """CREATE TABLE checkpoints (thread_id TEXT, checkpoint_ns TEXT DEFAULT '', checkpoint_id TEXT,
            parent_checkpoint_id TEXT, type TEXT, checkpoint BLOB, metadata BLOB,
            PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id));
        CREATE TABLE writes (thread_id TEXT, checkpoint_ns TEXT DEFAULT '', checkpoint_id TEXT, task_id TEXT,
            task_path TEXT DEFAULT '', idx INTEGER, channel TEXT, type TEXT, value BLOB,
            PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx));"""
    )
    threads = []
    for name, tag, blob in blobs(marker):
        for place in ("checkpoint", "inside"):
            thread = f"{name} as {place}"
            threads.append(thread)
            if place == "checkpoint":
                row: tuple[Any, ...] = (thread, "", CHECKPOINT_ID, None, tag, blob, blob)
            else:
                row = (
                    thread,
                    "",
                    CHECKPOINT_ID,
                    "gone",
                    "msgpack",
                    _around(tag, blob),
                    b'{"step": 1, "source": "loop"}',
                )
            connection.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            for idx, channel in ((0, "state"), (-3, "__interrupt__"), (-4, "__resume__"), (-1, "__error__")):
                for number, task_path in enumerate(PATHS):
                    connection.execute(
                        "INSERT INTO writes VALUES (?, '', ?, ?, ?, ?, ?, ?, ?)",
                        (thread, CHECKPOINT_ID, f"task{idx}.{number}", task_path, idx, channel, tag, blob),
                    )
            connection.execute(
                "INSERT INTO writes VALUES (?, '', ?, ?, '', -4, '__resume__', ?, ?)",
                (thread, CHECKPOINT_ID, "00000000-0000-0000-0000-000000000000", tag, blob),
            )
    connection.commit()
    connection.close()
    return threads


def _around(tag: str, blob: bytes) -> bytes:
    """A checkpoint with the blob in every channel of interest."""
    head = {"v": 4, "id": CHECKPOINT_ID, "ts": "2026-01-01T00:00:00+00:00", "versions_seen": {}}
    head["channel_versions"] = {"state": "1", "__pregel_tasks": "1", "join:a+b:c": "1", "branch:to:x": "1"}
    packed = ormsgpack.packb(head)[1:]
    if tag != "msgpack":
        return ormsgpack.packb({**head, "channel_values": {"state": blob}})
    values = b"\x84" + b"".join(
        ormsgpack.packb(channel) + blob for channel in ("state", "__pregel_tasks", "join:a+b:c", "branch:to:x")
    )
    return bytes([0x80 | (len(head) + 1)]) + packed + ormsgpack.packb("channel_values") + values
