"""Webhooks and endpoints: what comes from outside starts jobs, once, and is on record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
import standardwebhooks
from pydantic import BaseModel

from lampwork import App, Endpoint, Job, Project, Webhook, clock
from lampwork.door import Door
from lampwork.errors import (
    DeliveryRefused,
    IdempotencyConflict,
    InputInvalid,
    QueueFull,
    TooManyDeliveries,
    TriggerNotFound,
    TriggerPaused,
)
from lampwork.insights import Insights
from lampwork.store.upkeep import erase
from lampwork.testing.clock import FakeClock

from ..support import armed, rows
from .conftest import Open

OLD, NEW = "whsec_" + "b2xk" * 8, "whsec_" + "bmV3" * 8
HERE = "203.0.113.7"

project = Project("desk")


class Ticket(BaseModel):
    title: str
    priority: Literal["P1", "P2"] = "P2"


@project.recipe(triggers=[Webhook("tickets", secret=[OLD, NEW])])
async def triage(job: Job, ticket: Ticket) -> str:
    return f"{ticket.priority} {ticket.title} {job.trigger.delivery} {job.trigger.kind}"


async def signed_by_them(headers: Mapping[str, str], body: bytes) -> str | None:
    return headers.get("x-their-id") if headers.get("x-their-word") == "please" else None


@project.recipe(triggers=[Webhook("theirs", verify=signed_by_them)])
async def of_theirs(job: Job, title: str, count: int = 1) -> str:
    return f"{count} {title}"


@project.recipe(triggers=[Endpoint("POST", "/orders/{number}", wait=5)])
async def order(job: Job, number: int, ticket: Ticket, fast: bool = False) -> Any:
    return [number, ticket.title, fast, job.trigger.headers.get("x-from")]


@project.recipe(triggers=[Endpoint("GET", "orders/new")])
async def form(job: Job) -> str:
    return "a form"


@project.recipe(triggers=[Endpoint("GET", "orders/{number}")])
async def look(job: Job, number: int) -> int:
    return number


def signed(
    body: Any, *, id: str = "msg_1", at: float | None = None, secret: str = OLD
) -> tuple[dict[str, str], bytes]:
    """A delivery, signed by the library that senders use."""
    data = json.dumps(body)
    moment = datetime.fromtimestamp(clock.now() if at is None else at, UTC)
    signature = standardwebhooks.Webhook(secret).sign(id, moment, data)
    return {
        "Webhook-Id": id,
        "Webhook-Timestamp": str(int(moment.timestamp())),
        "Webhook-Signature": signature,
        "Authorization": "Bearer secret",
    }, data.encode()


async def came(app: App, recipe: str) -> list[tuple[str, str | None]]:
    """What is on record of a recipe's first trigger, the oldest first."""
    [trigger] = await Insights(app.store).triggers_of(project, project.recipes[recipe])
    return [(each.status, each.why) for each in reversed(trigger.firings)]


TICKET = {"title": "no light", "priority": "P1"}


async def test_a_delivery_starts_a_job_with_its_body(opened: Open) -> None:
    async with opened(project) as app:
        firing = await app.receive("tickets", *signed(TICKET), address=HERE)

        assert await app.result(firing.job_id) == "P1 no light msg_1 webhook"
        assert (firing.is_new, firing.recipe, firing.delivery) == (True, "triage", "msg_1")
        assert await came(app, "triage") == [("accepted", None)]
        [(trigger,)] = await rows(app, "select trigger from jobs")
        assert "secret" not in str(trigger)


async def test_a_delivery_that_comes_twice_is_one_job(opened: Open) -> None:
    async with opened(project) as app:
        first = await app.receive("tickets", *signed(TICKET))
        again = await app.receive("tickets", *signed(TICKET, at=clock.now() + 1))
        other = await app.receive("tickets", *signed(TICKET, id="msg_2"))

        assert (again.job_id, again.is_new) == (first.job_id, False)
        assert other.job_id != first.job_id
        assert await rows(app, "select count(*) from jobs") == [(2,)]
        assert await came(app, "triage") == [("accepted", None)] * 2


async def test_a_delivery_that_comes_again_after_its_person_was_erased_is_known(
    opened: Open,
) -> None:
    async with opened(project) as app:
        first = await app.receive("tickets", *signed(TICKET))
        await app.result(first.job_id)
        await app.store.write(erase.scrub, [first.job_id])

        assert (await app.receive("tickets", *signed(TICKET))).job_id == first.job_id
        assert await rows(app, "select count(*) from firings where delivery = 'msg_1'") == [(0,)]


@pytest.mark.parametrize("secret", [OLD, NEW])
async def test_while_a_secret_is_changed_both_are_good(opened: Open, secret: str) -> None:
    async with opened(project) as app:
        assert (await app.receive("tickets", *signed(TICKET, secret=secret))).is_new


