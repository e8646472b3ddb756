"""The Parquet export in ClickHouse, by its embedded form (chdb)."""

import subprocess
from pathlib import Path

import orjson
import pytest

from flightlog.span import Span
from flightlog_viewer.cli.app import main
from tests.interop.servers import BIN

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

QUERY = """
import sys, chdb
print(chdb.query(f'''
    SELECT count() AS spans, uniqExact(run_id) AS ids,
           sum(JSONExtractUInt(ifNull(token_usage, ''), 'total_tokens')) AS tokens,
           countIf(toUnixTimestamp64Micro(start_time) * 1000 = start_ns) AS exact,
           any(_path LIKE '%service=samples%') AS hive
    FROM file('{sys.argv[1]}/**/*.parquet', Parquet)
''', "JSONEachRow"))
"""


def test_clickhouse_reads_the_parquet_files(recording: tuple[Path, list[Span]], tmp_path: Path) -> None:
    """Counts, ids, tokens out of JSON and times to the microsecond come out as they went in."""
    path, spans = recording
    assert main(["export", "parquet", str(path), "-o", str(tmp_path / "out")]) == 0
    answer = subprocess.run(
        [str(BIN / "python"), "-c", QUERY, str(tmp_path / "out")], capture_output=True, text=True, check=True
    )
    row = {name: int(value) for name, value in orjson.loads(answer.stdout).items()}
    tokens = sum((span.token_usage or {}).get("total_tokens", 0) for span in spans)
    assert row == {"spans": len(spans), "ids": len(spans), "tokens": tokens, "exact": len(spans), "hive": 1}
