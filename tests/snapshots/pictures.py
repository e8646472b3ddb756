"""Pictures of the screen as SVG, without the web fonts that Textual names in them."""

import re
from datetime import UTC, datetime
from typing import Any

from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

_FONT_FACE = re.compile(r"@font-face\s*\{[^}]*\}\s*|<!--.*?-->\s*", re.S)

NOW = datetime(2025, 11, 20, 14, 30, tzinfo=UTC)
"""When the pictures are taken."""
WAYS: dict[str, list[str]] = {
    "traces": [],
    "trace": ["e", "enter", "e"],
    "detail": ["enter", "j", "j", "enter"],
    "threads": ["3", "j", "enter", "left_square_bracket"],
    "inbox": ["4"],
    "inbox-open": ["4", "enter"],
    "stats": ["5"],
    "sql": ["6", "ctrl+r"],
    "help": ["2", "question_mark"],
}
"""The keys that lead to each screen."""
SCREENS = ("traces", "trace", "threads", "inbox", "stats", "sql")
"""The numbered ones, in their order."""


def picture(app: Any) -> str:
    """What the application shows now. Nothing in it is fetched from anywhere."""
    svg = _FONT_FACE.sub("", app.export_screenshot(title="flightlog", simplify=True))
    assert "https:" not in svg
    return svg


class Svg(SingleFileSnapshotExtension):
    """One SVG file a snapshot; `make snapshots` records them anew."""

    _file_extension = "svg"
    _write_mode = WriteMode.TEXT
