"""Rules that hide secrets before anything is encoded.

A rule is a whole key (case does not matter, ``-`` equals ``_``), a compiled regular expression applied to every
string, or a callable ``(field, value) -> value`` that sees a whole payload as JSON values and answers the payload to
keep. A rule that fails drops the field.
"""

import re
import string
from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson

from flightlog.errors import UsageError
from flightlog.foreign import foreign

REDACTED: Final = "[redacted]"

DEFAULT_KEYS: Final = (
    "api_key",
    "apikey",
    "x_api_key",
    "openai_api_key",
    "anthropic_api_key",
    "authorization",
    "proxy_authorization",
    "password",
    "passwd",
    "secret",
    "client_secret",
    "secret_key",
    "aws_secret_access_key",
    "private_key",
    "access_token",
    "refresh_token",
    "auth_token",
    "bearer_token",
    "cookie",
    "set_cookie",
    "credentials",
)
"""Hidden by default. ``redact=`` adds to them; ``redact=None`` switches them off."""

Rule = str | re.Pattern[str] | Callable[[str, Any], Any]

_FOLD_BYTES = bytes.maketrans(string.ascii_uppercase.encode() + b"-", string.ascii_lowercase.encode() + b"_")
_FOLD = str.maketrans(string.ascii_uppercase + "-", string.ascii_lowercase + "_")


class Redactor:
    """The rules of one tracer. Raises UsageError for what is no rule."""

    def __init__(self, rules: Iterable[Rule] | Rule | None = ()) -> None:
        keys: set[str] = set()
        self.patterns: list[re.Pattern[str]] = []
        self.callables: list[Callable[[str, Any], Any]] = []
        if rules is not None:
            keys.update(DEFAULT_KEYS)
            for rule in _listed(rules):
                if isinstance(rule, str):
                    keys.add(fold(rule))
                elif isinstance(rule, re.Pattern):
                    self.patterns.append(rule)
                elif callable(rule):
                    self.callables.append(rule)
                else:
                    raise _no_rule(rule)
        self.keys: Final = frozenset(keys)
        self._needles: Final = tuple(orjson.dumps(key) + b":" for key in keys)

    def may_be_in(self, json: bytes) -> bool:
        """Whether a key to hide is in JSON text as orjson writes it; for large texts, where looking at each key costs.

        The encoder writes a quote inside a string as ``\\"``, so that only a key stands between plain quotes before a
        colon.
        """
        folded = json.translate(_FOLD_BYTES)
        return any(needle in folded for needle in self._needles)

    def hides(self, key: str) -> bool:
        """Whether the value of this key is to be hidden."""
        return fold(key) in self.keys

    def text(self, value: str) -> str:
        """A string with every pattern's matches hidden."""
        for pattern in self.patterns:
            value = pattern.sub(REDACTED, value)
        return value

    def payload(self, field: str, value: Any) -> Any:
        """A whole payload after the callables."""
        foreign.depth += 1
        try:
            for rule in self.callables:
                value = rule(field, value)
        finally:
            foreign.depth -= 1
        return value


def _listed(rules: Iterable[Rule] | Rule) -> Iterable[Rule]:
    if isinstance(rules, str | re.Pattern) or callable(rules):
        return (rules,)
    try:
        return tuple(rules)
    except TypeError:
        raise _no_rule(rules) from None


def _no_rule(value: object) -> UsageError:
    return UsageError(
        "redact takes keys, compiled regular expressions and callables, or None to hide nothing, "
        f"not {type(value).__name__}"
    )


def fold(key: str) -> str:
    """The form in which keys are compared."""
    return key.translate(_FOLD)
