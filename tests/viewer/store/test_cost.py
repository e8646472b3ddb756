from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from flightlog.errors import UnreadableError
from flightlog_viewer import open_store
from flightlog_viewer.analysis.pricing import PriceBook
from tests.viewer.store.records import llm, span, write

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def usage(tokens: int, output: int, **details: int) -> dict[str, object]:
    """Token usage with details of the input."""
    return {
        "input_tokens": tokens,
        "output_tokens": output,
        "total_tokens": tokens + output,
        "input_token_details": details,
    }


def test_each_call_by_its_own_size(tmp_path: Path) -> None:
    """A tier is chosen by the size of each request: three of 100k tokens cost less than one of 300k."""
    from genai_prices import Usage, calc_price

    def library(tokens: int, **details: int) -> float:
        price = calc_price(
            Usage(input_tokens=tokens, output_tokens=1000, **details),
            "gemini-2.5-pro",
            provider_id="google",
            genai_request_timestamp=NOON,
        )
        return float(price.total_price)

    small: dict[str, Any] = {
        "model": "gemini-2.5-pro",
        "provider": "google_genai",
        "start_time": "2026-11-20T12:00:00Z",
    }
    path = write(
        tmp_path / "a.jsonl",
        *(llm(f"s{n}", token_usage=usage(100_000, 1000), **small) for n in range(3)),
        llm("big", token_usage=usage(300_000, 1000), **small),
        llm("edge", token_usage=usage(200_000, 1000), **small),
        llm("beyond", token_usage=usage(200_001, 1000), **small),
        llm("cached", token_usage=usage(100_000, 1000, cache_read=40_000), **small),
    )
    with open_store(path) as store:
        costs = dict(store.sql("SELECT run_id, cost_usd FROM spans").fetchall())
        uncached = store.sql("SELECT uncached_input_tokens FROM llm_calls WHERE run_id = 'cached'").fetchall()
        sources = store.sql("SELECT DISTINCT price_source FROM llm_calls").fetchall()
    assert costs["s0"] == pytest.approx(library(100_000))
    assert costs["big"] == pytest.approx(library(300_000))
    assert costs["edge"] == pytest.approx(library(200_000))
    assert costs["beyond"] == pytest.approx(library(200_001))
    assert costs["cached"] == pytest.approx(library(100_000, cache_read_tokens=40_000))
    assert 3 * costs["s0"] < costs["big"]
    assert uncached == [(60_000,)]
    assert sources[0][0].startswith("genai-prices ")


def test_tokens_written_to_a_cache(tmp_path: Path) -> None:
    """Those of five minutes and those of an hour are told apart, are no plain input, and are counted once."""
    lifetimes = {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 1}
    calls = [
        llm("a", token_usage=usage(10, 0, cache_creation=0, **lifetimes)),
        llm("b", token_usage=usage(10, 0, cache_creation=5, **lifetimes)),  # an older langchain-anthropic
        llm("c", token_usage=usage(10, 0, cache_creation=5)),
        llm("d", token_usage=usage(10, 0, priority_cache_creation=5)),
    ]
    with open_store(write(tmp_path / "a.jsonl", *calls)) as store:
        found = store.sql(
            "SELECT uncached_input_tokens, cache_write_tokens, cache_write_1h_tokens FROM llm_calls ORDER BY run_id"
        ).fetchall()
    assert found == [(5, 4, 1), (5, 4, 1), (5, 5, 0), (5, 5, 0)]


def test_unknown_is_not_zero(tmp_path: Path) -> None:
    """An unknown model, missing usage and impossible usage cost NULL, and are counted; a cache hit costs nothing."""
    path = write(
        tmp_path / "a.jsonl",
        span("r"),
        llm("known", "r", model="gpt-4o", provider="openai", token_usage=usage(1_000_000, 0)),
        llm("unknown", "r", model="scripted"),
        llm("no usage", "r", model="gpt-4o", provider="openai", token_usage=None),
        llm("impossible", "r", model="gpt-4o", provider="openai", token_usage=usage(10, 1, cache_read=20)),
        llm("hit", "r", model="gpt-4o", provider="openai", cache_hit=True),
    )
    with open_store(path) as store:
        costs = dict(store.sql("SELECT run_id, cost_usd FROM llm_calls").fetchall())
        (trace,) = store.query("trace_rows")
    assert costs == {"known": 2.5, "unknown": None, "no usage": None, "impossible": None, "hit": 0.0}
    assert (trace["cost_usd"], trace["unknown_costs"]) == (2.5, 3)


