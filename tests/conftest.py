"""Fixtures that tests of every package may use."""

from tests.postgres import postgres_database, postgres_url

__all__ = ["postgres_database", "postgres_url"]
