"""How often a provider, or one of its models, may be asked."""

from __future__ import annotations

from dataclasses import dataclass, fields

from lampwork import faults
from lampwork.errors import ProjectError


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What all workers of a project together may ask for in a minute.

    >>> project = Project(
    ...     "bookshop",
    ...     rate_limits={"openai": RateLimit(requests_per_minute=500, tokens_per_minute=200_000)},
    ... )

    As providers count: after a quiet minute so much at once, and from then on as it flows back.
    Raises ProjectError.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    """Of requests and responses; how many a response has is counted once it is there."""

    def __post_init__(self) -> None:
        with faults.judged():
            self._check()

    def _check(self) -> None:
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        if not any(given.values()) or any(
            limit is not None and (type(limit) is not int or limit < 1) for limit in given.values()
        ):
            raise ProjectError(
                f"{self!r} would let nothing be asked. Give requests_per_minute, "
                "tokens_per_minute or both, each a whole number from 1 on."
            )
