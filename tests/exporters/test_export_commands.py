import gzip
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from flightlog import read_spans
from flightlog.span import Span
from flightlog_viewer.cli.app import main

FIXTURE = Path(__file__).parent / "fixtures" / "openinference.jsonl"


@pytest.fixture
def span_file(tmp_path: Path) -> Path:
    """A span file with two spans and a bad line."""
    spans = [
        Span(
            type="tool",
            name="f",
            run_id="b",
            parent_run_id="a",
            trace_id="a",
            start_ns=2_000_000,
            duration_ms=1.5,
            status="ok",
            inputs={"x": 1},
        ),
        Span(
            type="chain",
            kind="graph",
            name="g",
            run_id="a",
            trace_id="a",
            start_ns=1_000_000,
            duration_ms=3.0,
            status="ok",
            output="done",
        ),
    ]
    path = tmp_path / "spans.jsonl"
    path.write_bytes(b"".join(span.to_json() + b"\n" for span in spans) + b"{broken\n")
    return path


def test_a_way_out_and_back_in_changes_nothing(
    span_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """export otlp-json --content and import give the same records."""
    there, back = tmp_path / "out.otlp.jsonl", tmp_path / "back.jsonl"
    assert main(["export", "otlp-json", str(span_file), "-o", str(there), "--content"]) == 0
    assert capsys.readouterr().err == f"flightlog: 2 spans in {there}, 1 line could not be read\n"
    assert main(["import", str(there), "-o", str(back)]) == 0
    assert list(read_spans(back)) == list(read_spans(span_file))
    assert there.stat().st_mode & 0o77 == back.stat().st_mode & 0o77 == 0


@pytest.mark.parametrize("form", ["parquet", "perfetto", "otlp-json"])
def test_a_record_that_is_there_twice_is_exported_once(tmp_path: Path, form: str) -> None:
    """A packed copy beside a file, a line that was written again and a copy without contents change nothing."""
    required: dict[str, Any] = {"type": "chain", "name": "g", "start_ns": 0, "duration_ms": 1.0, "status": "ok"}
    span = Span(run_id="r0", trace_id="r0", writer_id="w", seq=0, service="first", output="all", **required)
    lines = [replace(span, run_id=f"r{seq}", trace_id=f"r{seq}", seq=seq).to_json() for seq in (0, 1, 300)]
    keyless = replace(span, writer_id=None, seq=None).to_json()
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([*lines, lines[1], keyless, keyless]) + b"\n")
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b"\n".join(lines[:2]) + b"\n"))
    (tmp_path / "b.jsonl").write_bytes(replace(Span.from_json(lines[0]), output=None, extra={"x": 1}).to_json() + b"\n")
    (tmp_path / "c.jsonl").write_bytes(replace(span, writer_id="another", service="second").to_json() + b"\n")
    out = tmp_path / "out"
    paths = [str(tmp_path / name) for name in ("a.jsonl", "a.jsonl.gz", "b.jsonl", "c.jsonl")]
    assert main(["export", form, *paths, "-o", str(out)]) == 0
    if form == "parquet":
        rows = duckdb.connect().sql(f"SELECT writer_id, seq, output FROM read_parquet('{out}/**/*.parquet')").fetchall()
        found = sorted(rows, key=str)
        keys = [("another", 0), ("w", 0), ("w", 1), ("w", 300), (None, None), (None, None)]
        assert found == sorted(((*key, '"all"') for key in keys), key=str)
    else:
        text = out.read_text()
        assert text.count('"ph":"X"' if form == "perfetto" else '"spanId"') == 6


@pytest.mark.parametrize("form", ["otlp-json", "parquet", "perfetto"])
def test_a_span_file_that_is_gone_is_no_fault(tmp_path: Path, form: str) -> None:
    """What was in flight when it was moved away stands beside the files that are exported, and has not ended."""
    folder = tmp_path / "runs"
    required: dict[str, Any] = {"type": "chain", "name": "g", "start_ns": 0, "duration_ms": 1.0, "status": "ok"}
    record = Span(run_id="r", trace_id="r", writer_id="w", seq=1, **required).to_json()
    folder.mkdir()
    (folder / "there.jsonl").write_bytes(record + b"\n")
    (folder / "gone.jsonl.w.open").write_bytes(record + b"\n\0")
    assert main(["export", form, str(folder), "-o", str(tmp_path / "out")]) == 0


