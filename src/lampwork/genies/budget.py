"""What a task, with all that it delegates, may spend at the most."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from lampwork.errors import InputInvalid
from lampwork.models.price import nanodollars
from lampwork.types import Json

__all__ = ["Budget"]


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits on a task and on all tasks below it together: `Budget(dollars=0.5, model_calls=20)`.

    What is left out is not limited. Raises InputInvalid for limits that are none.
    """

    tokens: int | None = None
    """Of requests and responses, thinking included."""
    dollars: float | Decimal | None = None
    """What the models cost. A model whose price is unknown is refused."""
    model_calls: int | None = None
    """Responses that are asked for; the tries of one count once."""
    skill_calls: int | None = None
    """Calls that may act, those that delegate among them."""
    seconds: float | None = None
    """Wall time, from when the task is opened."""
    depth: int | None = None
    """Tasks one below the other, this one included: with 1 it may not delegate."""

    def __post_init__(self) -> None:
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        given = {name: value for name, value in given.items() if value is not None}
        for name, value in given.items():
            whole = name not in ("dollars", "seconds")
            fits: tuple[type, ...] = (int,) if whole else (int, float, Decimal)
            if isinstance(value, bool) or not isinstance(value, fits) or not 0 < value <= _MOST:
                kind = "a whole number" if whole else "an amount"
                raise InputInvalid(
                    f"Budget({name}={value!r}) is no limit: give {kind} above 0, and up to "
                    f"{_MOST:,}, or leave it out.",
                    problems=[name],
                )
        if not given:
            raise InputInvalid(f"Budget() limits nothing. Give one of {_NAMES}.")

    @property
    def nanodollars(self) -> int | None:
        """The limit on money, in billionths of a dollar."""
        return None if self.dollars is None else nanodollars(Decimal(str(self.dollars)))

    def to_json(self) -> dict[str, Json]:
        """The limits that are given."""
        given: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            name: float(value) if isinstance(value, Decimal) else value
            for name, value in given.items()
            if value is not None
        }


_MOST = 1_000_000_000
_NAMES = ", ".join(each.name for each in fields(Budget))
