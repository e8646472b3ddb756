"""All text reaches the screen through ``tui/text.py``: held by reading the source, and by looking at what goes out."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

import flightlog_viewer.tui
from flightlog_viewer.tui import text
from flightlog_viewer.tui.text import OutputFilter

FOLDER = Path(flightlog_viewer.tui.__file__).parent
MODULES = sorted(path for path in FOLDER.rglob("*.py") if path != FOLDER / "text.py")
BUILDERS = {"Content", "Text", "Segment", "Markdown", "Label", "Markup", "render_str", "from_markup", "from_text",
            "from_ansi", "Syntax", "Pretty", "Panel", "Table", "RichLog", "Log"}  # fmt: skip
SHOWN = {"Static": 0, "Option": 0, "update": 0, "Button": 0}
"""Calls whose first argument is shown: it must be a constant or made by ``content``."""


def called(node: ast.Call) -> str:
    """The last name of what is called."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def is_safe(argument: ast.expr) -> bool:
    """A constant, or made by ``content``."""
    return isinstance(argument, ast.Constant) or (isinstance(argument, ast.Call) and called(argument) == "content")


def offences(source: str) -> list[str]:
    """What in a module could show text that was not cleaned."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in ("border_title", "border_subtitle", "tooltip"):
            found.append(f"{node.lineno}: {node.attr} parses markup")
        if not isinstance(node, ast.Call):
            continue
        name = called(node)
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        markup = keywords.get("markup")
        plain = isinstance(markup, ast.Constant) and markup.value is False
        if name in BUILDERS:
            found.append(f"{node.lineno}: {name}() belongs into text.py")
        if name in SHOWN and node.args and isinstance(node.func, ast.Name | ast.Attribute):
            own = (
                not isinstance(node.func, ast.Attribute)
                or "query_one" in ast.unparse(node.func)
                or "self." in ast.unparse(node.func)
            )
            if name == "update" and not own:
                continue
            if not is_safe(node.args[0]):
                found.append(f"{node.lineno}: {name}({ast.unparse(node.args[0])[:40]}) without content()")
        if name == "notify" and not plain:
            found.append(f"{node.lineno}: notify() without markup=False")
        if name == "Static" and not plain:
            found.append(f"{node.lineno}: Static() without markup=False")
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_no_module_builds_text_of_its_own(module: Path) -> None:
    """Outside text.py nothing makes segments, content or markup, and no widget is given a bare value."""
    assert offences(module.read_text(encoding="utf-8")) == []


def test_the_reader_of_sources_sees_offences() -> None:
    """What the rule forbids is found."""
    for line in ("Static(value, markup=False)", "Segment(x)", "self.notify(x)", "w.border_title = x", "Static('x')",
                 "self.query_one(Static).update(x)"):  # fmt: skip
        assert offences(line), line


@given(st.text())
def test_no_control_character_passes_any_of_the_ways(value: str) -> None:
    """Whatever text goes in, no control, bidi or surrogate character comes out."""
    ways = [
        text.clean(value),
        text.segment(value).text,
        text.fit(value, 20),
        *text.wrap(value, 20),
        *text.content(value, "\n", (value, "bold")).plain.split("\n"),
    ]
    for way in ways:
        assert text._UNSAFE.search(way) is None


@given(st.text(max_size=60), st.integers(1, 30))
def test_cells_have_exactly_the_width_asked_for(value: str, width: int) -> None:
    """Wide and combining characters do not push the columns behind them."""
    assert text.width_of(text.fit(value, width)) == width
    assert all(text.width_of(row) <= max(2, width) for row in text.wrap(value, max(2, width)))


def test_the_last_look_stops_what_a_widget_let_through() -> None:
    """Escape sequences and links of any widget's segments are taken out on their way to the terminal."""
    bad = [Segment("a\x1b]52;c;aGk=\x07b\x9bc", Style(link="https://x.invalid", bold=True)), Segment("\u202eok")]
    good = OutputFilter().apply(bad, Color(0, 0, 0))
    assert [piece.text for piece in good] == ["a ]52;c;aGk= b c", " ok"]
    assert good[0].style is not None
    assert good[0].style.link is None
    assert good[0].style.bold
