"""What models cost: dollars per million tokens, and costs in whole nanodollars."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from lampwork.errors import InputInvalid

__all__ = ["FREE", "Price", "nanodollars"]


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens: `Price(input=0.25, output=2)`.

    `cached_input` is for input tokens that the provider had in its cache; without it they cost as
    much as others. Raises InputInvalid for what is no amount of money.
    """

    input: float | Decimal
    output: float | Decimal
    cached_input: float | Decimal | None = None

    def __post_init__(self) -> None:
        for name in ("input", "output", "cached_input"):
            given = getattr(self, name)
            if given is None and name == "cached_input":
                continue
            if not (isinstance(given, int | float | Decimal) and 0 <= given < math.inf):
                raise InputInvalid(
                    f"Price({name}={given!r}) is no amount of money. "
                    "Give dollars per million tokens, such as 0.25."
                )

    def cost(self, input_tokens: int, output_tokens: int, cached_input_tokens: int = 0) -> int:
        """Nanodollars for so many tokens, rounded up. The cached ones are among the input."""
        cached = self.input if self.cached_input is None else self.cached_input
        per_million = (
            _exact(self.input) * (input_tokens - cached_input_tokens)
            + _exact(cached) * cached_input_tokens
            + _exact(self.output) * output_tokens
        )
        return nanodollars(per_million / 1_000_000)


FREE = Price(input=0, output=0)


def nanodollars(dollars: Decimal) -> int:
    """Billionths of a dollar, rounded up: costs are never under-counted, and integers add up."""
    return math.ceil(dollars * 1_000_000_000)


def _exact(amount: float | Decimal) -> Decimal:
    """What was written: 0.1 is a tenth."""
    return Decimal(str(amount))
