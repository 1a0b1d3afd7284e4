"""Who may sign in, with what, how often, and how long for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from tests.support import rows_of

from lampwork import clock
from lampwork.errors import (
    AccountExists,
    AccountNotFound,
    InputInvalid,
    KeyNotFound,
    LinkInvalid,
    SignInNeeded,
    SignInRefused,
    TooManySignIns,
)
from lampwork.people import Caller, accounts, audit_log, keys, links, passwords, sessions
from lampwork.place import Folder
from lampwork.store.store import Store

ANN, WORD, HERE = "ann@example.org", "correct horse battery", "10.0.0.7"
HOUR = 3600.0
NOBODYS = passwords.NOBODYS


class Ahead(clock.Clock):
    """A clock that stands, and is put forward: it does not matter how long anything takes."""

    by = 0.0

    def __init__(self) -> None:
        self.begun = clock.now()

    def now(self) -> float:
        return self.begun + self.by


@pytest.fixture(autouse=True)
def ahead() -> Iterator[Ahead]:
    with clock.using(ahead := Ahead()):
        yield ahead


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(Folder(tmp_path))
    yield store
    store.close()


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that are hashed in a millisecond."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", hasher)
    monkeypatch.setattr(passwords, "NOBODYS", hasher.hash("nobody's"))


async def test_a_person_signs_in_and_has_the_roles_of_the_account(store: Store) -> None:
    await accounts.add(store, " Ann@Example.org", WORD, role="viewer")
    await accounts.set_role(store, ANN, "admin", project="shop")

    session = await sessions.sign_in(store, "ANN@example.org", WORD, address=HERE)

    again = await sessions.of_token(store, session.token)
    assert again.caller == Caller(ANN, {"shop": "admin"}, everywhere="viewer")
    assert again.caller.may("bank", "viewer")
    assert not again.caller.may("bank", "builder")


async def test_a_role_that_is_taken_is_gone_in_a_session_that_goes_on(store: Store) -> None:
    await accounts.add(store, ANN, WORD, role="admin", project="shop")
    session = await sessions.sign_in(store, ANN, WORD, address=HERE)

    await accounts.set_role(store, ANN, None, project="shop")

    assert (await sessions.of_token(store, session.token)).caller.role_in("shop") is None


@pytest.mark.parametrize(
    ("email", "password"),
    [(ANN, "wrong horse battery"), ("eve@example.org", WORD), ("\x00", WORD), (ANN, "x" * 10_000)],
)
async def test_a_wrong_password_and_an_unknown_account_are_told_the_same(
    store: Store, email: str, password: str
) -> None:
    await accounts.add(store, ANN, WORD)

    with pytest.raises(SignInRefused, match="No active account has this"):
        await sessions.sign_in(store, email, password, address=HERE)


async def test_where_there_is_no_account_a_password_is_compared_all_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []

    async def fits(password: str, kept: str) -> bool:
        compared.append(kept)
        return True

    monkeypatch.setattr(passwords, "fits", fits)
    with pytest.raises(SignInRefused):
        await sessions.sign_in(store, ANN, WORD, address=HERE)

    assert compared == [passwords.NOBODYS]


def test_what_nobodys_password_takes_is_what_anybodys_takes() -> None:
    assert not PasswordHasher().check_needs_rehash(NOBODYS)


async def test_a_disabled_account_has_no_sessions_and_begins_none(store: Store) -> None:
    await accounts.add(store, ANN, WORD)
    session = await sessions.sign_in(store, ANN, WORD, address=HERE)

    await accounts.disable(store, ANN)
    with pytest.raises(SignInNeeded):
        await sessions.of_token(store, session.token)
    with pytest.raises(SignInRefused):
        await sessions.sign_in(store, ANN, WORD, address=HERE)

    await accounts.enable(store, ANN)
    assert await sessions.sign_in(store, ANN, WORD, address=HERE)


@pytest.mark.parametrize("change", ["disable", "set_password"])
async def test_an_account_that_is_changed_while_its_password_is_compared_begins_none(
    store: Store, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    await accounts.add(store, ANN, WORD)

    async def fits(password: str, kept: str) -> bool:
        if change == "disable":
            await accounts.disable(store, ANN)
        else:
            await accounts.set_password(store, ANN, "another " + WORD)
        return True

    monkeypatch.setattr(passwords, "fits", fits)
    with pytest.raises(SignInRefused, match="changed meanwhile"):
        await sessions.sign_in(store, ANN, WORD, address=HERE)


async def test_another_password_ends_all_sessions_but_the_one_it_was_given_in(store: Store) -> None:
    await accounts.add(store, ANN, WORD)
    one, other = [await sessions.sign_in(store, ANN, WORD, address=HERE) for _ in range(2)]

    await accounts.set_password(store, ANN, "another " + WORD, keep_session=one.token)

    assert await sessions.of_token(store, one.token)
    with pytest.raises(SignInNeeded):
        await sessions.of_token(store, other.token)
    with pytest.raises(SignInRefused):
        await sessions.sign_in(store, ANN, WORD, address=HERE)


async def test_a_session_is_over_when_it_was_not_used_or_is_too_old(
    store: Store, ahead: Ahead
) -> None:
    await accounts.add(store, ANN, WORD)
    idle = await sessions.sign_in(store, ANN, WORD, address=HERE)
    used = await sessions.sign_in(store, ANN, WORD, address=HERE)

    for _ in range(14):
        ahead.by += 11 * HOUR
        assert await sessions.of_token(store, used.token)
        await store.write(lambda _: None)  # so it is on record that it was used

    with pytest.raises(SignInNeeded):
        await sessions.of_token(store, idle.token)
    ahead.by = sessions.LASTS + 1
    with pytest.raises(SignInNeeded):
        await sessions.of_token(store, used.token)


async def test_who_signs_out_has_no_session(store: Store) -> None:
    await accounts.add(store, ANN, WORD)
    session = await sessions.sign_in(store, ANN, WORD, address=HERE)

    await sessions.sign_out(store, session)

    with pytest.raises(SignInNeeded):
        await sessions.of_token(store, session.token)


async def test_what_goes_with_each_change_belongs_to_one_session(store: Store) -> None:
    await accounts.add(store, ANN, WORD)
    one, other = [await sessions.sign_in(store, ANN, WORD, address=HERE) for _ in range(2)]

    assert sessions.csrf_fits(one.token, one.csrf)
    assert not sessions.csrf_fits(one.token, other.csrf)
    assert one.token not in one.csrf


# --- guesses ---


async def test_guesses_at_an_account_are_limited_whoever_makes_them(
    store: Store, ahead: Ahead
) -> None:
    await accounts.add(store, ANN, WORD)
    for number in range(10):
        with pytest.raises(SignInRefused):
            await sessions.sign_in(store, ANN, "a wrong password", address=f"10.0.0.{number}")

    with pytest.raises(TooManySignIns) as refused:
        await sessions.sign_in(store, ANN, WORD, address="10.0.0.99")

    assert 0 < refused.value.retry_after <= 60
    ahead.by = 61.0
    assert await sessions.sign_in(store, ANN, WORD, address="10.0.0.99")


async def test_guesses_from_an_address_are_limited_whatever_they_are_at(store: Store) -> None:
    for number in range(30):
        with pytest.raises(SignInRefused):
            await sessions.sign_in(store, f"u{number}@example.org", WORD, address=HERE)

    with pytest.raises(TooManySignIns):
        await sessions.sign_in(store, "u99@example.org", WORD, address=HERE)


async def test_the_addresses_of_one_ipv6_net_count_as_one(store: Store) -> None:
    for number in range(30):
        where = f"2001:db8:1:2::{number:x}"
        with pytest.raises(SignInRefused):
            await sessions.sign_in(store, f"u{number}@example.org", WORD, address=where)

    with pytest.raises(TooManySignIns):
        await sessions.sign_in(store, "u99@example.org", WORD, address="2001:db8:1:2:ffff::1")
    with pytest.raises(SignInRefused):
        await sessions.sign_in(store, "u99@example.org", WORD, address="2001:db8:1:3::1")


async def test_guesses_side_by_side_are_all_counted(store: Store) -> None:
    await accounts.add(store, ANN, WORD)

    async def guess() -> type[Exception]:
        try:
            await sessions.sign_in(store, ANN, "a wrong password", address=HERE)
        except (SignInRefused, TooManySignIns) as error:
            return type(error)
        raise AssertionError("that is not the password")

    told = await asyncio.gather(*(guess() for _ in range(20)))

    assert told.count(SignInRefused) == 10


async def test_who_has_signed_in_begins_to_count_anew(store: Store) -> None:
    await accounts.add(store, ANN, WORD)

    for _ in range(15):
        await sessions.sign_in(store, ANN, WORD, address=HERE)


async def test_attempts_leave_nothing_when_their_time_is_over(store: Store, ahead: Ahead) -> None:
    with pytest.raises(SignInRefused):
        await sessions.sign_in(store, ANN, WORD, address=HERE)
    ahead.by = HOUR
    with pytest.raises(SignInRefused):
        await sessions.sign_in(store, "ben@example.org", WORD, address="10.0.0.8")

    assert len(await rows_of(store, "select * from attempts")) == 2


# --- accounts ---


async def test_an_address_has_one_account(store: Store) -> None:
    await accounts.add(store, ANN, WORD)

    with pytest.raises(AccountExists):
        await accounts.add(store, ANN.upper(), WORD)


@pytest.mark.parametrize("password", ["", "too short", "x" * 1025])
async def test_a_password_is_neither_short_nor_endless(store: Store, password: str) -> None:
    with pytest.raises(InputInvalid, match="12 to 1024"):
        await accounts.add(store, ANN, password)


@pytest.mark.parametrize("email", ["", "ann", "@", "ann@", "a b@c", "a@b\n", "x" * 260 + "@b"])
async def test_an_address_is_one(store: Store, email: str) -> None:
    with pytest.raises(InputInvalid, match="no e-mail address"):
        await accounts.add(store, email if email != "a@b\n" else "a\n@b", WORD)


async def test_an_account_that_is_not_there_is_said(store: Store) -> None:
    for change in (
        accounts.disable(store, ANN),
        accounts.set_password(store, ANN, WORD),
        accounts.set_role(store, ANN, "viewer"),
        accounts.get(store, ANN),
    ):
        with pytest.raises(AccountNotFound, match=ANN):
            await change


async def test_nothing_that_opens_a_door_is_in_the_database(store: Store, tmp_path: Path) -> None:
    await accounts.add(store, ANN, WORD)
    session = await sessions.sign_in(store, ANN, WORD, address=HERE)
    text, _ = await keys.make(store, "ci", project="shop", role="builder")

    written = await asyncio.to_thread(_files_in, tmp_path)
    secrets = (WORD, session.token, session.csrf, text, text.rpartition("_")[2])
    assert [each for each in secrets if each.encode() in written] == []


def _files_in(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.glob("lampwork.db*"))


# --- one-time links ---


async def test_a_link_begins_one_session_of_an_admin(store: Store) -> None:
    token = await links.offer(store)
    assert token is not None

    session = await sessions.by_link(store, token, address="127.0.0.1")

    assert (await sessions.of_token(store, session.token)).caller.everywhere == "admin"
    with pytest.raises(LinkInvalid):
        await sessions.by_link(store, token, address="127.0.0.1")


async def test_a_link_is_good_for_a_quarter_of_an_hour(store: Store, ahead: Ahead) -> None:
    token = await links.offer(store)
    assert token is not None
    ahead.by = 15 * 60 + 1

    with pytest.raises(LinkInvalid):
        await sessions.by_link(store, token, address="127.0.0.1")


async def test_of_two_links_the_later_is_good(store: Store) -> None:
    first, second = await links.offer(store), await links.offer(store)
    assert first is not None
    assert second is not None

    with pytest.raises(LinkInvalid):
        await sessions.by_link(store, first, address="127.0.0.1")
    assert await sessions.by_link(store, second, address="127.0.0.1")


async def test_with_the_first_account_links_and_their_sessions_are_over(store: Store) -> None:
    used, unused = await links.offer(store), None
    assert used is not None
    session = await sessions.by_link(store, used, address="127.0.0.1")
    unused = await links.offer(store)
    assert unused is not None

    await accounts.add(store, ANN, WORD, role="admin")

    with pytest.raises(SignInNeeded):
        await sessions.of_token(store, session.token)
    with pytest.raises(LinkInvalid):
        await sessions.by_link(store, unused, address="127.0.0.1")
    assert await links.offer(store) is None


# --- API keys ---


async def test_a_key_is_of_one_project_with_one_role(store: Store) -> None:
    text, key = await keys.make(store, "ci", project="shop", role="builder")

    caller = await keys.of_text(store, text)

    assert text.startswith(f"lw_{key.prefix}_")
    assert caller == Caller(f"key ci ({key.prefix})", {"shop": "builder"})
    assert not caller.may("bank", "viewer")


async def test_a_key_that_was_changed_by_a_letter_is_none(store: Store) -> None:
    text, _ = await keys.make(store, "ci", project="shop", role="builder")
    last = "a" if text[-1] != "a" else "b"

    for wrong in (text[:-1] + last, text[:-1], text + "a", "", "lw__", "Bearer", text.upper()):
        with pytest.raises(SignInNeeded):
            await keys.of_text(store, wrong)


async def test_a_key_is_of_no_use_when_it_is_revoked_or_has_expired(
    store: Store, ahead: Ahead
) -> None:
    revoked, _ = await keys.make(store, "ci", project="shop", role="builder")
    expiring, _ = await keys.make(store, "cd", project="shop", role="builder", lasts=HOUR)

    await keys.revoke(store, "ci")
    with pytest.raises(SignInNeeded):
        await keys.of_text(store, revoked)
    assert await keys.of_text(store, expiring)
    ahead.by = HOUR + 1
    with pytest.raises(SignInNeeded):
        await keys.of_text(store, expiring)

    assert {each.name: each.status for each in await keys.list_all(store)} == {
        "ci": "revoked",
        "cd": "expired",
    }


async def test_it_is_known_when_a_key_was_last_used(store: Store) -> None:
    text, key = await keys.make(store, "ci", project="shop", role="builder")
    assert key.used_at is None

    await keys.of_text(store, text)
    await store.write(lambda _: None)

    assert (await keys.get(store, "ci")).used_at is not None


async def test_of_two_keys_of_a_name_one_says_the_prefix(store: Store) -> None:
    await keys.make(store, "ci", project="shop", role="builder")
    _, key = await keys.make(store, "ci", project="shop", role="builder")

    with pytest.raises(KeyNotFound, match="Several keys"):
        await keys.revoke(store, "ci")
    assert (await keys.revoke(store, key.prefix)).status == "revoked"


async def test_what_is_done_to_accounts_and_keys_is_on_record(store: Store) -> None:
    await accounts.add(store, ANN, WORD)
    await sessions.sign_in(store, ANN, WORD, address=HERE)

    [entry] = (await audit_log.newest(store)).items
    assert (entry.action, entry.who, entry.address) == ("session.begin", ANN, HERE)
