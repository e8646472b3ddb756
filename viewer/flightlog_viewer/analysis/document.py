"""Payloads as foldable lines, made only as far as they are looked at: a 20 MB string costs what is shown of it."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from flightlog_viewer.analysis import units
from flightlog_viewer.checkpoints.inert import closed

FIRST_BYTES = 65_536
"""A long text opens at this many characters; "show more" doubles what is shown."""
FIRST_ITEMS = 200
"""A long list or object opens at this many items."""
OPEN_LINES = 400
"""A document opens unfolded up to about this many lines."""
_ROW = 80
"""Characters; a longer line takes several on the screen."""


@dataclass(slots=True, eq=False)
class Block:
    """One logical line, and what can be unfolded below it."""

    text: str
    tone: str = ""
    key: str = ""
    """Stands before the text in its own tone."""
    make: "Callable[[], list[Block]] | None" = None
    """Makes what stands below; None for a line that does not fold."""
    is_open: bool = False
    replaces: bool = False
    """Opening puts what ``make`` gives in the place of this line ("show more")."""
    value: Any = None
    """What "copy value" takes."""
    link: tuple[str, Any] | None = None
    """Where Enter goes: a kind (``span``, ``checkpoint``) and its id."""
    below: "list[Block] | None" = field(default=None, repr=False)

    def open(self) -> "list[Block]":
        """What stands below, made on first use."""
        if self.below is None:
            self.below = self.make() if self.make is not None else []
        return self.below


class Document:
    """Blocks, and the list of those that are visible as ``(block, depth)``."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        self.blocks = list(blocks)
        self.visible: list[tuple[Block, int]] = []
        self.relist()

    def relist(self) -> None:
        """Walk what is open."""
        self.visible = []
        stack = [(block, 0) for block in reversed(self.blocks)]
        while stack:
            block, depth = stack.pop()
            self.visible.append((block, depth))
            if block.is_open and block.make is not None and not block.replaces:
                stack.extend((child, depth + 1) for child in reversed(block.open()))

    def toggle(self, index: int) -> bool:
        """Fold or unfold the visible line; False when it does not fold."""
        block, depth = self.visible[index]
        if block.make is None:
            return False
        if block.replaces:
            made = block.open()
            parent = self._parent(index, depth)
            line = self.blocks if parent is None else parent.open()
            at = next(i for i, other in enumerate(line) if other is block)
            line[at : at + 1] = made
        else:
            block.is_open = not block.is_open
        self.relist()
        return True

    def find(self, needle: str, start: int, step: int) -> int | None:
        """The next visible line that contains the text (any case), seen from ``start``; wraps round."""
        count = len(self.visible)
        needle = needle.lower()
        for offset in range(1, count + 1):
            i = (start + offset * step) % count
            block = self.visible[i][0]
            if needle in block.text[:FIRST_BYTES].lower() or needle in block.key.lower():
                return i
        return None

    def _parent(self, index: int, depth: int) -> Block | None:
        for i in range(index - 1, -1, -1):
            if self.visible[i][1] < depth:
                return self.visible[i][0]
        return None


def heading(text: str, tone: str = "strong") -> Block:
    return Block(text, tone)


def gap() -> Block:
    return Block("")


def text_blocks(text: str, tone: str = "", *, limit: int = FIRST_BYTES, start: int = 0) -> list[Block]:
    """A text as one block a line, the first ``limit`` characters of it, then a "show more" line."""
    end = start + limit
    blocks = [Block(line, tone) for line in text[start:end].split("\n")]
    blocks[0].value = text
    if len(text) > end:
        left = len(text) - end
        blocks.append(
            Block(
                f"show more: {units.size(left)} left of {units.size(len(text))}",
                "key",
                make=lambda: text_blocks(text, tone, limit=end, start=end),
                replaces=True,
                value=text,
            )
        )
    return blocks


