"""Signatures of deliveries, and what definitions of webhooks and endpoints refuse."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from lampwork import Cron, Endpoint, Job, Project, Webhook, clock
from lampwork.errors import DeliveryRefused, TriggerInvalid
from lampwork.place import Folder
from lampwork.store.store import Store
from lampwork.store.triggers import firings
from lampwork.store.triggers.firings import Arrival
from lampwork.store.triggers.triggers import Defined

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
HOOK = Webhook("tickets", secret=SECRET)
NOW = 1_800_000_000


def signed(body: bytes, id: str = "msg_1", at: int = NOW) -> dict[str, str]:
    signature = standardwebhooks.Webhook(SECRET).sign(
        id, datetime.fromtimestamp(at, UTC), body.decode()
    )
    return {"webhook-id": id, "webhook-timestamp": str(at), "webhook-signature": signature}


ids = st.text("abcdefXYZ019_.-", min_size=1, max_size=30)


@given(st.text(max_size=200), ids, st.integers(NOW - 300, NOW + 300))
def test_what_the_library_of_senders_signs_is_genuine(body: str, id: str, at: int) -> None:
    data = body.encode()

    assert HOOK.check_signature(signed(data, id, at), data, NOW) == id


@given(st.binary(max_size=200), st.data())
def test_one_byte_of_the_body_id_or_time_that_is_another_is_refused(
    body: bytes, data: st.DataObject
) -> None:
    headers = signed(body := base64.b64encode(body) + b"x")
    parts = {
        "webhook-id": headers["webhook-id"].encode(),
        "webhook-timestamp": headers["webhook-timestamp"].encode(),
        "body": body,
    }
    which = data.draw(st.sampled_from(sorted(parts)))
    changed = bytearray(parts[which])
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] ^= data.draw(st.integers(1, 127))
    parts[which] = bytes(changed)
    sent = {name: parts[name].decode("latin-1") for name in ("webhook-id", "webhook-timestamp")}

    with pytest.raises(DeliveryRefused):
        HOOK.check_signature(headers | sent, parts["body"], NOW)


@given(st.data())
def test_one_bit_of_the_signature_that_is_another_is_refused(data: st.DataObject) -> None:
    headers = signed(b"{}")
    signature = bytearray(base64.b64decode(headers["webhook-signature"].removeprefix("v1,")))
    signature[data.draw(st.integers(0, 31))] ^= 1 << data.draw(st.integers(0, 7))
    forged = "v1," + base64.b64encode(signature).decode()

    with pytest.raises(DeliveryRefused):
        HOOK.check_signature(headers | {"webhook-signature": forged}, b"{}", NOW)
    both = f"{forged} v2,x v1,? {headers['webhook-signature']}"
    assert HOOK.check_signature(headers | {"webhook-signature": both}, b"{}", NOW) == "msg_1"


def test_a_secret_is_in_no_text_of_a_webhook() -> None:
    assert SECRET not in repr(HOOK)
    assert SECRET not in str(HOOK.described)


# --- definitions ---


class Order(BaseModel):
    number: int


async def nothing(job: Job) -> None: ...


async def takes_order(job: Job, order: Order) -> None: ...


async def takes_number(job: Job, number: int) -> None: ...


async def takes_many(job: Job, *numbers: int) -> None: ...


@pytest.mark.parametrize(
    ("trigger", "recipe", "why"),
    [
        (Webhook("", secret=SECRET), nothing, "no path of a webhook"),
        (Webhook("a b", secret=SECRET), nothing, "no path of a webhook"),
        (Webhook("a/../b", secret=SECRET), nothing, "no path of a webhook"),
        (Webhook("a"), nothing, "takes one of secret=, secret_env= and verify="),
        (Webhook("a", secret=SECRET, secret_env="A"), nothing, "takes one of"),
        (Webhook("a", secret="whsec_?"), nothing, "is no base64"),
        (Webhook("a", secret="whsec_c2hvcnQ="), nothing, "has 5 bytes"),
        (Webhook("a", secret=[]), nothing, "is not there"),
        (Webhook("a", secret=[SECRET] * 3), nothing, "has 3 secrets"),
        (Webhook("a", secret=SECRET, schema={"type": 7}), nothing, "can't be checked"),
        (Webhook("a", verify="x"), nothing, "is no function"),  # type: ignore[arg-type]
        (Webhook("a", secret=SECRET), takes_many, r"can't fill \*numbers"),
        (Endpoint("get", "a"), nothing, "no method of an endpoint"),
        (Endpoint("GET", ""), nothing, "is no path"),
        (Endpoint("GET", "a//b"), nothing, "is no path"),
        (Endpoint("GET", "a/../b"), nothing, "is no path"),
        (Endpoint("GET", "a/{b c}"), nothing, "is no path"),
        (Endpoint("GET", "{a}/{a}"), nothing, "names a parameter twice"),
        (Endpoint("GET", "a", wait=301), nothing, "no number of seconds from 0 to 300"),
        (Endpoint("GET", "a", wait="1"), nothing, "no number of seconds"),  # type: ignore[arg-type]
        (Endpoint("GET", "a/{x}"), nothing, "names x, which it does not take"),
        (Endpoint("GET", "a"), takes_order, "GET has no body for order"),
        (Cron("@daily"), takes_order, "Cron gives a recipe nothing"),
        ("x", nothing, "is no trigger"),
    ],
)
def test_a_definition_that_can_not_work_is_refused_with_its_place(
    trigger: Any, recipe: Callable[..., Any], why: str
) -> None:
    with pytest.raises(TriggerInvalid, match=why) as refused:
        Project("shop").recipe(triggers=[trigger])(recipe)

    assert f"{Path(__file__)}:{recipe.__code__.co_firstlineno}" in refused.value.message
    assert SECRET not in refused.value.message


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (HOOK, Webhook("/tickets/", secret=SECRET)),
        (Endpoint("GET", "orders/{number}"), Endpoint("GET", "/orders/{number}")),
    ],
)
def test_a_path_that_is_used_twice_names_both(one: Any, other: Any) -> None:
    project = Project("shop")
    project.recipe(triggers=[one], name="first")(takes_number)

    with pytest.raises(TriggerInvalid) as refused:
        project.recipe(triggers=[other], name="second")(takes_number)

    assert 'recipe "second"' in refused.value.message
    assert f'recipe "first" ({Path(__file__)}:' in refused.value.message
    with pytest.raises(TriggerInvalid, match="there twice"):
        Project("shop").recipe(triggers=[one, other])(takes_number)


def test_paths_of_another_method_or_kind_are_others() -> None:
    project = Project("shop")
    triggers = [HOOK, Endpoint("GET", "tickets"), Endpoint("POST", "tickets")]

    assert len(project.recipe(triggers=triggers)(nothing).triggers) == 3


# --- rows ---


async def test_what_came_long_ago_and_has_no_job_any_more_goes(tmp_path: Path) -> None:
    store = Store(Folder(tmp_path))
    arrival = Arrival("shop", Defined("r", "webhook a", "webhook", {}), "10.0.0.1", "msg_1")
    try:
        await store.write(firings.reject, arrival, "it is forged")
        before = clock.now() + 1
        assert await store.write(firings.prune, before, "bank", 10) == 0
        assert await store.write(firings.prune, before - 60, "shop", 10) == 0
        assert await store.write(firings.prune, before, "shop", 10) == 1
    finally:
        store.close()
