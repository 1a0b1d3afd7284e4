"""What comes from outside: deliveries to webhooks and calls of endpoints, each on record."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lampwork import clock, exact_json, failpoint
from lampwork.acting import counted_as
from lampwork.errors import (
    DeliveryRefused,
    InputInvalid,
    LampworkError,
    TooManyDeliveries,
    TriggerNotFound,
    joined,
    one_of,
    quoted,
)
from lampwork.genies.output import describe
from lampwork.recipe import Recipe
from lampwork.runs.step import call_function
from lampwork.store.people.audit import Act, recorded
from lampwork.store.triggers import firings
from lampwork.store.triggers.firings import Arrival
from lampwork.triggers.endpoint import Endpoint
from lampwork.triggers.filling import of_body, of_call
from lampwork.triggers.trigger import as_kept, invalid, new_jobs
from lampwork.triggers.webhook import Webhook
from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.project import Project
    from lampwork.store.store import Store

__all__ = ["Firing", "Receiving", "check_webhooks"]

_log = logging.getLogger("lampwork.triggers.trigger")

_REFUSALS, _EVERY = 30, 2.0
"""Refused deliveries to a webhook from one address at once, and then one each so many seconds."""

_REMEMBERED = 10_000
"""Addresses whose refusals are counted."""

_SMALL = 64 * 1024
"""Bytes of a delivery whose signature is compared in no time."""

_NOT_KEPT = re.compile(
    r"authorization|cookie|csrf|hmac|(?<!idempotency-)key|passw|secret|sig\b|signature|token"
)
"""Headers that prove something, and are no business of a recipe: `x-gitlab-token` is the secret."""

_HEADERS = 8192
"""Characters of headers that a job keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """That something which came has started a job; or had, if it came before."""

    number: int
    recipe: str
    trigger: str
    """Its identity in the recipe."""
    job_id: str
    delivery: str | None
    at: datetime
    """When it came, the first time."""
    is_new: bool
    """Whether the job was started for it now."""
    wait: float = 0.0
    """Seconds for which the answer waits for the job, of a call."""


def check_webhooks(project: Project) -> None:
    """Raise TriggerInvalid for a webhook whose secret is not there, where it is defined."""
    for recipe in project.recipes.values():
        for trigger in recipe.triggers:
            if isinstance(trigger, Webhook) and (why := trigger.lacks()) is not None:
                raise invalid(recipe, why)


