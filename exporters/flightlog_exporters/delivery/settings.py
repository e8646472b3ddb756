"""Where spans go and how: options first, then the standard OTEL_EXPORTER_OTLP_* variables.

Source: the OpenTelemetry specification, "OpenTelemetry Protocol Exporter". Each variable has a form for traces
(``OTEL_EXPORTER_OTLP_TRACES_X``) that goes before the general one. Timeouts are seconds, as in OpenTelemetry's Python
SDK, so that one environment means the same for both.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Literal
from urllib.parse import unquote, urlsplit, urlunsplit

from flightlog.errors import UsageError
from flightlog_exporters.semconv import names

Protocol = Literal["http/protobuf", "grpc"]

TRACES_PATH: Final = "/v1/traces"
_TIMEOUT_S: Final = 10.0
_NAME: Final = re.compile(r"[-!#$%&'*+.^_`|~0-9a-z]+")
"""Of a header (RFC 9110, 5.6.2), in lower case."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to reach a server."""

    endpoint: str
    """For HTTP the full URL, for gRPC ``host:port``."""
    protocol: Protocol = "http/protobuf"
    secure: bool = False
    """gRPC only: TLS. An HTTP URL says it itself."""
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = _TIMEOUT_S
    """For one request."""
    gzip: bool = False
    certificate: str | None = None
    """File of the certificates to trust, instead of the system's."""
    client_certificate: str | None = None
    client_key: str | None = None


def resolve(
    endpoint: str | None = None,
    protocol: str | None = None,
    headers: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Settings out of options and environment. ``headers`` are ``NAME=VALUE``. Raises UsageError."""
    environ = os.environ if environment is None else environment
    get = partial(_variable, environ)
    chosen = protocol or get("PROTOCOL") or "http/protobuf"
    if chosen not in ("http/protobuf", "grpc"):
        raise UsageError(f"the protocol is http/protobuf or grpc, not {chosen!r}")
    given = _pairs((get("HEADERS") or "").split(","), decode=True) | _pairs(headers, decode=False)
    compression = get("COMPRESSION") or "none"
    if compression not in ("none", "gzip"):
        raise UsageError(f"the compression is none or gzip, not {compression!r}")
    common = Settings(
        "",
        headers=given,
        timeout_s=_seconds(get("TIMEOUT")),
        gzip=compression == "gzip",
        certificate=_readable(get("CERTIFICATE")),
        client_certificate=_readable(get("CLIENT_CERTIFICATE")),
        client_key=_readable(get("CLIENT_KEY")),
    )
    if chosen == "grpc":
        host, secure = _grpc_target(endpoint or get("ENDPOINT") or "http://localhost:4317", get("INSECURE"))
        return replace(common, endpoint=host, protocol="grpc", secure=secure)
    url = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") if endpoint is None else None
    if not url:
        base = _checked_url(endpoint or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or "http://localhost:4318")
        url = base if urlsplit(base).path.endswith(TRACES_PATH) else base.rstrip("/") + TRACES_PATH
    return replace(common, endpoint=_checked_url(url))


def resource_attributes() -> dict[str, str]:
    """What OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say of a process that does not say it itself.

    A service always has a name, since some servers refuse spans without. Raises UsageError.
    """
    attributes = {names.SERVICE: "unknown_service"}
    for item in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        name, equals, value = (unquote(part.strip()) for part in item.partition("="))
        if not item.strip():
            continue
        if not equals or not name:
            raise UsageError(f"OTEL_RESOURCE_ATTRIBUTES is NAME=VALUE,NAME=VALUE, not {item!r}")
        attributes[name] = value
    if service := os.environ.get("OTEL_SERVICE_NAME"):
        attributes[names.SERVICE] = service
    return attributes


def _variable(environment: Mapping[str, str], name: str) -> str | None:
    """The variable for traces, else the general one; empty is unset."""
    for prefix in ("OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_"):
        if value := environment.get(prefix + name, "").strip():
            return value
    return None


def shown(url: str) -> str:
    """The URL without what may be secret in it: user, password and query. Empty for what is not a URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UsageError(f"{url!r} is not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise UsageError(f"{url!r} is not an http:// or https:// URL")
    return url


def _grpc_target(endpoint: str, insecure: str | None) -> tuple[str, bool]:
    """``host:port`` and whether it is TLS: by the scheme, and without one TLS unless told otherwise."""
    if "://" in endpoint:
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise UsageError(f"{endpoint!r} is not an http:// or https:// URL, nor host:port")
        return parts.netloc, parts.scheme == "https"
    return endpoint, (insecure or "").lower() != "true"


def _pairs(items: Sequence[str], *, decode: bool) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for item in items:
        if not item.strip():
            continue
        name, equals, value = item.partition("=")
        name, value = name.strip().lower(), value.strip()
        if decode:
            name, value = unquote(name), unquote(value)
        # A line break would end the header and begin another. `Authorization: Basic eA==` has a sign, too.
        if not equals or not _NAME.fullmatch(name) or any(ord(letter) < 32 or ord(letter) > 126 for letter in value):
            shown = re.split(r"[\s:]", name or item)[0]  # behind it may be what is secret
            raise UsageError(f"a header is NAME=VALUE in printable ASCII, not {shown!r}")
        pairs[name] = value
    return pairs


def _readable(path: str | None) -> str | None:
    """A file of certificates or a key: TLS would say of a missing one neither its name nor that it is missing."""
    if path is not None:
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise UsageError(f"cannot read the certificate {path}: {error.strerror}") from None
    return path


def _seconds(text: str | None) -> float:
    if text is None:
        return _TIMEOUT_S
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86400:
        raise UsageError(f"a timeout is seconds above 0, not {text!r}")
    return seconds
