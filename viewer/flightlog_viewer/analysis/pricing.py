"""What LLM tokens cost: unit prices of a model in force at a time, from `genai-prices` and the user's own file.

The library brings its prices with it (no network). It is asked for the prices of a model, not for each call, so that
the arithmetic can stand in SQL where it can be seen; the tiers of a model are returned as they are, because the tier
depends on the size of each single request.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from flightlog.errors import UnreadableError

PROVIDERS: Final = {
    "google_genai": "google",
    "google_vertexai": "google",
    "google_anthropic_vertex": "google",
    "amazon_bedrock": "aws",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "azure_openai": "azure",
    "azure_ai": "azure",
    "mistralai": "mistral",
    "xai": "x-ai",
    "together_ai": "together",
}
"""LangChain's ``ls_provider`` where `genai-prices` has another name for it."""

UNITS: Final = (
    "input",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "input_audio",
    "output",
    "output_audio",
    "output_reasoning",
)
"""Kinds of tokens with a price of their own; the library names each ``<unit>_mtok``."""
_LONGEST_DAYS: Final = 3 * 366


@dataclass(frozen=True, slots=True)
class Price:
    """Prices in force for requests of one size and time."""

    units: dict[str, float]
    """USD per million tokens, by the names of UNITS; absent means that there is no price of its own."""
    request_usd: float = 0.0
    """USD for each request."""
    above_input_tokens: int | None = None
    """Applies to requests with more input tokens than this; None for the base tier."""
    upto_input_tokens: int | None = None
    """And with at most so many; None for no bound."""
    valid_from: datetime | None = None
    """UTC; None for no bound."""
    valid_until: datetime | None = None
    """UTC, exclusive; None for no bound."""
    source: str = ""
    """The library with its version, or the path of the user's file."""


class PriceBook:
    """Looks prices up; the user's own come first."""

    def __init__(self, override: Path | None = None) -> None:
        """Raises UnreadableError when ``override`` is given and cannot be read as prices."""
        self._own = list(_own_prices(override)) if override is not None else []

    def prices(
        self, provider: str | None, model: str, service_tier: str | None, first: datetime, last: datetime
    ) -> list[Price]:
        """Every price of a model between two times (UTC); empty when it is unknown."""
        for own_provider, own_model, price in self._own:
            if fnmatchcase(model, own_model) and own_provider in (None, provider):
                return [price]
        return list(self._library(provider, model, service_tier, first, last))

    def _library(
        self, provider: str | None, model: str, service_tier: str | None, first: datetime, last: datetime
    ) -> Iterator[Price]:
        from genai_prices import Usage, calc_price

        context = None if service_tier is None else {"service_tier": service_tier}
        known = PROVIDERS.get(provider, provider) if provider else None

        def ask(when: datetime) -> Any:
            return calc_price(Usage(), model, provider_id=known, genai_request_timestamp=when, price_context=context)

        try:
            found = ask(first)
        except (LookupError, ValueError):
            return
        bounds = _boundaries(found.model, first, last)
        for begin, end in zip([None, *bounds], [*bounds, None], strict=True):
            prices = ask(begin or first).model_price
            for tier in _tiers(vars(prices)):
                yield replace(tier, valid_from=begin, valid_until=end, source=_library_version())


@cache
def _library_version() -> str:
    # Reading a package's metadata takes 5 ms, a twentieth of a summary: only where there is a price.
    return f"genai-prices {version('genai-prices')}"


def _boundaries(model: Any, first: datetime, last: datetime) -> list[datetime]:
    """The times strictly inside the stretch at which the prices of a model may change."""
    conditional = [*(model.prices if isinstance(model.prices, list) else ()), *(model.price_variants or ())]
    found: set[datetime] = set()
    for entry in conditional:
        constraint = entry.constraint
        if (start := getattr(constraint, "start_date", None)) is not None:
            found.add(datetime.combine(start, time(), UTC))
        elif constraint is not None:
            day = first.date()
            while day <= last.date() and (day - first.date()).days < _LONGEST_DAYS:
                found.update(_utc(day, moment) for moment in (constraint.start_time, constraint.end_time))
                day += timedelta(days=1)
    return sorted(moment for moment in found if first < moment <= last)


def _utc(day: date, moment: time) -> datetime:
    stamp = datetime.combine(day, moment)
    return stamp.replace(tzinfo=UTC) if stamp.tzinfo is None else stamp.astimezone(UTC)


def _tiers(prices: dict[str, Any]) -> Iterator[Price]:
    starts = sorted({tier.start for value in prices.values() for tier in getattr(value, "tiers", ())})
    for above, upto in zip([None, *starts], [*starts, None], strict=True):
        units = {unit: _at(prices[f"{unit}_mtok"], above) for unit in UNITS if prices.get(f"{unit}_mtok") is not None}
        per_thousand = prices.get("requests_kcount")
        request = 0.0 if per_thousand is None else _at(per_thousand, above) / 1000
        yield Price(units, request, above, upto)


def _at(value: Any, above: int | None) -> float:
    if isinstance(value, Decimal):
        return float(value)
    price = value.base
    for tier in value.tiers:
        if above is not None and tier.start <= above:
            price = tier.price
    return float(price)


def _own_prices(path: Path) -> Iterator[tuple[str | None, str, Price]]:
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("price", [])
    except (OSError, ValueError) as error:
        raise UnreadableError(f"the price file {path} cannot be read: {error}") from None
    allowed = {f"{unit}_mtok" for unit in UNITS}
    for entry in entries if isinstance(entries, list) else [None]:
        if not isinstance(entry, dict) or not isinstance(entry.get("model"), str):
            raise UnreadableError(f"the price file {path} needs [[price]] tables, each with a `model`")
        provider = entry.get("provider")
        numbers = {name: value for name, value in entry.items() if name not in ("model", "provider")}
        for name, value in numbers.items():
            if name not in allowed or isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise UnreadableError(
                    f"the price file {path}: `{name}` of {entry['model']} is not a price; "
                    f"known are {', '.join(sorted(allowed))}, in USD per million tokens"
                )
        units = {name.removesuffix("_mtok"): float(value) for name, value in numbers.items()}
        yield provider if isinstance(provider, str) else None, entry["model"], Price(units, source=str(path))
