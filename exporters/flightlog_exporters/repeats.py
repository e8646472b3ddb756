"""Records that are there twice count once: a line that was written again, a file that is given with its copy."""

from pathlib import Path
from typing import Any, Final

from flightlog.span import Span

_BITS: Final = 8


class Repeats:
    """Which records have come: a bit for each, since those of one writer are numbered one after the other."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], int] = {}

    def has(self, span: Span) -> bool:
        """Whether this record has come before; it has come from now on. One without a key never has."""
        if span.writer_id is None or span.seq is None:
            return False
        key, bit = (span.writer_id, span.seq >> _BITS), 1 << (span.seq & ((1 << _BITS) - 1))
        seen = self._seen.get(key, 0)
        self._seen[key] = seen | bit
        return bool(seen & bit)


def drop_repeats(connection: Any, folder: Path) -> int:
    """Take out of a folder of Parquet files what a file before has, in the order of their names; how many rows."""
    files = [str(path) for path in folder.rglob("*.parquet")]
    if not files:
        return 0
    # Of all rows only their keys are read. Most recordings have no repeats: nothing is written then.
    connection.execute(
        "CREATE TEMP TABLE repeats AS SELECT filename, file_row_number FROM read_parquet("
        "$files, filename = true, file_row_number = true, hive_partitioning = false) "
        "WHERE writer_id IS NOT NULL AND seq IS NOT NULL QUALIFY row_number() OVER ("
        "PARTITION BY writer_id, seq ORDER BY parse_filename(filename), filename, file_row_number) > 1",
        {"files": [literal(name) for name in files]},
    )
    for (name,) in connection.execute("SELECT DISTINCT filename FROM repeats").fetchall():
        path = Path(name)
        draft = path.with_suffix(".part")
        (kept,) = connection.execute(
            "COPY (SELECT * EXCLUDE (file_row_number) FROM read_parquet("
            "$literal, file_row_number = true, hive_partitioning = false) WHERE file_row_number NOT IN ("
            f"SELECT file_row_number FROM repeats WHERE filename = $name)) TO '{quoted(draft)}' "
            "(FORMAT parquet, COMPRESSION zstd)",
            {"literal": literal(name), "name": name},
        ).fetchone()
        if kept:
            draft.replace(path)
            continue
        draft.unlink()
        path.unlink()
        for empty in (path.parent, path.parent.parent):
            if not any(empty.iterdir()):
                empty.rmdir()
    (count,) = connection.execute("SELECT count(*) FROM repeats").fetchone()
    return int(count)


def literal(name: str) -> str:
    """A file name for DuckDB, which expands globs: a bracket class of one character stands for that character."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


def quoted(path: Path) -> str:
    """A path between the quotes of SQL."""
    return str(path).replace("'", "''")
