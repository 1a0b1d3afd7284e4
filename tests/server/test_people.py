"""Who calls: programs by their keys, people by their sessions, anybody on this machine at first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher

from lampwork import Endpoint, Job, Project
from lampwork.errors import LastAdmin
from lampwork.people import accounts, audit_log, keys, links, passwords
from lampwork.server.authority import COOKIE, HOST_COOKIE, KnownCallers
from lampwork.server.running import ON_LOOPBACK, Reached
from lampwork.store.store import Store

from .conftest import Serve

ANN, WORD = "ann@example.org", "correct horse battery"
JOBS = "/api/projects/shop/recipes/add/jobs"
project = Project("shop")


@project.recipe(triggers=[Endpoint("GET", "sum", wait=120)])
async def add(job: Job, a: int = 1) -> int:
    return a + 1


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that are hashed in a millisecond."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", hasher)
    monkeypatch.setattr(passwords, "NOBODYS", hasher.hash("nobody's"))


@dataclass
class Served:
    api: httpx.AsyncClient
    store: Store

    async def sign_in(self) -> dict[str, str]:
        """Begin a session; what its changes send."""
        begun = await self.api.post("/api/session", json={"email": ANN, "password": WORD})
        assert begun.status_code == 201, begun.text
        return {"X-CSRF-Token": begun.json()["csrf"]}

    async def status(self, method: str, path: str, **more: Any) -> int:
        return (await self.api.request(method, path, **more)).status_code


@asynccontextmanager
async def served(
    serve: Serve, *, on_loopback: bool = True, reached: Reached = ON_LOOPBACK
) -> AsyncIterator[Served]:
    stores: list[Store] = []

    def knows(store: Store) -> KnownCallers:
        stores.append(store)
        return KnownCallers(store, on_loopback=on_loopback)

    async with serve(project, authority=knows, reached=reached) as api:
        yield Served(api, stores[0])


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_a_program_shows_its_key_and_may_what_its_role_says(serve: Serve) -> None:
    async with served(serve, on_loopback=False) as on:
        viewer, _ = await keys.make(on.store, "see", project="shop", role="viewer")
        builder, key = await keys.make(on.store, "ci", project="shop", role="builder")
        foreign, _ = await keys.make(on.store, "ci", project="bank", role="admin")

        told = [
            (
                await on.status("GET", "/api/jobs", headers=headers),
                await on.status("POST", JOBS, headers=headers, json={}),
            )
            for headers in ({}, bearer("lw_x"), bearer(foreign), bearer(viewer), bearer(builder))
        ]

        assert told == [(401, 401), (401, 401), (404, 404), (200, 403), (200, 202)]
        assert await on.status("GET", "/api/jobs", headers={"Authorization": "Basic eA=="}) == 401
        [entry] = (await audit_log.newest(on.store)).items
        assert (entry.action, entry.who) == ("job.start", f"key ci ({key.prefix})")
        assert entry.address == "127.0.0.1"


async def test_a_person_signs_in_changes_something_and_signs_out(serve: Serve) -> None:
    async with served(serve) as on:
        await accounts.add(on.store, ANN, WORD, role="builder", project="shop")
        assert await on.status("GET", "/api/jobs") == 401

        csrf = await on.sign_in()
        me = (await on.api.get("/api/session")).json()
        assert (me["name"], me["role"], me["csrf"]) == (ANN, "builder", csrf["X-CSRF-Token"])
        assert await on.status("POST", JOBS, headers=csrf, json={}) == 202
        assert await on.status("DELETE", "/api/session", headers=csrf) == 204
        assert await on.status("GET", "/api/jobs") == 401

        done = [(each.action, each.who) for each in (await audit_log.newest(on.store)).items]
        assert done == [("session.end", ANN), ("job.start", ANN), ("session.begin", ANN)]


async def test_a_change_that_a_page_of_another_site_sends_is_refused(serve: Serve) -> None:
    async with served(serve) as on:
        await accounts.add(on.store, ANN, WORD, role="admin")
        csrf = await on.sign_in()

        for wrong in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": csrf["X-CSRF-Token"][:-1]}):
            assert await on.status("POST", JOBS, headers=wrong, json={}) == 401
        assert await on.status("GET", "/api/jobs") == 200


async def test_a_link_on_another_site_starts_no_job_by_an_endpoint(serve: Serve) -> None:
    """A browser sends the cookie along (SameSite=Lax) when somebody follows a link."""
    async with served(serve) as on:
        await accounts.add(on.store, ANN, WORD, role="admin")
        csrf = await on.sign_in()

        assert await on.status("GET", "/run/shop/sum") == 401
        assert (await on.api.get("/api/jobs")).json()["items"] == []
        assert await on.status("GET", "/run/shop/sum", headers=csrf) == 200
        [entry, _] = (await audit_log.newest(on.store)).items
        assert (entry.action, entry.who) == ("job.start", ANN)
        [job] = (await on.api.get("/api/jobs")).json()["items"]
        assert entry.on == job["job_id"]


async def test_the_cookie_is_of_no_use_to_scripts_and_other_sites(serve: Serve) -> None:
    async with served(serve) as on:
        await accounts.add(on.store, ANN, WORD)
        given = {"email": ANN, "password": WORD}
        begun = await on.api.post("/api/session", json=given)

        cookie = begun.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}=")
        assert all(each in cookie for each in ("HttpOnly", "SameSite=lax", "Path=/"))
        assert begun.cookies[COOKIE] not in begun.text
        for answered in (begun, await on.api.get("/api/session"), await on.api.get("/api/none")):
            assert answered.headers["cache-control"] == "no-store"
            assert answered.headers["x-content-type-options"] == "nosniff"


async def test_over_tls_browsers_take_the_cookie_of_this_host_alone(serve: Serve) -> None:
    proxied = Reached(behind_proxy=True)
    async with served(serve, on_loopback=False, reached=proxied) as on:
        await accounts.add(on.store, ANN, WORD)
        begun = await on.api.post("/api/session", json={"email": ANN, "password": WORD})
        name, _, rest = begun.headers["set-cookie"].partition("=")
        token = rest.partition(";")[0]
        status = [
            await on.status("GET", "/api/session", headers={"Cookie": f"{each}={token}"})
            for each in (HOST_COOKIE, COOKIE)
        ]
        ending = {"Cookie": f"{HOST_COOKIE}={token}", "X-CSRF-Token": begun.json()["csrf"]}
        ended = await on.api.delete("/api/session", headers=ending)

    assert (name, status) == (f"__Host-{COOKIE}", [200, 401])
    for answered in (begun, ended):
        said = answered.headers["set-cookie"]
        assert said.startswith(f"{HOST_COOKIE}=")
        assert ("Secure" in said, "Path=/" in said, "Domain" in said) == (True, True, False)
    assert "Max-Age=0" in ended.headers["set-cookie"]


async def test_guesses_are_refused_alike_and_then_have_to_wait(serve: Serve) -> None:
    async with served(serve) as on:
        await accounts.add(on.store, ANN, WORD)
        given = {"email": ANN, "password": "a wrong password"}
        told = [await on.api.post("/api/session", json=given) for _ in range(11)]

        assert [each.status_code for each in told] == [401] * 10 + [429]
        assert 0 < int(told[-1].headers["retry-after"]) <= 60


async def test_until_there_are_accounts_whoever_is_on_this_machine_is_let_in(
    serve: Serve,
) -> None:
    async with served(serve) as on:
        assert (await on.api.get("/api/session")).json() == {"name": "local", "role": "admin"}
        assert await on.status("POST", JOBS, json={}) == 202

        await accounts.add(on.store, ANN, WORD)
        assert await on.status("GET", "/api/session") == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Host": "["},
        {"Sec-Fetch-Site": "cross-site"},
        {"X-Forwarded-For": "203.0.113.7"},
        {"Forwarded": "for=203.0.113.7"},
    ],
)
async def test_pages_of_other_sites_and_what_comes_past_a_proxy_are_not(
    serve: Serve, headers: dict[str, str]
) -> None:
    async with served(serve) as on:
        assert await on.status("POST", JOBS, headers=headers, json={}) == 401
        assert await on.status("GET", "/api/jobs", headers=headers) == 401


async def test_the_link_of_a_server_without_accounts_begins_one_session(serve: Serve) -> None:
    async with served(serve, on_loopback=False) as on:
        token = await links.offer(on.store)
        begun = await on.api.post("/api/session/link", json={"token": token})

        assert (begun.status_code, begun.json()["role"]) == (201, "admin")
        assert await on.status("GET", "/api/jobs") == 200
        assert await on.status("POST", "/api/session/link", json={"token": token}) == 401
        await accounts.add(on.store, ANN, WORD)
        assert await on.status("GET", "/api/jobs") == 401


# --- what admins do ---


async def test_an_admin_makes_accounts_keys_and_reads_what_was_done(serve: Serve) -> None:
    people, of_keys = "/api/projects/shop/people", "/api/projects/shop/keys"
    async with served(serve) as on:
        await accounts.add(on.store, ANN, WORD, role="admin", project="shop")
        await accounts.add(on.store, "eve@example.org", WORD, role="admin", project="bank")
        csrf = {"headers": await on.sign_in()}

        new = {"email": "ben@example.org", "password": WORD, "role": "viewer"}
        assert await on.status("POST", people, json=new, **csrf) == 201
        assert await on.status("POST", people, json=new | {"everywhere": True}, **csrf) == 403
        given = await on.api.put(f"{people}/ben@example.org", json={"role": "builder"}, **csrf)
        assert given.json()["role"] == "builder"
        listed = (await on.api.get(people)).json()["items"]
        assert [each["email"] for each in listed] == [ANN, "ben@example.org"]

        made = await on.api.post(of_keys, json={"name": "ci", "role": "builder"}, **csrf)
        assert await on.status("POST", JOBS, headers=bearer(made.json()["key"]), json={}) == 202
        _, foreign = await keys.make(on.store, "ci", project="bank", role="admin")
        assert await on.status("DELETE", f"{of_keys}/{foreign.prefix}", **csrf) == 404
        both = await on.api.delete(f"{of_keys}/none", **csrf)
        assert (both.status_code, foreign.prefix in both.text) == (404, False)
        prefix = made.json()["made"]["prefix"]
        assert await on.status("DELETE", f"{of_keys}/{prefix}", **csrf) == 200
        assert await on.status("POST", JOBS, headers=bearer(made.json()["key"]), json={}) == 401
        assert made.json()["key"] not in (await on.api.get(of_keys)).text

        page = (await on.api.get("/api/projects/shop/audit?limit=2")).json()
        assert [each["action"] for each in page["items"]] == ["key.revoke", "job.start"]
        rest = (await on.api.get(f"/api/projects/shop/audit?after={page['next']}")).json()
        assert [each["action"] for each in rest["items"]] == [
            *("key.make", "account.role", "account.add"),
        ]


async def test_who_has_signed_in_takes_another_password(serve: Serve) -> None:
    async with served(serve) as here:
        await accounts.add(here.store, ANN, WORD, role="admin")
        await here.sign_in()
        elsewhere = dict(here.api.cookies)
        here.api.cookies.clear()
        csrf = await here.sign_in()
        path, new = "/api/session/password", "battery staple correct"
        wrong = {"password": "not it, surely", "new_password": new}
        assert await here.status("PUT", path, json=wrong, headers=csrf) == 401
        given = {"password": WORD, "new_password": new}
        assert await here.status("PUT", path, json=given) == 401  # from another site
        assert await here.status("PUT", path, json=given, headers=csrf) == 204
        assert await here.status("GET", "/api/jobs") == 200  # this session goes on
        here.api.cookies.clear()
        here.api.cookies.update(elsewhere)
        assert await here.status("GET", "/api/jobs") == 401  # that one is over
        again = {"email": ANN, "password": new}
        assert await here.status("POST", "/api/session", json=again) == 201
        actions = [each.action for each in (await audit_log.newest(here.store)).items]

    assert "account.password" in actions


async def test_an_admin_disables_accounts_of_this_project_alone(serve: Serve) -> None:
    ben, eve, boss = "ben@example.org", "eve@example.org", "boss@example.org"
    async with served(serve) as here:
        await accounts.add(here.store, ANN, WORD, role="admin", project="shop")
        await accounts.add(here.store, ben, WORD, role="viewer", project="shop")
        await accounts.add(here.store, eve, WORD, role="viewer", project="bank")
        await accounts.add(here.store, boss, WORD, role="admin")
        csrf = await here.sign_in()
        people = "/api/projects/shop/people"

        done = await here.api.post(f"{people}/{ben}/disable", headers=csrf)
        assert (done.status_code, done.json()["status"]) == (200, "disabled")
        word = {"password": "battery staple correct"}
        for whose, answered in ((ben, 200), (eve, 404), (boss, 403)):
            path = f"{people}/{whose}/password"
            assert await here.status("PUT", path, json=word, headers=csrf) == answered, whose
        log = (await here.api.get("/api/projects/shop/audit")).json()["items"]
        assert [(each["action"], each["on"], each["who"]) for each in log[:2]] == [
            ("account.password", ben, ANN),
            ("account.disable", ben, ANN),
        ]
        refused = {"email": ben, **word}
        assert await here.status("POST", "/api/session", json=refused) == 401
        assert await here.status("POST", f"{people}/{ben}/enable", headers=csrf) == 200
        here.api.cookies.clear()
        assert await here.status("POST", "/api/session", json=refused) == 201


async def test_an_admin_of_one_project_makes_nobody_less_who_is_one_of_all(serve: Serve) -> None:
    boss = "boss@example.org"
    async with served(serve) as here:
        await accounts.add(here.store, ANN, WORD, role="admin", project="shop")
        await accounts.add(here.store, boss, WORD, role="approver")
        csrf, path = await here.sign_in(), f"/api/projects/shop/people/{boss}"

        for role, answered in (("builder", 403), ("admin", 200), (None, 200)):
            given = {"json": {"role": role}, "headers": csrf}
            assert await here.status("PUT", path, **given) == answered, role
        await accounts.set_role(here.store, ANN, "admin")
        assert await here.status("PUT", path, json={"role": "viewer"}, headers=csrf) == 200


async def test_the_last_active_admin_of_a_server_stays_one(serve: Serve) -> None:
    ben, people = "ben@example.org", "/api/projects/shop/people"
    async with served(serve) as here:
        await accounts.add(here.store, ANN, WORD, role="admin")
        await accounts.add(here.store, ben, WORD, role="admin")
        await accounts.disable(here.store, ben)  # so there is one who may sign in
        csrf: dict[str, Any] = {"headers": await here.sign_in()}

        async def refused(method: str, path: str, **more: Any) -> bool:
            answer = await here.api.request(method, f"{people}/{ANN}{path}", **more, **csrf)
            return answer.status_code == 409 and answer.json()["code"] == "last_admin"

        assert await refused("POST", "/disable")
        assert await refused("PUT", "", json={"role": "viewer"})
        assert await here.status("POST", f"{people}/{ben}/enable", **csrf) == 200
        assert await here.status("PUT", f"{people}/{ANN}", json={"role": "viewer"}, **csrf) == 200
        assert await here.status("GET", people) == 403
        kept = await accounts.get(here.store, ANN)
        log = (await audit_log.newest(here.store)).items

    assert (kept.status, kept.roles) == ("active", {"*": "admin", "shop": "viewer"})
    assert [each.action for each in log] == ["account.role", "account.enable", "session.begin"]


async def test_the_only_admin_of_a_project_takes_the_own_role_when_there_is_another(
    serve: Serve,
) -> None:
    ben, people = "ben@example.org", "/api/projects/shop/people"
    async with served(serve) as here:
        await accounts.add(here.store, ANN, WORD, role="admin", project="shop")
        csrf: dict[str, Any] = {"headers": await here.sign_in()}
        new = {"email": ben, "password": WORD, "role": "builder"}
        assert await here.status("POST", people, json=new, **csrf) == 201
        none = {"json": {"role": None}, **csrf}

        assert await here.status("PUT", f"{people}/{ANN}", **none) == 409
        assert await here.status("PUT", f"{people}/{ben}", json={"role": "admin"}, **csrf) == 200
        assert await here.status("PUT", f"{people}/{ANN}", **none) == 200


async def test_of_two_admins_who_disable_each_other_at_once_one_stays(serve: Serve) -> None:
    ben = "ben@example.org"
    async with served(serve) as here:
        await accounts.add(here.store, ANN, WORD, role="admin")
        await accounts.add(here.store, ben, WORD, role="admin")
        both = [accounts.disable(here.store, each, keep_admins=True) for each in (ANN, ben)]
        done = await asyncio.gather(*both, return_exceptions=True)
        active = [each for each in await accounts.list_all(here.store) if each.status == "active"]

    assert {type(each) for each in done} == {LastAdmin, type(None)}
    assert len(active) == 1