def test_wrapped_calls_count_once(tmp_path: Path) -> None:
    """An LLM call around another one adds neither tokens nor cost."""
    path = write(
        tmp_path / "a.jsonl",
        span("r"),
        llm("outer", "r", tokens=(1_000_000, 0), provider="openai"),
        llm("inner", "outer", tokens=(1_000_000, 0), provider="openai"),
    )
    with open_store(path) as store:
        (trace,) = store.query("trace_rows")
    assert (trace["input_tokens"], trace["cost_usd"]) == (1_000_000, 2.5)


@pytest.mark.parametrize(("provider", "known"), [("azure_ai", "azure"), ("google_anthropic_vertex", "google")])
def test_providers_by_their_names_in_langchain(provider: str, known: str) -> None:
    """A model is priced as that provider sells it, whatever LangChain calls the provider."""
    model = {"azure": "gpt-4o", "google": "claude-3-5-sonnet"}[known]
    found = PriceBook().prices(provider, model, None, NOON, NOON)
    assert found
    assert found == PriceBook().prices(known, model, None, NOON, NOON)


def test_own_prices_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A TOML file overrides the library, by a pattern of model names."""
    prices = tmp_path / "prices.toml"
    prices.write_text('[[price]]\nmodel = "house-*"\ninput_mtok = 1\noutput_mtok = 2.5\n')
    monkeypatch.setenv("FLIGHTLOG_PRICES", str(prices))
    path = write(tmp_path / "a.jsonl", llm("a", model="house-7b", token_usage=usage(2_000_000, 1_000_000)))
    with open_store(path) as store:
        assert store.sql("SELECT cost_usd, price_source FROM llm_calls").fetchall() == [(4.5, str(prices))]


def test_own_prices_of_one_provider(tmp_path: Path) -> None:
    """An entry with a provider is for that provider's models alone."""
    prices = tmp_path / "prices.toml"
    prices.write_text(
        '[[price]]\nmodel = "house-*"\nprovider = "mine"\ninput_mtok = 1\n[[price]]\nmodel = "*"\ninput_mtok = 2\n'
    )
    book = PriceBook(prices)
    found = {provider: book.prices(provider, "house-7b", None, NOON, NOON) for provider in ("mine", "other", None)}
    assert {provider: price.units["input"] for provider, [price] in found.items()} == {"mine": 1, "other": 2, None: 2}
    assert [price.units["input"] for price in book.prices("mine", "boathouse-7b", None, NOON, NOON)] == [2]


def test_a_price_for_each_request(tmp_path: Path) -> None:
    """What a request costs by itself comes on top of its tokens, as the library counts it."""
    from genai_prices import Usage, calc_price

    asked = Usage(input_tokens=1000, output_tokens=10)
    expected = calc_price(asked, "sonar", provider_id="perplexity", genai_request_timestamp=NOON)
    path = write(tmp_path / "a.jsonl", llm("a", model="sonar", provider="perplexity", token_usage=usage(1000, 10)))
    with open_store(path) as store:
        ((cost,),) = store.sql("SELECT cost_usd FROM llm_calls").fetchall()
    assert cost == pytest.approx(float(expected.total_price))
    assert cost > 0.01


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[price]]\nmodel = "a"\ninput_mtoken = 1\n', "`input_mtoken` of a is not a price"),
        ('[[price]]\nmodel = "a"\ninput_mtok = -1\n', "`input_mtok` of a is not a price"),
        ("[[price]]\ninput_mtok = 1\n", "each with a `model`"),
        ("price = 1\n", "each with a `model`"),
        ("price = [1]\n", "each with a `model`"),
        ("no prices", "cannot be read"),
    ],
)
def test_unreadable_own_prices(tmp_path: Path, text: str, said: str) -> None:
    """A price file with a mistake is refused with a sentence that names it; one without prices has none."""
    prices = tmp_path / "prices.toml"
    prices.write_text(text)
    with pytest.raises(UnreadableError, match=said):
        PriceBook(prices)
    prices.write_text("")
    PriceBook(prices)


