"""Whatever keys, clicks, pastes and sizes come, over whatever data: no handler fails, and the viewer comes to rest."""

import gzip
import os
import random
from pathlib import Path

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from textual.pilot import OutOfBounds

from tests.viewer.tui.driving import Driven, driven
from tests.viewer.tui.hostile import hostile_database, hostile_file
from tests.viewer.tui.recordings import support_file, support_trace, write
from tests.viewer.tui.threads import Writer, checkpoint_file

SEEDS = [seed if seed < 2 else pytest.param(seed, marks=pytest.mark.soak) for seed in range(150)]
LETTERS = "jjkkhlgGnNxtsSvVzeE123456/:BcCRZQF[]{}.,dfPiwWbmMpayoOrLHuX\"'?%* "
NAMED = [
    *("enter", "enter", "enter", "escape", "escape", "tab", "shift+tab", "backspace", "delete"),
    *("down", "up", "left", "right", "pagedown", "pageup", "home", "end", "ctrl+d", "ctrl+u"),
    *("ctrl+r", "ctrl+g", "ctrl+f", "ctrl+c", "alt+up", "alt+down", "alt+enter"),
]
PASTES = ["status:error", "name:x[/", "\x1b[31m", "dur>1", "*", "SELECT * FROM spans", "(" * 50, "t-1", "a\nb\nc", "é"]
WIDTHS = (1, 5, 20, 40, 80, 120, 200)
HEIGHTS = (1, 2, 3, 8, 24, 50)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    """Span files with checkpoint databases: an honest pair and a hostile one."""
    folder = tmp_path_factory.mktemp("recorded")
    honest = support_file(folder / "s.jsonl", 6, failing=(1, 4)), checkpoint_file(folder / "c.sqlite")
    return [honest, (hostile_file(folder / "evil.jsonl"), hostile_database(folder / "evil.sqlite"))]


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_that_is_done_fails(
    seed: int, recorded: list[tuple[Path, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each handful of keys, click, paste or change of size the viewer is at rest and has no fault."""
    monkeypatch.chdir(tmp_path)  # exports go here
    chance = random.Random(seed)
    spans, database = chance.choice(recorded)
    async with driven([spans], [database], size=(chance.choice(WIDTHS[2:]), chance.choice(HEIGHTS[2:]))) as viewer:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(viewer.app, "exit", lambda *_, **__: None)
            for _ in range(chance.randint(5, 25)):
                done = await anything(viewer, chance)
                assert not viewer.app.faults, done


@pytest.mark.parametrize("seed", SEEDS[1:])
async def test_nothing_fails_while_files_change(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans are appended, torn, rotated, cut, deleted and packed, and threads written, between what is done."""
    monkeypatch.chdir(tmp_path)
    chance = random.Random(seed)
    changes = Changes(tmp_path, chance)
    async with driven([chance.choice([changes.spans, changes.folder])], [changes.database], size=(120, 40)) as viewer:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(viewer.app, "exit", lambda *_, **__: None)
            for _ in range(chance.randint(8, 25)):
                if chance.random() < 0.5:
                    done: object = changes.one()
                    viewer.app._look_for_more()
                else:
                    done = await anything(viewer, chance)
                assert not viewer.app.faults, done
            await viewer.settle()


class Changes:
    """A span file in a folder, and a checkpoint database, that others are at."""

    def __init__(self, place: Path, chance: random.Random) -> None:
        self.chance = chance
        self.folder = place / "runs"
        self.folder.mkdir()
        self.spans = support_file(self.folder / "s.jsonl", 6, failing=(1, 4))
        self.database = checkpoint_file(place / "c.sqlite")
        self._new = place / "new"
        self._count = 100

    def one(self) -> str:
        """Make one change; what it was."""
        self._count += 1
        lines = write(self._new, support_trace(self._count)).read_bytes()
        kind = self.chance.choice(["appended", "appended", "torn", "rotated", "cut", "deleted", "packed", "a thread"])
        if kind in ("rotated", "cut"):
            self.spans.touch()
        if kind in ("appended", "torn"):
            with self.spans.open("ab") as file:
                file.write(lines if kind == "appended" else lines[: len(lines) // 2])
        elif kind == "rotated":
            self.spans.rename(self.folder / f"s.20261121T{self._count % 24:02}0000Z.jsonl")
            self.spans.write_bytes(lines)
        elif kind == "cut":
            os.truncate(self.spans, self.chance.randrange(self.spans.stat().st_size + 1))
        elif kind == "deleted":
            self.spans.unlink(missing_ok=True)
        elif kind == "packed":
            packed = gzip.compress(lines)[: self.chance.choice([None, -50, 10])]
            (self.folder / f"o{self._count}.jsonl.gz").write_bytes(packed)
        else:
            with SqliteSaver.from_conn_string(str(self.database)) as saver:
                Writer(saver).put(f"new{self._count}", -1, {"topic": "x"}, parent=None, due=None, source="input")
        return kind


async def anything(viewer: Driven, chance: random.Random) -> object:
    """Do one thing; what it was."""
    kind = chance.random()
    if kind < 0.1:
        size = chance.choice(WIDTHS), chance.choice(HEIGHTS)
        await viewer.pilot.resize_terminal(*size)
        await viewer.settle()
        return size
    if kind < 0.2:
        text = chance.choice(PASTES)
        await viewer.write(text)
        return text
    if kind < 0.3:
        place = chance.randrange(viewer.app.size.width), chance.randrange(viewer.app.size.height)
        try:
            await viewer.pilot.click(offset=place, times=chance.choice((1, 2)))
        except OutOfBounds:  # of the screen, which is smaller than the terminal for a moment
            return None
        await viewer.settle()
        return place
    keys = [chance.choice([*LETTERS, *NAMED]) for _ in range(chance.randint(1, 6))]
    await (viewer.type if chance.random() < 0.5 else viewer.press)(*keys)
    return keys