async def test_what_is_refused_starts_nothing_and_is_on_record(opened: Open) -> None:
    headers, body = signed(TICKET)
    other = "whsec_" + "b3Ro" * 8
    refused: list[tuple[dict[str, str], bytes, str]] = [
        (headers, body + b" ", "no signature of it"),
        (headers | {"Webhook-Id": "msg_2"}, body, "no signature of it"),
        (headers | {"Webhook-Signature": "v1,", "Webhook-Id": "x"}, body, "no signature of it"),
        (headers | {"Webhook-Signature": headers["Webhook-Signature"][2:]}, body, "no signature"),
        (headers | {"Webhook-Timestamp": "soon"}, body, "no number of seconds"),
        ({}, body, "it has no webhook-id and no webhook-timestamp and no webhook-signature"),
        (*signed(TICKET, at=clock.now() - 400), "older than 5 minutes"),
        (*signed(TICKET, at=clock.now() + 400), "further ahead than 5 minutes"),
        (*signed(TICKET, secret=other), "no signature of it"),
    ]
    async with opened(project) as app:
        for each, given, why in refused:
            with pytest.raises(DeliveryRefused, match=why):
                await app.receive("tickets", each, given, address=HERE)

        assert await rows(app, "select count(*) from jobs") == [(0,)]
        assert [status for status, _ in await came(app, "triage")] == ["rejected"] * len(refused)
        # What was forged does not stand in the way of what is genuine.
        assert (await app.receive("tickets", headers, body)).is_new


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"title": 7}, "ticket.title"),
        ({"priority": "P1"}, "ticket.title: Field required"),
        ({"title": "x", "priority": "P9"}, "ticket.priority"),
        ([], "ticket"),
        (None, "ticket"),
    ],
)
async def test_a_body_that_does_not_fit_names_the_field_and_starts_no_job(
    opened: Open, body: Any, why: str
) -> None:
    async with opened(project) as app:
        with pytest.raises(InputInvalid, match=why):
            await app.receive("tickets", *signed(body))

        assert await rows(app, "select count(*) from jobs") == [(0,)]
        [(status, said)] = await came(app, "triage")
        assert (status, why in (said or "")) == ("rejected", True)


async def test_another_scheme_is_a_function_of_headers_and_body(opened: Open) -> None:
    theirs = {"X-Their-Id": "7", "X-Their-Word": "please"}
    async with opened(project) as app:
        firing = await app.receive("theirs", theirs, b'{"title": "lamp", "count": 2, "more": 1}')
        assert await app.result(firing.job_id) == "2 lamp"
        assert not (await app.receive("/theirs/", theirs, b'{"title": "lamp"}')).is_new

        for wrong in ({}, {"X-Their-Id": "8"}, {"X-Their-Word": "please"}):
            with pytest.raises(DeliveryRefused, match="not genuine"):
                await app.receive("theirs", wrong, b"{}")
        with pytest.raises(InputInvalid, match="no JSON"):
            await app.receive("theirs", theirs | {"x-their-id": "9"}, b"{")


