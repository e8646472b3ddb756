"""Of the tokens of a call, those read from a cache, written to one, and spent on reasoning, whoever counted them."""

from typing import Any, Final, NamedTuple

_TIERS: Final = ("", "priority_", "flex_")
"""langchain-openai puts the service tier before the name of a detail."""
_LIFETIMES: Final = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
"""How langchain-anthropic tells cache writes apart; `cache_creation` is then their sum (in older versions) or zero."""


class TokenDetails(NamedTuple):
    """Counts, None where nobody said."""

    cache_read: int | None
    cache_write: int | None
    reasoning: int | None


def token_details(usage: Any) -> TokenDetails:
    """The details of LangChain's usage metadata."""
    usage = usage if isinstance(usage, dict) else {}
    read, made = usage.get("input_token_details"), usage.get("output_token_details")
    written = [_sum(read, [tier + "cache_creation" for tier in _TIERS]), _sum(read, _LIFETIMES)]
    return TokenDetails(
        cache_read=_sum(read, [tier + "cache_read" for tier in _TIERS]),
        cache_write=max((count for count in written if count is not None), default=None),
        reasoning=_sum(made, [tier + "reasoning" for tier in _TIERS]),
    )


def _sum(details: Any, names: list[str] | tuple[str, ...]) -> int | None:
    if not isinstance(details, dict):
        return None
    known = [count for name in names if isinstance(count := details.get(name), int) and not isinstance(count, bool)]
    return sum(known) if known else None
