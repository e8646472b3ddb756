"""Prices in DuckDB: one row for each model, service tier, request size and time that the spans have."""

import os
from datetime import UTC
from pathlib import Path
from typing import Final

import duckdb

from flightlog_viewer.analysis.pricing import UNITS, Price, PriceBook

TABLE: Final = f"""
CREATE TABLE IF NOT EXISTS prices (
    provider VARCHAR, model VARCHAR, service_tier VARCHAR,
    above_input_tokens BIGINT, upto_input_tokens BIGINT, valid_from TIMESTAMP, valid_until TIMESTAMP,
    {", ".join(f"{unit}_usd_per_mtok DOUBLE" for unit in UNITS)}, request_usd DOUBLE, source VARCHAR)
"""

# Bounded, so that what a broken line claims cannot overflow.
_DETAIL: Final = "greatest(0, least(coalesce(token_usage.input_token_details['{}'], 0), 1000000000000))"
_TIERS: Final = ("", "priority_", "flex_")
"""langchain-openai puts the service tier before the name of a detail."""
_READ: Final = " + ".join(_DETAIL.format(f"{tier}cache_read") for tier in _TIERS)
_WRITE_1H: Final = _DETAIL.format("ephemeral_1h_input_tokens")
# Where langchain-anthropic tells lifetimes apart, cache_creation is their sum (in older versions) or zero.
_WRITE: Final = (
    f"greatest({' + '.join(_DETAIL.format(f'{tier}cache_creation') for tier in _TIERS)} - {_WRITE_1H}, "
    f"{_DETAIL.format('ephemeral_5m_input_tokens')})"
)
_OUT: Final = "greatest(0, least(coalesce(token_usage.output_token_details['{}'], 0), 1000000000000))"


def _part(tokens: str, *prices: str) -> str:
    """The cost of one kind of tokens: nothing when there are none, unknown when there are and they have no price."""
    price = ", ".join(f"price.{name}_usd_per_mtok" for name in prices)
    return f"CASE WHEN {tokens} = 0 THEN 0 ELSE {tokens} * coalesce({price}) / 1e6 END"


# Input tokens include cached and audio ones, output tokens include reasoning and audio ones (LangChain's usage
# metadata); what has no price of its own costs what the plain tokens cost.
_COST: Final = " + ".join(
    (
        _part("uncached_input_tokens", "input"),
        _part("cache_read_tokens", "cache_read", "input"),
        _part("cache_write_tokens", "cache_write", "input"),
        _part("cache_write_1h_tokens", "cache_write_1h", "cache_write", "input"),
        _part("input_audio_tokens", "input_audio", "input"),
        _part("plain_output_tokens", "output"),
        _part("output_audio_tokens", "output_audio", "output"),
        _part("reasoning_tokens", "output_reasoning", "output"),
        "price.request_usd",
    )
)

CALLS: Final = f"""
WITH usage AS (
    SELECT row_id, provider, coalesce(model, request_model) AS priced_model, service_tier, start_time, cache_hit,
        token_usage.input_tokens AS input_tokens, token_usage.output_tokens AS output_tokens,
        {_READ} AS cache_read_tokens, {_WRITE} AS cache_write_tokens,
        {_WRITE_1H} AS cache_write_1h_tokens,
        {_DETAIL.format("audio")} AS input_audio_tokens,
        {_OUT.format("audio")} AS output_audio_tokens, {_OUT.format("reasoning")} AS reasoning_tokens
    FROM all_rows WHERE type = 'llm'),
parts AS (
    SELECT *, input_tokens - cache_read_tokens - cache_write_tokens - cache_write_1h_tokens - input_audio_tokens
            AS uncached_input_tokens,
        output_tokens - output_audio_tokens - reasoning_tokens AS plain_output_tokens
    FROM usage)
SELECT parts.row_id, uncached_input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens,
    input_audio_tokens, plain_output_tokens, output_audio_tokens, reasoning_tokens,
    price.* EXCLUDE (provider, model, service_tier, above_input_tokens, upto_input_tokens, valid_from, valid_until,
        source),
    price.source AS price_source,
    CASE WHEN cache_hit THEN 0.0
        WHEN uncached_input_tokens >= 0 AND plain_output_tokens >= 0 THEN {_COST} END AS cost_usd
FROM parts LEFT JOIN prices AS price
    ON price.model = priced_model AND price.provider IS NOT DISTINCT FROM parts.provider
    AND price.service_tier IS NOT DISTINCT FROM parts.service_tier
    AND (price.above_input_tokens IS NULL OR input_tokens > price.above_input_tokens)
    AND (price.upto_input_tokens IS NULL OR input_tokens <= price.upto_input_tokens)
    AND (price.valid_from IS NULL OR start_time >= price.valid_from)
    AND (price.valid_until IS NULL OR start_time < price.valid_until)
"""
"""One row an LLM call: its tokens by kind, the prices in force for it, and what it cost."""

# Not by the view of the calls: to create it costs a small file as much as to ask it.
COSTS: Final = f"SELECT row_id, cost_usd AS value FROM ({CALLS}) WHERE cost_usd IS NOT NULL AND row_id >= {{first}}"


def override_file() -> Path | None:
    """The user's own prices, if there are any; a file that is named has to be there."""
    path = override_place()
    return path if path.is_file() or os.environ.get("FLIGHTLOG_PRICES") else None


def override_place() -> Path:
    """Where the user's own prices are looked for: ``FLIGHTLOG_PRICES``, else the user's configuration folder."""
    if named := os.environ.get("FLIGHTLOG_PRICES"):
        return Path(named)
    from platformdirs import user_config_path

    return user_config_path("flightlog", appauthor=False) / "prices.toml"


class PriceTable:
    """Fills the table ``prices`` for the models that the spans have."""

    def __init__(self, override: Path | None) -> None:
        self._book = PriceBook(override)

    def fill(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Look up what is there now; models of later spans need another call."""
        wanted = cursor.execute(
            "SELECT provider, coalesce(model, request_model), service_tier, min(start_time), max(start_time) "
            "FROM all_rows WHERE type = 'llm' AND coalesce(model, request_model) IS NOT NULL GROUP BY ALL"
        ).fetchall()
        rows = [
            _row(provider, model, tier, price)
            for provider, model, tier, first, last in wanted
            for price in self._book.prices(provider, model, tier, first.replace(tzinfo=UTC), last.replace(tzinfo=UTC))
        ]
        cursor.execute("BEGIN")
        cursor.execute("DELETE FROM prices")
        if rows:
            cursor.executemany(f"INSERT INTO prices VALUES ({', '.join('?' * len(rows[0]))})", rows)
        cursor.execute("COMMIT")


def _row(provider: str | None, model: str, tier: str | None, price: Price) -> list[object]:
    return [
        provider,
        model,
        tier,
        price.above_input_tokens,
        price.upto_input_tokens,
        *(bound and bound.replace(tzinfo=None) for bound in (price.valid_from, price.valid_until)),
        *(price.units.get(unit) for unit in UNITS),
        price.request_usd,
        price.source,
    ]
