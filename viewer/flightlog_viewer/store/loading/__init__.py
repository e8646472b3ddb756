"""Lines become rows: one pass by DuckDB, and a closer look at what it cannot vouch for."""
