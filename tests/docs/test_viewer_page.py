"""docs/viewer.md says what the viewer does."""

from docs import viewer_keys


def test_the_page_has_every_key() -> None:
    """The tables are those that the bindings make (python -m docs.viewer_keys writes them)."""
    assert viewer_keys.tables() in viewer_keys.PAGE.read_text(encoding="utf-8")


def test_every_picture_is_there() -> None:
    """Each picture that the page shows exists, and asks for nothing from outside."""
    folder = viewer_keys.PAGE.parent
    names = [
        line.split("](")[1].rstrip(")")
        for line in viewer_keys.PAGE.read_text("utf-8").split("\n")
        if line.startswith("![")
    ]
    assert len(names) == 6
    for name in names:
        assert "https:" not in (folder / name).read_text(encoding="utf-8")
