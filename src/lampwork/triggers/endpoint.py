"""Endpoints: a recipe as an address that programs call, and wait at for a while."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast
from urllib.parse import unquote

from lampwork.types import Json, TriggerKind

__all__ = ["LONGEST_WAIT", "METHODS", "Endpoint"]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

LONGEST_WAIT = 300.0
"""Seconds; whatever stands between gives a request up at some time."""

_PART = re.compile(r"(?!\.{1,2}$)[\w.~-]+|\{[a-zA-Z_]\w*\}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Start a job for each call of `/run/{project}/{path}`: `Endpoint("GET", "orders/{number}")`.

    The answer is what the job returned if it has ended within `wait` seconds, else 202 with the
    job's address. Parameters of the recipe that the path names come from there, other plain ones
    from the query, and what is neither from the body: as a whole if it is one parameter, by name if
    there are several.
    """

    kind: ClassVar[TriggerKind] = "endpoint"

    method: str
    path: str
    wait: float = 30.0

    @property
    def place(self) -> str:
        """The path, without slashes around it."""
        return self.path.strip("/")

    @property
    def identity(self) -> str:
        """What it is known by in its recipe, over restarts."""
        return f"endpoint {self.method} {self.place}"

    @property
    def short_name(self) -> str:
        """What people call it: no shell needs quotes for it."""
        return "endpoint-" + re.sub(r"[^\w.~-]+", "-", f"{self.method.lower()} {self.place}")

    @property
    def described(self) -> dict[str, Json]:
        """The definition as JSON."""
        return {"method": self.method, "path": self.place, "wait": self.wait}

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that the path has."""
        return tuple(part[1:-1] for part in self.place.split("/") if part.startswith("{"))

    @property
    def shape(self) -> str:
        """The path without what its parameters are called: two of one shape are the same."""
        return re.sub(r"\{\w*\}", "{}", self.place)

    @property
    def takes_body(self) -> bool:
        """Whether a call has a body."""
        return self.method in ("POST", "PUT", "PATCH")

    def problem(self) -> str | None:
        """What is wrong with the definition, if anything is."""
        if self.method not in METHODS:
            return f"{self.method!r} is no method of an endpoint. Take {', '.join(METHODS)}"
        if not all(_PART.fullmatch(part) for part in self.place.split("/")):
            return f'{self.path!r} is no path. Give one such as Endpoint("GET", "orders/{{id}}")'
        if len(set(self.names)) < len(self.names):
            return f"{self.path!r} names a parameter twice"
        wait = cast(Any, self.wait)
        if not isinstance(wait, int | float) or not 0 <= wait <= LONGEST_WAIT:
            return f"wait={self.wait!r} is no number of seconds from 0 to {LONGEST_WAIT:.0f}"
        return None

    def match(self, path: str) -> Mapping[str, str] | None:
        """What the path of a call, as it is written in an address, says of the parameters; None if
        it is another one's."""
        ours, theirs = self.place.split("/"), path.strip("/").split("/")
        if len(ours) != len(theirs):
            return None
        found: dict[str, str] = {}
        for part, given in zip(ours, theirs, strict=True):
            if part.startswith("{"):
                found[part[1:-1]] = unquote(given)
            elif part != unquote(given):
                return None
        return found if all(found.values()) else None
