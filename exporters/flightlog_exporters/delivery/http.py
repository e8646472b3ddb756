"""OTLP over HTTP, protobuf encoded."""

import gzip
import time
from base64 import b64encode
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import orjson
import urllib3
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from flightlog.errors import UsageError
from flightlog_exporters.delivery.answer import Answer, Verdict, bounded_wait, judge_partial
from flightlog_exporters.delivery.in_time import whole_in_time
from flightlog_exporters.delivery.settings import Settings, shown

_RETRIED: Final = frozenset((408, 429, 502, 503, 504))
_MAX_ANSWER_BYTES: Final = 65536
_TLS: Final = "http:// is without; OTEL_EXPORTER_OTLP_CERTIFICATE names a file of certificates to trust"


class HttpSender:
    """Sends to one URL over one kept connection. Proxies are taken from the environment."""

    def __init__(self, settings: Settings) -> None:
        """Raises UsageError for a proxy that cannot be used."""
        self.target = shown(settings.endpoint)
        self._url = settings.endpoint
        self._gzip = settings.gzip
        self._headers = {
            **_credentials("authorization", urlsplit(settings.endpoint).netloc.rpartition("@")[0]),
            **settings.headers,
            "content-type": "application/x-protobuf",
            "user-agent": "flightlog",
            **({"content-encoding": "gzip"} if settings.gzip else {}),
        }
        timeout = urllib3.Timeout(total=settings.timeout_s)
        options: dict[str, Any] = {
            "timeout": timeout,
            "retries": False,
            "ca_certs": settings.certificate,
            "cert_file": settings.client_certificate,
            "key_file": settings.client_key,
        }
        self._pool = whole_in_time(_pool(settings.endpoint, options))

    def send(self, request: bytes) -> Answer:
        """Send one request and judge the answer."""
        body = gzip.compress(request, 5) if self._gzip else request
        try:
            response = self._pool.request(
                "POST", self._url, body=body, headers=self._headers, redirect=False, preload_content=False
            )
            try:
                text = response.read(_MAX_ANSWER_BYTES, decode_content=True)
                return judge(response.status, response.headers, text)
            finally:
                if response.length_remaining == 0:
                    response.drain_conn()
                else:
                    response.close()
                response.release_conn()
        except urllib3.exceptions.SSLError as error:
            return Answer(Verdict.REFUSED, f"TLS failed: {_cause(error)} ({_TLS})")
        except urllib3.exceptions.LocationParseError as error:
            return Answer(Verdict.REFUSED, f"the address cannot be meant: {error}")
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return Answer(Verdict.RETRY, _plain(error))

    def close(self) -> None:
        """Close the connection."""
        self._pool.clear()


def _pool(endpoint: str, options: dict[str, Any]) -> urllib3.PoolManager:
    """The connections to an endpoint: straight to it, or by the proxy that the environment has for it."""
    scheme, _, rest = endpoint.partition("://")
    proxy = None if proxy_bypass(rest.partition("/")[0]) else getproxies().get(scheme)
    if not proxy:
        return urllib3.PoolManager(**options)
    try:
        if any(map(str.isspace, proxy)):  # the name of a host to urllib3 before 2.8
            raise urllib3.exceptions.LocationParseError(proxy)
        address = urllib3.util.parse_url(proxy if "://" in proxy else f"http://{proxy}")
        credentials = _credentials("proxy-authorization", address.auth)
        return urllib3.ProxyManager(address.url, proxy_headers=credentials, **options)
    except urllib3.exceptions.HTTPError:
        raise UsageError(
            f"the proxy that {scheme}_proxy names cannot be used: give http://HOST:PORT, or list the server in NO_PROXY"
        ) from None


def _credentials(header: str, user_info: str | None) -> dict[str, str]:
    """The header for a ``user:password`` that stands in an address, since urllib3 sends none."""
    return {header: f"Basic {b64encode(unquote(user_info).encode()).decode()}"} if user_info else {}


def judge(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """What an HTTP answer means for the spans that were sent."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if status in (200, 202, 204):
        return _judge_success(status, kind, body)
    if 300 <= status < 400:
        where = shown(headers.get("location", "")) or "nowhere"
        return Answer(Verdict.REFUSED, f"the server redirects ({status}) to {where}: give that address, if it is right")
    said = _said(kind, body)
    if status == 413:
        return Answer(Verdict.TOO_LARGE, f"the server says the request is too large (413{said})")
    if status in _RETRIED:
        return Answer(Verdict.RETRY, f"the server answered {status}{said}", retry_after(headers.get("retry-after")))
    return Answer(Verdict.REFUSED, f"the server answered {status}{said}")


def retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header, which is seconds or an HTTP date; at most ten minutes."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return bounded_wait(seconds) if seconds == seconds else None


def _judge_success(status: int, kind: str, body: bytes) -> Answer:
    if not body:
        # An empty body is an empty response message.
        return Answer(Verdict.DELIVERED)
    if kind in ("application/x-protobuf", "application/protobuf", "application/octet-stream"):
        try:
            partial = ExportTraceServiceResponse.FromString(body).partial_success
        except DecodeError:
            return Answer(Verdict.REFUSED, f"the server answered {status} with something that is not an OTLP response")
        return judge_partial(partial.rejected_spans, partial.error_message)
    if kind == "application/json":
        try:
            message = orjson.loads(body)
        except orjson.JSONDecodeError:
            message = None
        if isinstance(message, dict):
            partial_json = message.get("partialSuccess") or message.get("partial_success") or {}
            if isinstance(partial_json, dict):
                rejected = partial_json.get("rejectedSpans") or partial_json.get("rejected_spans") or 0
                said = partial_json.get("errorMessage") or partial_json.get("error_message") or ""
                return judge_partial(int(rejected) if str(rejected).isdigit() else 1, str(said))
    return Answer(
        Verdict.REFUSED,
        f"the server answered {status} with {kind or 'untyped data'}, not an OTLP response: is this the right address?",
    )


def _said(kind: str, body: bytes) -> str:
    """The server's own words, when they are words: a google.rpc.Status, or short text."""
    if kind in ("application/x-protobuf", "application/protobuf"):
        from google.rpc.status_pb2 import Status

        try:
            message = Status.FromString(body).message
        except DecodeError:
            message = ""
    elif kind in ("text/plain", "application/json"):
        message = body[:300].decode("utf-8", "replace").strip()
    else:
        message = ""
    return f": {message[:300]}" if message else ""


def _plain(error: Exception) -> str:
    """A sentence out of urllib3's nested messages."""
    if isinstance(error, urllib3.exceptions.NewConnectionError | urllib3.exceptions.NameResolutionError):
        return f"no connection: {_cause(error)}"
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError | urllib3.exceptions.ReadTimeoutError):
        return "the server did not answer in time"
    return f"the connection broke: {_cause(error)}"


def _cause(error: BaseException) -> str:
    """What went wrong at the bottom: urllib3 wraps errors in errors, and shows them as Python does."""
    inside = error.args[-1] if error.args else None
    below = inside if isinstance(inside, Exception) else error.__cause__
    if below is not None:
        return _cause(below)
    return str(getattr(error, "strerror", None) or error)[:200].strip()
