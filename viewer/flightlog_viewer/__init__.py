"""Reads span files and checkpoint databases: DuckDB store, commands, terminal."""
