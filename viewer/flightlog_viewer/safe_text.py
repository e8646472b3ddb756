"""The one way text from data reaches a terminal, a page or a CSV file.

Span files and checkpoint databases are hostile: ESC, CSI and C1 bytes in them can set the clipboard, retitle the window
or imitate a prompt; bidirectional controls can show a command other than the one that is there. Everything shown goes
through one of these functions, by the commands and by the viewer alike.
"""

import os
import re
from typing import Final

_FORBIDDEN: Final = (
    "\x00-\x09\x0b-\x1f"  # C0, without line feed
    "\x7f-\x9f"  # DEL and C1
    "\u00ad\u061c\u180e\u200b-\u200f"  # invisible, and the marks that turn the direction of writing
    "\u2028-\u202e"  # line and paragraph separators; embeddings and overrides
    "\u2060-\u206f\ufeff\ufff9-\ufffb"  # isolates, invisible operators, annotations
    "\ud800-\udfff"  # lone surrogates: no terminal's encoding takes them
    "\U000e0000-\U000e0fff"  # tags: text that nobody sees
)
_CONTROL: Final = re.compile(f"[{_FORBIDDEN}]")
_NOT_ASCII: Final = re.compile(f"[{_FORBIDDEN}]|[^\x00-\x7f]")
_BREAK: Final = re.compile("\r\n|[\n\x0b\x0c\r\x85\u2028\u2029]")
_SPACES: Final = re.compile("[\t\n\x0b\x0c\r\x85\u2028\u2029]+")


def safe_text(text: str, *, keep_newlines: bool = False) -> str:
    """The text without control characters: one line, in which breaks and tabs became one space.

    With ``keep_newlines`` every kind of line break is one ``\\n`` and tabs are spaces.
    """
    if text.isascii() and text.isprintable():
        return text
    spaced = _BREAK.sub("\n", text.expandtabs(4)) if keep_newlines else _SPACES.sub(" ", text)
    return _CONTROL.sub("", spaced)


def safe_json(text: str, *, ascii_only: bool = False) -> str:
    """JSON text with the same characters escaped instead of dropped: the same value, harmless on a terminal."""
    return (_NOT_ASCII if ascii_only else _CONTROL).sub(lambda found: _escape(found[0]), text)


def is_text(text: str) -> bool:
    """Whether UTF-8 can say it: names and arguments that came as other bytes hold lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def name_text(path: str | os.PathLike[str]) -> str:
    """A file's name as text: bytes of it that are not UTF-8 become ``\\xNN``."""
    name = os.fspath(path)
    return name if is_text(name) else os.fsencode(name).decode(errors="backslashreplace")


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
