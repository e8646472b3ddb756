"""Span files whose every text tries to drive the terminal."""

import unicodedata
from pathlib import Path

import pytest

from flightlog_viewer.cli.app import main
from tests.viewer.span_lines import SpanLines, usage

ATTACK = "\x1b]52;c;cm0=\x07\x9b2J\x1b[1A\u202egnp.exe\u2066\x00\x7f\r\u2028\U000e0041"
COMMANDS = [
    ["summary"],
    ["summary", "--csv"],
    ["summary", "--json"],
    ["summary", "--by", "model"],
    ["summary", "--by", "thread"],
    ["traces"],
    ["traces", "--csv"],
    ["traces", "--json"],
    ["show", "r"],
    ["show", "r", "--payloads"],
    ["show", "r", "--payloads", "--json"],
    ["sql", "FROM spans"],
    ["sql", "FROM spans", "--json"],
    ["sql", "FROM spans", "--format", "csv"],
    ["sql", "SELECT name AS \"\x1b[2J\" FROM spans"],
    ["tail", "--no-follow"],
    ["tail", "--no-follow", "--json"],
    ["doctor"],
    ["doctor", "--json"],
    ["compare", "r", "s"],
    ["compare", "r", "s", "--json"],
    ["report"],
    ["approvals"],
]  # fmt: skip


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with the attack in every field that takes text, in ids as well, and in lines that are not spans."""
    texts = dict.fromkeys(
        ("model", "provider", "node", "thread_id", "checkpoint_ns", "service", "host", "finish_reason"), ATTACK
    )
    error = {"type": ATTACK, "message": ATTACK, "stacktrace": ATTACK}
    asks = [{"id": ATTACK, "value": {ATTACK: ATTACK}}]
    lines = SpanLines()
    for root in ("r", "s"):
        lines.add(root + ATTACK, None, 0, 9, name=ATTACK, kind="graph", status="interrupted", interrupts=asks, **texts)
        lines.add(
            root + "1" + ATTACK, root + ATTACK, 1, 5, type="llm", name=ATTACK, status="error", error=error,
            token_usage=usage(1, 1), inputs={ATTACK: [ATTACK]}, output=ATTACK, metadata={ATTACK: ATTACK},
            tags=[ATTACK], resumes=asks, **texts,
        )  # fmt: skip
    path = tmp_path_factory.mktemp("hostile") / "spans.jsonl"
    return str(lines.write(path, [b'{"v":1,"type":"\x1b[2J"}', ATTACK.encode()]))


# JSON escapes everything in one place: in small, one command for rows and one for a document.
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(one, marks=[pytest.mark.soak] if "--json" in one and one[0] not in ("sql", "show") else [])
        for one in COMMANDS
    ],
    ids=" ".join,
)
def test_nothing_in_the_data_drives_the_terminal(
    command: list[str], hostile: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No command lets a control, direction or invisible character of the data through, on either stream."""
    head, tail = (command[:3], command[3:]) if command[0] == "compare" else (command[:2], command[2:])
    place = [*head, hostile, *tail] if command[0] in ("show", "sql", "compare") else [command[0], hostile, *command[1:]]
    assert main(place) in (0, 1)
    shown = "".join(capsys.readouterr())
    assert shown
    bad = {c for c in shown if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert not bad


def test_a_chain_of_any_depth_is_shown_in_rows_of_bounded_length(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beyond a hundred levels a number says how deep a span is, and no line grows with the depth."""
    chain = SpanLines()
    for number in range(3000):
        chain.add(f"r{number}", f"r{number - 1}" if number else None, 0, 9, name=f"n{number}")
    assert main(["show", "r0", str(chain.write(tmp_path / "spans.jsonl"))]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 3000 + 2
    assert max(map(len, rows)) < 500
    assert rows[2 + 100].split()[:2] == ["└─", "n100"]
    assert rows[-1].split()[:2] == ["2999", "n2999"]
