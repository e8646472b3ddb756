"""Takes the pictures of docs/samples: records each sample and shows it in the viewer. Run from the repository's root:

.venv/bin/python -m docs.pictures [NAME...]
"""

import asyncio
import contextlib
import io
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
    "breakpoints": [],
    "tool_review": ["3", "enter", "left_curly_bracket", *QUESTION],
    "dynamic_interrupt": ["3", "enter", "left_curly_bracket", *QUESTION],
    "time_travel": ["3", "enter"],
    "task_executor": ["3", "j", "j", "enter", "left_curly_bracket", *QUESTION],
    "report_service": ["j", "enter"],
    "chat_service": ["3", "enter"],
    "support_desk": ["3", "j", "j", "j", "j", "j", "enter", *QUESTION],
}
"""The keys that lead to what each page shows, from the list of traces."""


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


def main(names: list[str]) -> None:
    """Take the pictures named, or all."""
    for name in names or VIEWS:
        target = Path(__file__).parent / "samples" / f"{name}.svg"
        asyncio.run(take(name, target))
        sys.stdout.write(f"{target}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
