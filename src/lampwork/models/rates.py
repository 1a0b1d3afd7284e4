"""What providers charge, by the price list that pydantic-ai comes with (genai-prices)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, TieredPrices
from pydantic_ai.messages import ModelResponse

from lampwork.models.price import Price, nanodollars

__all__ = ["charged", "dearest"]


def charged(response: ModelResponse) -> int | None:
    """Nanodollars that the provider charges for a response, None if the list does not say."""
    if response.usage.cost is not None:
        return nanodollars(response.usage.cost)
    if not response.model_name:
        return None
    try:
        return nanodollars(response.cost().total_price)
    except (LookupError, ValueError):
        return None


def dearest(
    provider: str, model: str, settings: Mapping[str, Any], input_tokens: int | None
) -> Price | None:
    """The highest rates that a request of at most so many tokens can meet, None if unknown."""
    try:
        _, info = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return None
    lists = list(_lists(info, settings))
    rates = {
        direction: max(_rates(lists, direction, settings, input_tokens), default=None)
        for direction in ("input", "output")
    }
    if rates["input"] is None or rates["output"] is None:
        return None
    return Price(input=rates["input"], output=rates["output"])


def _lists(info: ModelInfo, settings: Mapping[str, Any]) -> Iterator[ModelPrice]:
    """All that may count: prices differ by date and hour, and by tiers of service if one is set."""
    if isinstance(info.prices, ModelPrice):
        yield info.prices
    else:
        yield from (each.prices for each in info.prices)
    if any("tier" in name or "speed" in name for name in settings):
        yield from (variant.prices for variant in info.price_variants or ())


def _rates(
    lists: Iterable[ModelPrice],
    direction: Literal["input", "output"],
    settings: Mapping[str, Any],
    input_tokens: int | None,
) -> Iterator[Decimal]:
    keys = _RATES[direction]
    if direction == "input" and any("cache" in name for name in settings):
        keys += _LONG_CACHE
    for prices in lists:
        for key in keys:
            rate = getattr(prices, key)
            if isinstance(rate, TieredPrices):
                yield rate.base
                yield from (
                    tier.price
                    for tier in rate.tiers
                    if input_tokens is None or input_tokens > tier.start
                )
            elif rate is not None:
                yield rate


_RATES = {
    "input": ("input_mtok", "input_text_mtok", "input_image_mtok", "cache_write_mtok"),
    "output": ("output_mtok", "output_text_mtok", "output_reasoning_mtok"),
}
_LONG_CACHE = ("cache_write_1h_mtok",)
"""Written only when a setting asks for it."""
