"""Fixtures that tests of every package may use, what their names look like, and how the collector is kept cheap."""

import gc

import pytest

from tests.postgres import postgres_database, postgres_url

__all__ = ["postgres_database", "postgres_url"]

_LONGEST = 200


def pytest_make_parametrize_id(val: object) -> str | None:
    """The beginning of a long text: a name of megabytes would go into every report and into the environment."""
    return f"{str(val)[:_LONGEST]}..." if isinstance(val, str | bytes) and len(val) > _LONGEST else None


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is imported by now stays to the end: the garbage collector need not go through it in every test."""
    gc.collect()
    gc.freeze()
    session.config.add_cleanup(gc.unfreeze)
