"""DuckDB over span files and checkpoint history."""
