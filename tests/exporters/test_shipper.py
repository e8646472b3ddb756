"""Sending span files: what is new, once confirmed, through rotation and crashes."""

import gzip
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b
from itertools import chain, repeat
from pathlib import Path

import orjson
import pytest

from flightlog.errors import UsageError
from flightlog_exporters import shipper
from flightlog_exporters.ids import span_id
from flightlog_exporters.semconv.names import RESUME_LINK
from flightlog_exporters.ship_state import locked
from flightlog_viewer.cli.app import main
from tests.exporters import receiver as answers
from tests.exporters.receiver import Receiver
from tests.exporters.shipping import MS, ship, tool_span, write_spans


def test_only_what_is_new_is_sent(server: Receiver, tmp_path: Path) -> None:
    """A second export goes on where the first stopped, and a torn last line waits for its end."""
    path = tmp_path / "spans.jsonl"
    first = write_spans(path, 3)
    assert ship(server.url, path).delivered == 3
    assert ship(server.url, path).delivered == 0
    line = tool_span(3).to_json()
    with path.open("ab") as file:
        file.write(line[:20])
    assert ship(server.url, path).delivered == 0
    with path.open("ab") as file:
        file.write(line[20:] + b"\n{broken}\n")
    result = ship(server.url, path)
    assert (result.delivered, result.rejected, result.failure) == (1, 1, None)
    assert list(server.span_ids()) == [*first, span_id("run-3")]
    assert server.paths[0] == "/v1/traces"


@pytest.mark.parametrize("bound", ["BATCH_SPANS", "BATCH_BYTES"])
def test_a_large_file_goes_in_batches(
    bound: str, server: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No request holds more than a batch, what is confirmed is kept, and the rest follows with the next export."""
    path = tmp_path / "spans.jsonl"
    ids = write_spans(path, 10)
    monkeypatch.setattr(shipper, bound, 4 if bound == "BATCH_SPANS" else 4 * len(tool_span(0).to_json()))
    server.script = iter([answers.accept, answers.status(400)])
    result = ship(server.url, path)
    assert (result.delivered, result.failure is None) == (4, False)
    assert ship(server.url, path).delivered == 6
    assert [len(request.resource_spans[0].scope_spans[0].spans) for request in server.requests] == [4, 4, 2]
    assert list(server.span_ids()) == ids


def test_a_file_stays_known_when_it_is_rotated_and_compressed(server: Receiver, tmp_path: Path) -> None:
    """A renamed or packed file goes on where it was, and a new file of the old name begins at its start."""
    path, rotated = tmp_path / "spans.jsonl", tmp_path / "spans.20261120T101502.123456Z.jsonl"
    write_spans(path, 3)
    ship(server.url, path)
    write_spans(path, 2, start=3)
    path.rename(rotated)
    write_spans(path, 2, start=5)
    assert ship(server.url, rotated, path).delivered == 4
    packed = rotated.with_name(rotated.name + ".gz")
    packed.write_bytes(gzip.compress(rotated.read_bytes()))
    rotated.unlink()
    assert ship(server.url, packed, path).delivered == 0
    assert set(server.span_ids().values()) == {1}


def test_a_file_that_was_replaced_is_sent_from_its_beginning(server: Receiver, tmp_path: Path) -> None:
    """The same first line before other content does not count as delivered."""
    path = tmp_path / "spans.jsonl"
    write_spans(path, 4)
    ship(server.url, path)
    path.unlink()
    write_spans(path, 1)
    write_spans(path, 5, start=10)
    assert ship(server.url, path).delivered == 6


def test_a_resume_links_to_the_run_it_continues(server: Receiver, tmp_path: Path) -> None:
    """The question is found by its id, or is the thread's last one before, also when an earlier export sent it."""
    path = tmp_path / "spans.jsonl"
    asked = tool_span(
        1,
        type="chain",
        kind="graph",
        trace_id="run-1",
        status="interrupted",
        thread_id="t",
        interrupts=[{"id": "i-1", "value": "Send?"}],
    )
    by_id = tool_span(2, type="chain", kind="graph", trace_id="run-2", resumes=[{"interrupt_id": "i-1", "value": 1}])
    by_thread = tool_span(3, type="chain", kind="graph", trace_id="run-3", thread_id="t", resumes=[{"value": 1}])
    asked_again = replace(by_thread, run_id="run-4", status="interrupted", interrupts=[{"id": "i-4"}])
    at_last = replace(by_thread, run_id="run-5", start_ns=9 * MS)
    by_older_id = replace(by_id, run_id="run-6", thread_id="t")
    path.write_bytes(asked.to_json() + b"\n")
    ship(server.url, path)
    with path.open("ab") as file:
        for span in (by_thread, by_id, asked_again, at_last, by_older_id):
            file.write(span.to_json() + b"\n")
    ship(server.url, path)
    found = {span.span_id: span.links for span in server.spans}
    assert not found.pop(span_id("run-1"))
    linked = {}
    for name, (link,) in found.items():
        linked[name] = link.span_id
        assert [(one.key, one.value.bool_value) for one in link.attributes] == [(RESUME_LINK, True)]
    before = {"run-2": "run-1", "run-3": "run-1", "run-4": "run-1", "run-5": "run-4", "run-6": "run-1"}
    assert linked == {span_id(name): span_id(question) for name, question in before.items()}


def test_trace_context_of_a_live_bridge_is_kept(server: Receiver, tmp_path: Path) -> None:
    """Spans go out under the ids that the bridge gave them while they ran; half of such ids is none."""
    path = tmp_path / "spans.jsonl"
    otel = {"trace_id": "ab" * 16, "span_id": "cd" * 8, "parent_span_id": "ef" * 8}
    halves = [{**otel, "trace_id": "ab"}, {**otel, "span_id": "0" * 16}]
    spans = [tool_span(n, otel=ids, parent_run_id="p") for n, ids in enumerate([otel, *halves])]
    path.write_bytes(b"".join(span.to_json() + b"\n" for span in spans))
    ship(server.url, path)
    span, *others = server.spans
    assert [other.span_id for other in others] == [span_id(one.run_id) for one in spans[1:]]
    assert {other.parent_span_id for other in others} == {span_id("p")}
    assert span.trace_id.hex() == otel["trace_id"]
    assert span.span_id.hex() == otel["span_id"]
    assert span.parent_span_id.hex() == otel["parent_span_id"]


def test_two_exports_to_one_place_do_not_run_at_once(tmp_path: Path) -> None:
    """The second one is refused with a sentence, and the lock goes with the first."""
    with (
        locked(tmp_path / "state.json"),
        pytest.raises(UsageError, match="another export"),
        locked(tmp_path / "state.json"),
    ):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("path", "reason"), [(".", "a folder"), ("/", "a folder"), ("", "a folder"), ("/dev/null", "no regular file")]
)
def test_a_state_that_is_no_file_is_refused(path: str, reason: str) -> None:
    """A path without a name is none for a file, and nothing can be saved in a device."""
    with pytest.raises(UsageError, match=f"is {reason}; --state"), locked(Path(path)):
        raise AssertionError("it was opened")