def test_content_needs_to_be_allowed(span_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --content and without the environment's word, no payload leaves; with either, it does."""
    monkeypatch.delenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", raising=False)
    out = tmp_path / "out.jsonl"
    command = ["export", "otlp-json", str(span_file), "-o", str(out), "--overwrite"]
    assert main(command) == 0
    assert b"done" not in out.read_bytes()
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
    assert main(command) == 0
    assert b"done" in out.read_bytes()
    assert main([*command, "--no-content"]) == 0
    assert b"done" not in out.read_bytes()


def test_a_foreign_file_is_exported_like_our_own(tmp_path: Path) -> None:
    """Export takes files of other formats too, by their content."""
    out = tmp_path / "out.jsonl"
    assert main(["export", "otlp-json", str(FIXTURE), "-o", str(out)]) == 0
    assert out.stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import", "{here}/no.jsonl", "-o", "{here}/x.jsonl"], "cannot read {here}/no.jsonl: No such file"),
        (["import", "{here}/spans.jsonl", "-o", "{here}/x.jsonl"], "is a span file already"),
        (["import", "{here}", "-o", "{here}/x.jsonl"], "{here} is not a regular file"),
        (["import", "-", "-o", "{here}/x.jsonl"], "standard input is not a file"),
        (["import", str(FIXTURE), "-o", "{here}/spans.jsonl"], "is there already"),
        (["import", str(FIXTURE), "-o", "{here}/no/x.jsonl"], "cannot write {here}/no/x.jsonl"),
        (["import", str(FIXTURE), "-o", "{here}"], "is a folder"),
        (["export", "otlp-json", "{here}/spans.jsonl", "-o", "{here}/x", "--conventions", "my"], "conventions are"),
        (["export", "otlp-json", "{here}/spans.jsonl"], "missing option '-o'"),
        (["export", "nonsense"], "no such command 'nonsense'"),
        (["export", "perfetto", "{garbage}", "-o", "{here}/x"], "is not a span file"),
        (["export", "parquet", "{garbage}", "-o", "{here}/x"], "is not a span file"),
        (["export", "otlp", "{garbage}", "--endpoint", "http://127.0.0.1:9"], "is not a span file"),
        (["export", "perfetto", "{empty}", "-o", "{here}/x"], "is empty: no span has been recorded yet"),
        (["export", "parquet", "{empty}", "-o", "{here}/x"], "is empty: no span has been recorded yet"),
        (["export", "otlp-json", "{empty}", "-o", "{here}/x"], "is empty: no span has been recorded yet"),
        (["export", "otlp", "{empty}", "--endpoint", "http://127.0.0.1:9"], "is empty: no span has been recorded yet"),
        (["collect", "-o", "{here}"], "is a folder"),
        (["collect", "-o", "{here}/no/x.jsonl"], "cannot write"),
    ],
)
def test_bad_arguments_are_one_sentence(
    arguments: list[str],
    message: str,
    span_file: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What cannot be meant or read ends with status 2, a sentence, and no output file."""
    garbage = tmp_path_factory.mktemp("garbage") / "garbage.jsonl"
    garbage.write_bytes(bytes(range(256)) * 100)
    empty = garbage.with_name("empty.jsonl")
    empty.touch()
    assert main([argument.format(here=tmp_path, garbage=garbage, empty=empty) for argument in arguments]) == 2
    err = capsys.readouterr().err
    assert message.format(here=tmp_path) in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["spans.jsonl"]


def test_without_opentelemetry_the_commands_say_what_to_install(span_file: Path, tmp_path: Path) -> None:
    """otlp (both protocols) and collect name the extra; what needs no OpenTelemetry works without it."""
    program = f"""
import sys
for name in ("opentelemetry", "urllib3", "grpc", "google.protobuf"):
    sys.modules[name] = None
from flightlog_viewer.cli.app import main
path, folder = {str(span_file)!r}, {str(tmp_path)!r}
for protocol in ("http/protobuf", "grpc"):
    assert main(["export", "otlp", path, "--endpoint", "http://127.0.0.1:9", "--protocol", protocol]) == 2
assert main(["collect", "-o", folder + "/c.jsonl", "--port", "0"]) == 2
assert main(["export", "otlp-json", path, "-o", folder + "/o.jsonl", "--content"]) == 0
assert main(["import", folder + "/o.jsonl", "-o", folder + "/i.jsonl"]) == 0
assert main(["export", "perfetto", path, "-o", folder + "/p.json"]) == 0
assert main(["export", "parquet", path, "-o", folder + "/parquet"]) == 0
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("pip install 'flightlog[otel]'") == 3