def json_blocks(value: Any, key: str = "", *, depth: int = 0) -> list[Block]:
    """Any JSON value as foldable blocks."""
    if isinstance(value, dict | list):
        size = len(value)
        marks = "{}" if isinstance(value, dict) else "[]"
        if not size:
            return [Block(marks, "dim", key, value=value)]
        text = f"{marks[0]}{size}{marks[1]}  {preview(value, 60)}"
        return [Block(text, "dim", key, make=lambda: _items(value, 0, depth + 1), is_open=depth < 2, value=value)]
    if isinstance(value, str):
        return _string(value, key)
    return [Block(scalar(value), "tool", key, value=value)]


def open_within(blocks: list[Block], lines: int = OPEN_LINES) -> list[Block]:
    """Unfold breadth first while the whole stays within about so many lines."""
    queue, shown = list(blocks), len(blocks)
    for block in queue:
        if block.make is None or block.replaces:
            continue
        if shown > lines:
            block.is_open = False
            continue
        below = block.open()
        shown += sum(1 + len(child.text) // _ROW for child in below)
        block.is_open = shown <= lines
        if block.is_open:
            queue.extend(below)
    return blocks


def preview(value: Any, width: int) -> str:
    """A value in a few words, without walking all of it."""
    if isinstance(value, str):
        chip = blob(value)
        return chip or (value[:width] + ("…" if len(value) > width else ""))
    if isinstance(value, dict):
        if (words := closed(value)) is not None:
            return words
        parts, used = [], 0
        for name, item in value.items():
            part = f"{str(name)[:40]}: {preview(item, 20) if not isinstance(item, dict | list) else '…'}"
            used += len(part) + 2
            if used > width:
                parts.append("…")
                break
            parts.append(part)
        return ", ".join(parts)
    if isinstance(value, list):
        if not value or isinstance(value[0], dict | list):
            return ""
        return preview(dict(enumerate(value[:10])), width)
    return scalar(value)


def scalar(value: Any) -> str:
    """A number, boolean or null as JSON writes it."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return str(value)[:1000]


_DATA_URL = re.compile(r"data:([\w.+/-]{1,80})?(?:;[\w=-]{1,80})*;base64,")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{200,}={0,2}\Z")


def blob(text: str) -> str | None:
    """``base64 2.0 MB image/png`` for text that carries a binary; None for anything else."""
    if len(text) < 200:
        return None
    if found := _DATA_URL.match(text[:300]):
        return f"base64 {units.size((len(text) - found.end()) * 3 // 4)} {found[1] or 'text/plain'}"
    head = text[:400]
    if _BASE64.match(head[: len(head) // 4 * 4]) and any(c.isdigit() for c in head) and len(set(head)) > 16:
        return f"base64 {units.size(len(text) * 3 // 4)}"
    return None


def _string(value: str, key: str) -> list[Block]:
    chip = blob(value)
    if chip is not None:
        return [Block(f"[{chip}]", "wait", key, make=lambda: text_blocks(value, "dim"), value=value)]
    if "\n" in value[:FIRST_BYTES] or len(value) > 2000:
        start = value[:80].split("\n", 1)[0]
        return [
            Block(f'"{start}…  ({len(value):,} characters)', "ok", key, make=lambda: text_blocks(value), value=value)
        ]
    return [Block(f'"{value}"', "ok", key, value=value)]


def _items(value: dict[Any, Any] | list[Any], start: int, depth: int) -> list[Block]:
    end = start + FIRST_ITEMS
    blocks: list[Block] = []
    if isinstance(value, dict):
        for name in list(value)[start:end]:
            blocks.extend(json_blocks(value[name], str(name)[:200], depth=depth))
    else:
        for i, item in enumerate(value[start:end], start):
            blocks.extend(json_blocks(item, str(i), depth=depth))
    if len(value) > end:
        more = f"show more: {len(value) - end:,} of {len(value):,} items left"
        blocks.append(Block(more, "key", make=lambda: _items(value, end, depth), replaces=True, value=value))
    return blocks