def test_prices_change_with_time() -> None:
    """Prices of a model are cut at the times they change, and agree with the library on each side."""
    from genai_prices import Usage, calc_price

    book = PriceBook()
    first = datetime(2024, 1, 1, tzinfo=UTC)
    for model, provider in (("o3", "openai"), ("deepseek-chat", "deepseek")):
        last = datetime(2026, 11, 20, tzinfo=UTC) if model == "o3" else datetime(2024, 1, 3, tzinfo=UTC)
        prices = book.prices(provider, model, None, first, last)
        for price in prices:
            when = price.valid_from or first
            expected = calc_price(
                Usage(input_tokens=1000), model, provider_id=provider, genai_request_timestamp=when
            ).total_price
            if price.above_input_tokens is None:
                assert price.units["input"] / 1000 == pytest.approx(float(expected))
        changes = {price.valid_from for price in prices} - {None}
        assert changes
        assert len(book.prices(provider, model, None, first, min(filter(None, changes)))) > 1, (
            "up to a change is beyond it"
        )


def test_a_call_at_the_moment_of_a_change_has_one_price(tmp_path: Path) -> None:
    """It is the new one."""
    tokens = usage(1_000_000, 0)
    times = {"before": "2025-06-09T23:59:59.999999Z", "at": "2025-06-10T00:00:00Z", "after": "2025-06-11T00:00:00Z"}
    calls = (
        llm(name, model="o3", provider="openai", token_usage=tokens, start_time=when) for name, when in times.items()
    )
    with open_store(write(tmp_path / "a.jsonl", *calls)) as store:
        costs = store.sql("SELECT run_id, cost_usd FROM llm_calls ORDER BY start_time").fetchall()
    assert costs == [("before", 10), ("at", 2), ("after", 2)]


def test_absurd_numbers_break_nothing(tmp_path: Path) -> None:
    """Numbers at the limits of their types stay one line's own problem."""
    most = 2**63 - 1
    path = write(
        tmp_path / "a.jsonl",
        span("r", duration_ms=1e299, start_time="9999-12-31T23:59:59Z"),
        span("early", "r", start_time="0001-01-01T00:00:00Z", duration_ms=1e15),
        *(llm(f"a{n}", "r", provider="openai", token_usage=usage(most, most)) for n in range(3)),
        *(llm(f"b{n}", "r", provider="openai", token_usage=usage(5, 5, cache_read=most, audio=most)) for n in range(3)),
        llm("c", "r", provider="openai", token_usage=usage(5, 5, cache_read=-most), seq=most, pid=-most - 1),
        llm("least", "r", provider="openai", token_usage={"input_tokens": -most - 1}),
    )
    with open_store(path) as store:
        store.sql("SELECT * FROM spans").fetchall()
        store.sql("SELECT * FROM llm_calls").fetchall()
        store.sql("SELECT * FROM threads").fetchall()
        for by in ("name", "model", "day", "waste", "thread"):
            store.query("summary", by=by)
        (trace,) = store.query("trace_rows")
        assert trace["total_tokens"] == 40
        assert (trace["span_count"], trace["end_time"]) == (10, None)
        assert store.rejects == []


def test_very_many_calls_of_one_id(tmp_path: Path) -> None:
    """Calls that all have one id, and name it as their parent, are wrappers of one another, however many they are."""
    calls = b"".join(orjson.dumps(llm("a", "a", provider="openai", seq=number)) + b"\n" for number in range(30_000))
    path = tmp_path / "a.jsonl"
    path.write_bytes(calls + orjson.dumps(llm("b", "b")) + b"\n")
    with open_store(path, cache=False) as store:
        assert store.sql("SELECT run_id, count(*), count(*) FILTER (counted) FROM spans GROUP BY ALL").fetchall() in (
            [("a", 30_000, 0), ("b", 1, 1)],
            [("b", 1, 1), ("a", 30_000, 0)],
        )