async def test_a_secret_may_be_in_the_environment(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    @project.recipe(triggers=[Webhook("by-env", secret_env="DESK_SECRETS", schema={"maxItems": 1})])
    async def by_env(job: Job, given: list[int]) -> int:
        return len(given)

    async with opened(project) as app:
        with pytest.raises(DeliveryRefused, match="DESK_SECRETS is not there"):
            await app.receive("by-env", *signed([1]))
        monkeypatch.setenv("DESK_SECRETS", f"{OLD} {NEW}")
        assert (await app.receive("by-env", *signed([1], secret=NEW))).is_new
        with pytest.raises(InputInvalid, match="does not fit"):
            await app.receive("by-env", *signed([1, 2], id="msg_2"))


async def test_a_webhook_that_is_paused_lets_the_sender_try_again(opened: Open) -> None:
    async with opened(project) as app:
        await app.pause_trigger(triage, by="ann")
        with pytest.raises(TriggerPaused) as refused:
            await app.receive("tickets", *signed(TICKET))
        assert refused.value.status == 503

        await app.start_trigger(triage, by="ann")
        assert (await app.receive("tickets", *signed(TICKET))).is_new
        with pytest.raises(TriggerNotFound, match="lampwork run triage"):
            await app.fire(triage)


async def test_whoever_is_refused_too_often_has_to_wait_and_nobody_else(
    opened: Open, stopped: FakeClock
) -> None:
    there = "198.51.100.1"
    headers, body = signed(TICKET)
    async with opened(project) as app:
        for _ in range(31):
            with pytest.raises(DeliveryRefused):
                await app.receive("tickets", headers, b"forged", address=there)

        with pytest.raises(TooManyDeliveries) as refused:
            await app.receive("tickets", headers, b"forged", address=there)
        assert 0 < refused.value.retry_after <= 2
        assert (await app.receive("tickets", headers, body, address=HERE)).is_new
        # Nor does it keep a sender away with whom somebody shares an address, but a large delivery.
        assert (await app.receive("tickets", *signed(TICKET, id="msg_2"), address=there)).is_new
        large = signed(TICKET | {"title": "x" * 70_000}, id="msg_3")
        with pytest.raises(TooManyDeliveries):
            await app.receive("tickets", *large, address=there)
        assert len(await came(app, "triage")) == 33


async def test_where_a_function_judges_whoever_is_refused_too_often_is_not_heard(
    opened: Open, stopped: FakeClock
) -> None:
    genuine = {"x-their-id": "7", "x-their-word": "please"}, b'{"title": "dark"}'
    async with opened(project) as app:
        for _ in range(31):
            with pytest.raises(DeliveryRefused):
                await app.receive("theirs", {}, b"{}", address=HERE)

        with pytest.raises(TooManyDeliveries):
            await app.receive("theirs", *genuine, address=HERE)
        await stopped.advance(seconds=3, while_executing=True)
        assert (await app.receive("theirs", *genuine, address=HERE)).is_new


async def test_a_delivery_that_finds_no_room_may_come_again(opened: Open) -> None:
    full = Project("full", max_queued=1)

    @full.recipe(triggers=[Webhook("in", secret=OLD)])
    async def wait(job: Job) -> None: ...

    async with opened(project) as app:
        door = Door(full, app.store)
        await door.receive("in", *signed(None))
        with pytest.raises(QueueFull):
            await door.receive("in", *signed(None, id="msg_2"))

        assert await rows(app, "select status from jobs") == [("queued",)]


@pytest.mark.parametrize("at", ["trigger.due", "trigger.fired"])
async def test_a_sender_that_heard_nothing_sends_again_and_there_is_one_job(
    opened: Open, at: str
) -> None:
    def die() -> None:
        raise ConnectionError("nobody hears of it")

    async with opened(project) as app:
        with armed(at, die), pytest.raises(ConnectionError):
            await app.receive("tickets", *signed(TICKET))

        left = await rows(app, "select count(*) from jobs where callable = 'triage'")
        assert left == await rows(app, "select count(*) from firings where delivery = 'msg_1'")
        again = await app.receive("tickets", *signed(TICKET))
        assert again.is_new == (left == [(0,)])
        assert await rows(app, "select count(*) from jobs where callable = 'triage'") == [(1,)]


# --- endpoints ---


async def call(app: App, method: str, path: str, body: Any = None, **more: Any) -> Any:
    given: dict[str, Any] = {"query": {}, "headers": {}} | more
    firing = await app.call_endpoint(method, path, body=body, **given)
    return await app.result(firing.job_id)


async def test_a_call_fills_the_recipe_from_path_query_and_body(opened: Open) -> None:
    async with opened(project) as app:
        said = {"X-From": "us", "Cookie": "secret"}
        given = {"query": {"fast": "true"}, "headers": said}
        assert await call(app, "POST", "orders/7", TICKET, **given) == [7, "no light", True, "us"]
        assert await call(app, "POST", "/orders/7/", TICKET) == [7, "no light", False, None]
        assert await call(app, "GET", "orders/new") == "a form"
        assert await call(app, "GET", "orders/8") == 8

        firing = await app.call_endpoint("GET", "orders/8", query={}, headers={})
        assert (firing.wait, firing.trigger) == (30.0, "endpoint GET orders/{number}")


@pytest.mark.parametrize(
    ("path", "query", "body", "why"),
    [
        ("orders/x", {}, TICKET, "number: Input should be a valid integer"),
        ("orders/7", {"fast": "perhaps"}, TICKET, "fast: Input should be a valid boolean"),
        ("orders/7", {}, None, "ticket: missing"),
        ("orders/7", {}, {"title": 7}, "ticket.title"),
    ],
)
async def test_a_call_that_does_not_fit_names_the_field(
    opened: Open, path: str, query: dict[str, str], body: Any, why: str
) -> None:
    async with opened(project) as app:
        with pytest.raises(InputInvalid, match=why):
            await app.call_endpoint("POST", path, query=query, headers={}, body=body)

        [(status, said)] = await came(app, "order")
        assert (status, why in (said or "")) == ("rejected", True)


async def test_the_same_call_with_its_key_is_one_job(opened: Open) -> None:
    async with opened(project) as app:

        async def order_of(title: str) -> Any:
            given: dict[str, Any] = {"query": {}, "headers": {}, "idempotency_key": "k1"}
            return await app.call_endpoint("POST", "orders/7", body={"title": title}, **given)

        first, again = await order_of("lamp"), await order_of("lamp")
        assert (again.job_id, again.is_new) == (first.job_id, False)
        with pytest.raises(IdempotencyConflict):
            await order_of("vase")


async def test_what_nobody_has_defined_is_not_found(opened: Open) -> None:
    async with opened(project) as app:
        for method, path in (("PUT", "orders/7"), ("GET", "orders"), ("GET", "orders//")):
            with pytest.raises(TriggerNotFound):
                await app.call_endpoint(method, path, query={}, headers={})
        with pytest.raises(TriggerNotFound):
            await app.receive("other", *signed(TICKET))
