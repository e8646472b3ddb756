"""Takes the pictures of docs/samples and docs/viewer: records samples and shows them. Run from the repository's root:

.venv/bin/python -m docs.pictures [NAME...]
"""

import asyncio
import contextlib
import io
import os
import sys
import tempfile
from pathlib import Path

from flightlog_samples.__main__ import main as record
from tests.snapshots.pictures import picture
from tests.viewer.tui.driving import driven

SIZE = (110, 30)
QUESTION = ["v", "v", "v"]
"""From the changes of a step to what was asked there."""
VIEWS: dict[str, list[str]] = {
    "react_agent": ["enter", "j", "j"],
    "persistence": ["3", "enter"],
    "human_in_the_loop": ["3", "j", "j", "enter", *QUESTION],
    "streaming": ["enter"],
    "tracing": [],
    "token_stream": ["j", "enter", "j", "j"],
    "breakpoints": ["4", "v", "v"],
    "tool_review": ["3", "enter", "left_curly_bracket", *QUESTION],
    "dynamic_interrupt": ["3", "enter", "left_curly_bracket", *QUESTION],
    "time_travel": ["3", "enter"],
    "task_executor": ["3", "j", "j", "enter", "left_curly_bracket", *QUESTION],
    "report_service": ["j", "enter"],
    "chat_service": ["3", "enter"],
    "support_desk": ["3", "j", "j", "j", "j", "j", "enter", *QUESTION],
}
"""The keys that lead to what each page shows, from the list of traces."""
SCREENS: dict[str, list[str]] = {
    "traces": ["j"],
    "trace": ["slash", *"name:react_agent", "enter", "enter", "j", "j"],
    "threads": ["3", *["j"] * 5, "enter", "left_curly_bracket"],
    "inbox": ["4"],
    "stats": ["5", "v", "v"],
    "sql": ["6", "ctrl+r"],
}
"""The keys that lead to each screen, over all samples at once."""


async def take(name: str, target: Path) -> None:
    """Record one sample and save what the viewer shows of it."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "flightlog-demo"
        with contextlib.redirect_stdout(io.StringIO()):
            if status := await asyncio.to_thread(record, ["--out", str(out), name]):
                raise SystemExit(status)
        async with driven([out], sorted(out.glob("*.sqlite")), size=SIZE) as viewer:
            await viewer.press("1", "g", *VIEWS[name])
            target.write_text(picture(viewer.app))


async def take_screens(folder: Path) -> None:
    """Record all samples and save each screen."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "flightlog-demo"
        with contextlib.redirect_stdout(io.StringIO()):
            if status := await asyncio.to_thread(record, ["--out", str(out), "all"]):
                raise SystemExit(status)
        os.environ["HOME"] = scratch  # no history or bookmarks of whoever runs it
        for name, keys in SCREENS.items():
            async with driven([out], sorted(out.glob("*.sqlite")), size=(120, 32)) as viewer:
                await viewer.press(*keys)
                (folder / f"{name}.svg").write_text(picture(viewer.app))


def main(names: list[str]) -> None:
    """Take the pictures named (``viewer`` for those of docs/viewer), or all."""
    if not names or "viewer" in names:
        folder = Path(__file__).parent / "viewer"
        folder.mkdir(exist_ok=True)
        asyncio.run(take_screens(folder))
        sys.stdout.write(f"{folder}\n")
    for name in names or VIEWS:
        if name != "viewer":
            target = Path(__file__).parent / "samples" / f"{name}.svg"
            asyncio.run(take(name, target))
            sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
