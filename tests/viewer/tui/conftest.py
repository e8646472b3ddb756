"""Fixtures of the viewer's tests."""

from tests.viewer.tui.home import home

__all__ = ["home"]
