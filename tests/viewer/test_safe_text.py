"""Text from data on its way to a terminal."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightlog_viewer.safe_text import safe_json, safe_text

HOSTILE = [
    "\x1b]52;c;cm0gLXJmIC8=\x07",
    "\x9b2J\x9b1;1H",
    "a\u202egnp.exe",
    "\u2066\u2069\u200f\u061c",
    "\U000e0041\U000e0042",
    "\ud800",
    "x\x08\x08y\x7f",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_control_character_passes(text: str) -> None:
    """What reaches the screen has no control, format, surrogate or separator character."""
    bad = {"Cc", "Cs", "Zl", "Zp"}
    for shown in (safe_text(text), safe_text(text, keep_newlines=True)):
        assert not any(unicodedata.category(c) in bad and c != "\n" for c in shown)
        assert "\u202e" not in shown
        assert not any(0xE0000 <= ord(c) < 0xE1000 for c in shown)


@given(st.text(st.characters(codec=None)))
def test_any_text_becomes_printable_and_stays_so(text: str) -> None:
    """Cleaning is total, leaves one line, and a second cleaning changes nothing."""
    once = safe_text(text)
    assert safe_text(once) == once
    assert not {c for c in once if unicodedata.category(c) in ("Cc", "Cs")}


def test_line_breaks_are_a_space_or_one_newline() -> None:
    """A name stays on its line, a body keeps its lines."""
    assert safe_text("a\r\nb\tc") == "a b c"
    assert safe_text("a\r\nb\u2028c", keep_newlines=True) == "a\nb\nc"


@given(st.text())
def test_escaped_json_is_the_same_value(text: str) -> None:
    """Escaping controls in JSON changes how it looks and not what it says."""
    escaped = safe_json(json.dumps(text, ensure_ascii=False))
    assert json.loads(escaped) == text
    assert "\x9b" not in escaped
    assert "\u202e" not in escaped
