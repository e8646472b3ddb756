"""The tables of keys in docs/viewer.md, made from the bindings, each told once. Run from the repository's root:

.venv/bin/python -m docs.viewer_keys
"""

from importlib import import_module
from pathlib import Path

from textual.binding import Binding
from textual.keys import format_key

PAGE = Path(__file__).parent / "viewer.md"
BEGIN, END = "<!-- keys -->\n", "<!-- end of keys -->\n"
PLACES = {
    "Everywhere": "screens.main:MainScreen",
    "In every list, tree and text": "widgets.virtual:VirtualRows",
    "1 Traces": "screens.traces:TracesView",
    "2 Trace": "screens.trace:TraceView",
    "2 Trace, the tree": "widgets.waterfall:Waterfall",
    "Text with folds": "widgets.body:BodyView",
    "3 Threads": "screens.threads:ThreadsView",
    "4 Inbox": "screens.inbox:InboxView",
    "5 Stats": "screens.stats:StatsView",
    "6 SQL": "screens.sql:SqlView",
    "6 SQL, the rows": "widgets.grid:Grid",
    "6 SQL, the editor": "widgets.query_editor:QueryEditor",
    "The filter line": "widgets.filter_line:FilterLine",
}


def tables() -> str:
    """One table a place: keys, what they do, and the id that a keymap names."""
    parts = []
    told: set[str | None] = set()
    for title, where in PLACES.items():
        module, name = where.split(":")
        bindings = getattr(import_module(f"flightlog_viewer.tui.{module}"), name).BINDINGS
        parts.append(f"\n### {title}\n\n| key | does | id |\n|---|---|---|\n")
        for binding in bindings:
            assert isinstance(binding, Binding)
            if binding.id in told:
                continue
            told.add(binding.id)
            keys = " ".join(f"`{shown(key)}`" for key in binding.key.split(","))
            parts.append(f"| {keys} | {binding.description} | `{binding.id}` |\n")
    return "".join(parts)


def shown(key: str) -> str:
    """A key as people write it."""
    return format_key(key).replace("`", "\\`")


def main() -> None:
    """Write the tables into the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    PAGE.write_text(before + BEGIN + tables() + "\n" + END + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