class Receiving:
    """What comes to the triggers of a project, in one process."""

    def __init__(self, project: Project, store: Store) -> None:
        self._project = project
        self._store = store
        self._refused: OrderedDict[tuple[str, str], float] = OrderedDict()

    def expect(self, path: str, *, address: str | None, size: int | None) -> None:
        """Raise TriggerNotFound or TooManyDeliveries, before anybody reads what is delivered."""
        recipe, webhook = self._webhook(path)
        if not _is_soon_judged(webhook, size):
            self._require_patience(self._arrival(recipe, webhook, address, None))

    async def deliver(
        self,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        address: str | None,
        executor: str | None,
    ) -> Firing:
        """Accept a delivery to a webhook: the job and the firing are on disk when this returns.

        Refused, it is on record as well. Raises TriggerNotFound, DeliveryRefused, InputInvalid,
        TriggerPaused, QueueFull, TooManyDeliveries.
        """
        recipe, webhook = self._webhook(path)
        named = {name.lower(): value for name, value in headers.items()}
        arrival = self._arrival(recipe, webhook, address, _claimed(named))
        if not _is_soon_judged(webhook, len(body)):
            self._require_patience(arrival)
        try:
            delivery = await _verified(webhook, named, body)
            arrival = replace(arrival, delivery=delivery)
            given = await call_function(_input_of, recipe, webhook, body)
            facts: dict[str, Json] = {"delivery": delivery, "headers": _kept(named)}
            [new] = new_jobs(self._project, recipe, webhook, [(given, facts)], executor=executor)
            failpoint.hit("trigger.due")
            most = self._project.max_queued
            row = await self._store.write(firings.accept_delivery, arrival, new, most)
        except LampworkError as error:
            if isinstance(error, DeliveryRefused):
                self._require_patience(arrival)
            await self._reject(arrival, error)
            raise
        return self._fired(recipe, webhook, row, new.id)

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: Json,
        address: str | None,
        executor: str | None,
        key: str | None = None,
    ) -> Firing:
        """Accept a call of an endpoint; `key` is its idempotency key, `body` JSON.

        Refused, it is on record as well. Raises TriggerNotFound, InputInvalid, TriggerPaused,
        QueueFull, IdempotencyConflict.
        """
        recipe, endpoint, named = self._endpoint(method, path)
        arrival = self._arrival(recipe, endpoint, address, key)
        try:
            given = await call_function(of_call, recipe, endpoint, named, query, body)
            kept = _kept({name.lower(): value for name, value in headers.items()})
            facts: dict[str, Json] = {"headers": kept}
            [new] = new_jobs(self._project, recipe, endpoint, [(given, facts)], executor=executor)
            failpoint.hit("trigger.due")
            most, digest = self._project.max_queued, _digest([endpoint.identity, given])
            details = {"recipe": recipe.name, "trigger": endpoint.identity}
            act = Act("job.start", None, self._project.name, details)
            row = await self._store.write(
                recorded(act, firings.accept_call), arrival, new, digest, most
            )
        except LampworkError as error:
            await self._reject(arrival, error)
            raise
        return replace(self._fired(recipe, endpoint, row, new.id), wait=endpoint.wait)

    # --- whose it is ---

    def _webhook(self, path: str) -> tuple[Recipe[..., Any], Webhook]:
        for recipe in self._project.recipes.values():
            for trigger in recipe.triggers:
                if isinstance(trigger, Webhook) and trigger.place == path.strip("/"):
                    return recipe, trigger
        raise TriggerNotFound(f"There is no webhook {quoted(path)} here.", known=[])

    def _endpoint(
        self, method: str, path: str
    ) -> tuple[Recipe[..., Any], Endpoint, Mapping[str, str]]:
        there = [
            (recipe, trigger)
            for recipe in self._project.recipes.values()
            for trigger in recipe.triggers
            if isinstance(trigger, Endpoint)
        ]
        found = [
            (recipe, trigger, named)
            for recipe, trigger in there
            if (named := trigger.match(path)) is not None
        ]
        meant = [each for each in found if each[1].method == method]
        if not meant:
            known = [f"{each.method} {each.place}" for _, each in there]
            takes = ", ".join(sorted({each.method for _, each, _ in found}))
            why = f"It takes {takes}." if takes else one_of(f"{method} {path}", known)
            message = f"There is no endpoint {method} {quoted(path)} here. {why}"
            raise TriggerNotFound(message, known=known)
        return min(meant, key=lambda each: len(each[2]))  # `orders/new` before `orders/{id}`

    def _arrival(
        self,
        recipe: Recipe[..., Any],
        trigger: Webhook | Endpoint,
        address: str | None,
        delivery: str | None,
    ) -> Arrival:
        return Arrival(self._project.name, as_kept(recipe, trigger), address, delivery)

    # --- what became of it ---

    def _fired(
        self, recipe: Recipe[..., Any], trigger: Webhook | Endpoint, row: Any, new_id: str
    ) -> Firing:
        is_new = row.job_id == new_id
        if is_new:
            failpoint.hit("trigger.fired")
            facts = {"event": "trigger.fired", "recipe": recipe.name, "trigger": trigger.identity}
            _log.info("%s of %s starts a job", trigger.identity, recipe.name, extra=facts)
        return Firing(
            number=row.id,
            recipe=recipe.name,
            trigger=trigger.identity,
            job_id=row.job_id,
            delivery=row.delivery,
            at=datetime.fromtimestamp(row.at, UTC),
            is_new=is_new,
        )

    async def _reject(self, arrival: Arrival, error: LampworkError) -> None:
        trigger = arrival.trigger
        facts = {"event": "trigger.rejected", "recipe": trigger.recipe, "trigger": trigger.identity}
        said = "%s of %s: what came from %s starts no job: %s"
        where = (trigger.identity, trigger.recipe, arrival.address)
        _log.warning(said, *where, error.message, extra=facts)
        await self._store.write(firings.reject, arrival, error.message[:400])
        if isinstance(error, DeliveryRefused):
            self._count(arrival)

    def _require_patience(self, arrival: Arrival) -> None:
        """Raise TooManyDeliveries where too much was refused lately.

        In memory, for it is to keep refusals from costing a process its time and its disk.
        """
        until = self._refused.get(_from(arrival), 0.0)
        wait = until - clock.now() - _REFUSALS * _EVERY
        if wait > 0:
            raise TooManyDeliveries(
                f"Too many deliveries from {arrival.address} were refused. Try again in "
                f"{math.ceil(wait)} seconds.",
                retry_after=round(wait, 1),
            )

    def _count(self, arrival: Arrival) -> None:
        which = _from(arrival)
        until = max(clock.now(), self._refused.pop(which, 0.0)) + _EVERY
        self._refused[which] = until
        while len(self._refused) > _REMEMBERED:
            self._refused.popitem(last=False)


