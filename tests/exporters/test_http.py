"""The way to an OTLP server over HTTP, and what its answer means."""

from collections.abc import Iterator

import pytest

from flightlog.errors import UsageError
from flightlog_exporters.delivery.answer import Verdict
from flightlog_exporters.delivery.http import HttpSender, judge
from flightlog_exporters.delivery.settings import resolve
from tests.exporters.receiver import Receiver, drip, receiving


@pytest.fixture
def proxy() -> Iterator[Receiver]:
    """A proxy that answers what it is asked to pass on."""
    with receiving() as receiver:
        yield receiver


@pytest.mark.parametrize("prefix", ["http://user:p%40ss@", "user:p%40ss@"], ids=["a URL", "without a scheme"])
def test_a_proxy_is_taken_from_the_environment(proxy: Receiver, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request goes to the proxy, with the user and password that stand in its address."""
    monkeypatch.setenv("http_proxy", prefix + proxy.url.removeprefix("http://"))
    monkeypatch.setenv("no_proxy", "")
    sender = HttpSender(resolve("http://otlp.invalid:4318", environment={}))
    assert sender.send(b"").verdict is Verdict.DELIVERED
    sender.close()
    assert proxy.paths == ["http://otlp.invalid:4318/v1/traces"]
    assert proxy.headers[0]["proxy-authorization"] == "Basic dXNlcjpwQHNz"


@pytest.mark.parametrize("address", ["socks5://user:secret@127.0.0.1:1", "not a proxy", "http://[::1"])
def test_a_proxy_that_cannot_be_used_is_a_sentence(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no HTTP proxy is said, without the password in it."""
    monkeypatch.setenv("http_proxy", address)
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(UsageError, match="the proxy that http_proxy names cannot be used") as raised:
        HttpSender(resolve("http://otlp.invalid:4318", environment={}))
    assert "secret" not in str(raised.value)


def test_a_user_in_the_address_is_sent(proxy: Receiver) -> None:
    """User and password of an endpoint go along, unless a header says who it is."""
    address = proxy.url.replace("http://", "http://user:p%40ss@")
    for headers in ((), ("authorization=Bearer x",)):
        sender = HttpSender(resolve(address, headers=headers, environment={}))
        assert sender.send(b"").verdict is Verdict.DELIVERED
        sender.close()
    assert [sent["authorization"] for sent in proxy.headers] == ["Basic dXNlcjpwQHNz", "Bearer x"]


def test_a_certificate_that_is_missing_is_named() -> None:
    """A wrong path is said at once, whichever of the three files it was for."""
    for name in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"):
        with pytest.raises(UsageError, match=r"cannot read the certificate missing\.pem"):
            resolve("https://localhost", environment={f"OTEL_EXPORTER_OTLP_{name}": "missing.pem"})


def test_a_certificate_that_is_not_trusted_says_how_to_trust_it(proxy: Receiver) -> None:
    """TLS that fails is no reason to try again, and what helps is named."""
    sender = HttpSender(resolve(proxy.url.replace("http:", "https:"), environment={}))
    answer = sender.send(b"")
    sender.close()
    assert answer.verdict is Verdict.REFUSED
    assert "OTEL_EXPORTER_OTLP_CERTIFICATE names a file" in answer.reason


def test_a_redirect_to_what_is_no_address_is_refused() -> None:
    """A server may send any text for the place to go to."""
    assert "redirects (301) to nowhere" in judge(301, {"location": "http://[bad"}, b"").reason


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\nx-", b"HTTP/1.1 503 busy\r\n\r\n", b"HTTP/1.1 503 busy\r\nContent-Length: 40\r\n\r\n"],
    ids=["the head", "a body without a length", "a body"],
)
def test_an_answer_that_drips_is_given_up_in_time(proxy: Receiver, head: bytes) -> None:
    """The timeout is for the whole answer, however soon each byte of it comes; the next request is answered."""
    proxy.script = iter([drip(head)])
    sender = HttpSender(resolve(proxy.url, environment={"OTEL_EXPORTER_OTLP_TIMEOUT": "0.3"}))
    answer = sender.send(b"")
    assert (answer.verdict, answer.reason) == (Verdict.RETRY, "the server did not answer in time")
    assert sender.send(b"").verdict is Verdict.DELIVERED
    sender.close()


def test_the_wait_a_server_asks_for_is_read() -> None:
    """Retry-After as seconds or as a date, bounded, and nothing when it makes no sense."""
    assert judge(429, {"retry-after": "7"}, b"").retry_after_s == 7
    assert judge(503, {"retry-after": "1e9"}, b"").retry_after_s == 600
    assert judge(503, {"retry-after": "Fri, 01 Jan 2100 00:00:00 GMT"}, b"").retry_after_s == 600
    assert judge(503, {"retry-after": "Fri, 01 Jan 2010 00:00:00 GMT"}, b"").retry_after_s == 0
    assert judge(503, {"retry-after": "soon"}, b"").retry_after_s is None
    assert judge(503, {"retry-after": "nan"}, b"").retry_after_s is None