def test_a_broken_state_file_is_named(tmp_path: Path) -> None:
    """Saved offsets that cannot be read stop the export instead of sending from anywhere."""
    state = tmp_path / "state.json"
    for text in ("nonsense", "[]", '{"v": 99, "files": []}', '{"v": 1, "files": {}}', '{"v": 1}'):
        state.write_text(text)
        with pytest.raises(UsageError, match="delete it"), locked(state):
            pass


@pytest.mark.parametrize("offset", [-5, 2**63, 2**62])
def test_an_offset_that_no_file_has_sends_all_again(server: Receiver, tmp_path: Path, offset: int) -> None:
    """Damage that is still JSON is no offset: too much is sent rather than a fault told."""
    path = tmp_path / "spans.jsonl"
    write_spans(path, 2)
    ship(server.url, path)
    state = tmp_path / ".state.json"
    saved = orjson.loads(state.read_bytes())
    saved["files"][0] |= {"offset": offset, "tail": blake2b(b"", digest_size=16).hexdigest()}
    state.write_bytes(orjson.dumps(saved))
    assert ship(server.url, path).delivered == 2


STEPS = ("send", "answered", "drafted", "saved")


@pytest.mark.slow
@pytest.mark.uncounted
@pytest.mark.parametrize("spans", [8_000, pytest.param(20_000, marks=pytest.mark.soak)])
def test_a_kill_between_any_two_steps_loses_nothing(server: Receiver, tmp_path: Path, spans: int) -> None:
    """Through an unreliable server, from a shipper that is killed before, within and after each step, all arrive."""
    path = tmp_path / "spans.jsonl"
    ids = write_spans(path, spans)
    server.script = chain(
        (
            answers.status(503),
            answers.status(429, retry_after="0"),
            answers.reset,
            answers.accept,
            answers.html,
            answers.accept,
            answers.partial(2),
            answers.slow(0.4),
            answers.status(302, location="/elsewhere"),
        ),
        repeat(answers.accept),
    )
    script = Path(__file__).parent / "killed_shipper.py"
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_TIMEOUT": "0.3"}
    outcomes = []
    for attempt in range(40):
        step = STEPS[attempt % 4] if attempt < 12 else "never"
        process = subprocess.run(
            [sys.executable, str(script), server.url, str(path), step, str(1 + attempt // 4)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        outcomes.append(process.returncode)
        if process.returncode == 0:
            break
    assert outcomes[-1] == 0, process.stderr
    assert -signal.SIGKILL in outcomes
    assert 1 in outcomes, "the refusals ended an export"
    missing = set(ids) - set(server.span_ids())
    assert not missing


def test_the_command_tells_what_became_of_it(
    server: Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status 0 and a count when all is delivered, 1 and the reason when not, 2 for what cannot be meant."""
    path = tmp_path / "spans.jsonl"
    write_spans(path, 3)
    command = ["export", "otlp", str(path)]
    assert main([*command, "--endpoint", server.url, "--header", "x-key=1"]) == 0
    assert server.headers[0]["x-key"] == "1"
    assert f"3 spans delivered to {server.url}/v1/traces, without content" in capsys.readouterr().err
    server.script = iter((answers.html,))
    assert main([*command, "--endpoint", server.url, "--again"]) == 1
    assert "not everything was delivered: the server answered 200 with text/html" in capsys.readouterr().err
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20abc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "openinference.project.name=my%20agents,service.name=x")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "desk")
    assert main([*command, "--content", "--again"]) == 0
    assert server.headers[-1]["authorization"] == "Basic abc"
    assert server.headers[-1]["content-encoding"] == "gzip"
    resources = [
        {pair.key: pair.value.string_value for pair in request.resource_spans[0].resource.attributes}
        for request in server.requests
    ]
    assert resources[0] == {"service.name": "unknown_service"}
    assert resources[-1] == {"service.name": "desk", "openinference.project.name": "my agents"}
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "nonsense")
    assert main(command) == 2
    monkeypatch.delenv("OTEL_RESOURCE_ATTRIBUTES")
    capsys.readouterr()
    for wrong in (["--endpoint", "nonsense"], ["--protocol", "http/json"], ["--header", "x"], ["--conventions", "x"]):
        assert main([*command, *wrong]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_follow_goes_on_through_rotation(server: Receiver, tmp_path: Path) -> None:
    """--follow sends what comes into the file and into its successor; stopped with nothing left to send, it is done."""
    path = tmp_path / "spans.jsonl"
    ids = write_spans(path, 2)
    program = "import sys; from flightlog_viewer.cli.app import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "export", "otlp", str(path), "--endpoint", server.url, "--follow"],
        stderr=subprocess.PIPE,
    )
    try:
        _wait(lambda: len(server.spans) >= 2)
        ids += write_spans(path, 1, start=2)
        path.rename(tmp_path / "spans.20261120T101502.123456Z.jsonl")
        _wait(lambda: len(server.span_ids()) >= 3)
        ids += write_spans(path, 2, start=3)
        _wait(lambda: len(server.span_ids()) >= 5)
        time.sleep(0.2)  # the answer is on its way
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=10)[1]
        assert (process.returncode, said.count(b"5 spans delivered to")) == (0, 1)
    finally:
        process.kill()
        process.communicate()
    assert set(server.span_ids()) == set(ids)


def test_what_was_delivered_is_said_when_it_is_stopped(
    server: Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C while the server is waited for says how far it came."""

    def stop(handler: answers.Handler) -> None:
        signal.raise_signal(signal.SIGINT)
        answers.status(503)(handler)

    path = tmp_path / "spans.jsonl"
    write_spans(path, shipper.BATCH_SPANS + 1)
    server.script = iter([answers.accept, stop])
    assert main(["export", "otlp", str(path), "--endpoint", server.url]) == 130
    said = capsys.readouterr().err
    assert said == "flightlog: 512 spans delivered before it was stopped; run it again to go on\nflightlog: stopped\n"


def _wait(done: Callable[[], bool]) -> None:
    for _ in range(200):
        if done():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within 10 s")