def _is_soon_judged(webhook: Webhook, size: int | None) -> bool:
    """Whether a delivery is let speak for itself, however much from its address was refused: who
    shares that with a sender must not keep its deliveries away."""
    return webhook.verify is None and size is not None and size <= _SMALL


def _from(arrival: Arrival) -> tuple[str, str]:
    """Of which trigger, and from where, refusals are counted together."""
    return arrival.trigger.identity, counted_as(arrival.address or "")


async def _verified(webhook: Webhook, headers: Mapping[str, str], body: bytes) -> str:
    """The id of a genuine delivery. Raises DeliveryRefused."""
    if webhook.verify is None:
        return webhook.check_signature(headers, body, clock.now())
    why = "it is not genuine"
    try:
        given = await call_function(webhook.verify, headers, body)
    except Exception as error:  # whatever the user's function raises
        facts = {"event": "trigger.failed", "trigger": webhook.identity}
        _log.error("%s: its verify raised", webhook.identity, exc_info=error, extra=facts)
        given, why = None, f"its verification raised {type(error).__name__}"
    if given is not None and not (isinstance(given, str) and 0 < len(given) <= 200):
        given, why = None, "verify gave no id: a text of up to 200 characters"
    if given is None:
        raise DeliveryRefused(f"The delivery is refused: {why}.", reason=why)
    return given


def _input_of(recipe: Recipe[..., Any], webhook: Webhook, body: bytes) -> Json:
    """The input of the recipe from a body. Raises InputInvalid."""
    try:
        value = exact_json.read(body) if body else None
    except ValueError as error:
        raise InputInvalid(
            f"The body is no JSON: {error}.", problems=[f"body: this is no JSON: {error}"]
        ) from error
    wanted = describe(webhook.schema)
    if wanted is not None:
        _, problems = wanted.take(value)
        if problems:
            raise InputInvalid(f"The body does not fit: {joined(problems)}", problems=problems)
    return of_body(recipe, "The body", value)


def _claimed(headers: Mapping[str, str]) -> str | None:
    """The id that a delivery says it has, for the record of one that is refused."""
    claimed = headers.get("webhook-id")
    return claimed and claimed[:200]


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that `job.trigger` has."""
    kept: dict[str, str] = {}
    left = _HEADERS
    for name, value in headers.items():
        left -= len(name) + len(value)
        if left >= 0 and not _NOT_KEPT.search(name):
            kept[name] = value
    return kept


def _digest(of: Json) -> str:
    return hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()
