"""The one place where text becomes what the terminal shows.

Everything in a span file or a checkpoint database is hostile. The other modules of the interface may not build
segments, rich text or content themselves (a test reads their source), so all text passes ``safe_text`` here; and
``OutputFilter`` looks at every segment once more on its way out, whatever widget drew it.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.color import Color
from textual.content import Content
from textual.filter import LineFilter
from textual.strip import Strip

from flightlog_viewer.safe_text import safe_text

Part = str | tuple[str, str]
"""Text, or text with a Textual style such as ``bold $error``."""

_PICTURE = Style(meta={"picture": True})
_TAB = "    "
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def clean(text: str) -> str:
    """One line of safe text: line breaks and tabs become blanks."""
    if text.isascii() and text.isprintable():
        return text
    return safe_text(text.replace("\n", " ").replace("\t", _TAB))


def segment(text: str, style: Style | None = None) -> Segment:
    """A piece of a line."""
    return Segment(clean(text), style)


def picture(text: str, style: Style | None = None) -> Segment:
    """A piece of a line that is a drawing and no text: see ``overlaid``."""
    return Segment(clean(text), _PICTURE if style is None else style + _PICTURE)


def overlaid(line: Strip, style: Style) -> Strip:
    """The line of the cursor. Reversed it takes the place of all colours, not of pictures: a bar would be a gap."""
    if not style.reverse:
        return line.apply_style(style)
    return Strip([Segment(text, own if own is not None and own.meta else style) for text, own, _ in line])


def strip(segments: Iterable[Segment], width: int, style: Style | None = None) -> Strip:
    """A line of exactly ``width`` cells."""
    return Strip(segments).adjust_cell_length(width, style)


def content(*parts: Part) -> Content:
    """Text for Textual's own widgets; several lines are several parts, joined by ``"\\n"``."""
    return Content.assemble(*(_lines(part) if isinstance(part, str) else (_lines(part[0]), part[1]) for part in parts))


def label(text: str) -> Text:
    """One line for the widgets that take Rich's text and would read markup out of a plain string."""
    return Text(clean(text))


def width_of(text: str) -> int:
    """Terminal cells."""
    return len(text) if text.isascii() else cell_len(text)


def fit(text: str, width: int, *, right: bool = False, more: str = "…") -> str:
    """Exactly ``width`` cells of safe text: padded, or cut with a mark that says so."""
    if width <= 0:
        return ""
    text = clean(text if len(text) <= width * 4 + 64 else text[: width * 4 + 64])
    if text.isascii():
        if len(text) > width:
            return text[: width - 1] + more
        return text.rjust(width) if right else text.ljust(width)
    cells = cell_len(text)
    if cells > width:
        return set_cell_size(text, width - 1) + more
    return " " * (width - cells) + text if right else text + " " * (width - cells)


def wrap(text: str, width: int) -> list[str]:
    """One logical line as rows of at most ``width`` cells, broken at blanks where that leaves half a row or more."""
    text = clean(text)
    if width <= 1 or not text:
        return [text]
    if text.isascii():
        if len(text) <= width:
            return [text]
        if len(text) > _LONG:
            return [text[i : i + width] for i in range(0, len(text), width)]
        return _wrap_ascii(text, width)
    return _wrap_wide(text, width)


class OutputFilter(LineFilter):
    """The last look at what goes out: no control character and no link leaves, whoever drew it.

    With ``ascii_only`` nothing but ASCII leaves either; every character keeps its width.
    """

    def __init__(self, *, ascii_only: bool = False) -> None:
        super().__init__()
        self._ascii_only = ascii_only

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        found = []
        for piece in segments:
            text, style, _ = piece
            if not text.isprintable() and _UNSAFE.search(text):
                text = _UNSAFE.sub(" ", text)
            if self._ascii_only and not text.isascii():
                text = "".join(_ASCII.get(c, "?" * _cells(c)) if ord(c) > 126 else c for c in text)
            if style is not None and style.link:
                style = _without_link(style)
            found.append(piece if text is piece.text and style is piece.style else Segment(text, style))
        return found


_ASCII = {
    **dict.fromkeys("─━═╌┄▁▔", "-"),
    **dict.fromkeys("│┃║▎▏▊▐╎┆", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯┏┓┗┛╔╗╚╝", "+"),
    **dict.fromkeys("█▇▆▅▄▃▂▉▌■▀", "#"),
    **dict.fromkeys("▶▸", ">"),
    **dict.fromkeys("▼▾", "v"),
    "…": "~",
    "•": "*",
    "µ": "u",
}
"""For what Textual's own widgets draw; the viewer's have glyphs of their own."""


@lru_cache(256)
def _without_link(style: Style) -> Style:
    return style.update_link(None)


def _lines(text: str) -> str:
    return safe_text(text.replace("\t", _TAB), keep_newlines=True)


_LONG = 4000
"""Longer lines are cut at the column: looking for blanks in a megabyte helps no reader."""


def _wrap_ascii(text: str, width: int) -> list[str]:
    rows = []
    at = 0
    while len(text) - at > width:
        blank = text.rfind(" ", at + width // 2, at + width + 1)
        end = blank + 1 if blank > 0 else at + width
        rows.append(text[at:end].rstrip() if blank > 0 else text[at:end])
        at = end
    rows.append(text[at:])
    return rows


def _wrap_wide(text: str, width: int) -> list[str]:
    rows: list[str] = []
    at = cells = 0
    blank = -1
    for i, letter in enumerate(text):
        size = _cells(letter)
        if cells + size > width:
            end = blank + 1 if blank >= at + width // 2 else i
            rows.append(text[at:end])
            at = end
            cells = cell_len(text[at:i])
            blank = -1
        if letter == " ":
            blank = i
        cells += size
    rows.append(text[at:])
    return rows


@lru_cache(8192)
def _cells(letter: str) -> int:
    return cell_len(letter)
