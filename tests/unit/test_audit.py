"""The audit log: what is written with a change, and that no tampering goes unseen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.support import rows_of

from lampwork.acting import Actor, acting
from lampwork.errors import InputInvalid, JobNotFound
from lampwork.people import audit_log
from lampwork.people.audit_log import Broken
from lampwork.place import Folder, Server
from lampwork.store import schema
from lampwork.store.jobs import cancelled
from lampwork.store.people import audit
from lampwork.store.people.audit import Act, Head, nothing, recorded
from lampwork.store.store import Store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(Folder(tmp_path))
    yield store
    store.close()


async def write(store: Store, count: int) -> None:
    for number in range(1, count + 1):
        with acting("ann@example.org", address="10.0.0.7"):
            await store.write(recorded(Act("thing.do", f"x{number}", "shop"), nothing))


async def sql(store: Store, *statements: str) -> None:
    def tamper(connection: sa.Connection) -> None:
        for each in statements:
            connection.execute(sa.text(each))

    await store.write(tamper)


async def test_an_entry_says_who_did_what_on_what_when_and_from_where(store: Store) -> None:
    with acting("ann@example.org", address="10.0.0.7"):
        act = Act("account.role", "ben@example.org", "shop", {"role": "viewer"})
        await store.write(recorded(act, nothing))

    [entry] = (await audit_log.newest(store)).items
    assert (entry.number, entry.action, entry.project) == (1, "account.role", "shop")
    assert (entry.who, entry.address) == ("ann@example.org", "10.0.0.7")
    assert (entry.on, entry.details) == ("ben@example.org", {"role": "viewer"})


async def test_what_code_does_by_itself_is_in_nobodys_name(store: Store) -> None:
    await store.write(recorded(Act("thing.do"), nothing))

    assert (await audit_log.newest(store)).items == ()


async def test_a_change_that_is_refused_leaves_no_entry(store: Store) -> None:
    with acting("ann@example.org", address="10.0.0.7"), pytest.raises(JobNotFound):
        await store.write(recorded(Act("job.cancel", "j1"), cancelled.want_cancelled), "j1")

    assert (await audit_log.newest(store)).items == ()


async def test_a_whole_log_is_verified_to_its_head(store: Store) -> None:
    await write(store, 3)

    done = await audit_log.verify(store)

    assert (done.entries, done.erased, done.broken) == (3, 0, None)
    assert done.head.seq == 3


@pytest.mark.parametrize(
    ("tampering", "number", "how"),
    [
        (["update audit set content = replace(content, 'ann', 'eve') where seq = 2"], 2, "edited"),
        (["update audit set action = 'thing.see' where seq = 2"], 2, "edited"),
        (["update audit set at = at + 1 where seq = 2"], 2, "edited"),
        (["update audit set project = null where seq = 2"], 2, "edited"),
        (["delete from audit where seq = 2"], 2, "entry 2 is missing: deleted"),
        (["delete from audit where seq in (1, 2)"], 1, "entries 1 to 2 are missing: deleted"),
        (
            ["delete from audit where seq = 2", "update audit set seq = 2 where seq = 3"],
            2,
            "not the one that was written there",
        ),
        (
            [
                "update audit set seq = 9 where seq = 2",
                "update audit set seq = 2 where seq = 3",
                "update audit set seq = 3 where seq = 9",
            ],
            2,
            "the entry that belongs there is number 3 now: reordered",
        ),
        (["delete from audit where seq = 4"], 4, "the end was cut off"),
        (["delete from audit where seq >= 3"], 3, "entries 3 to 4 of the head are missing"),
        (["delete from audit"], 1, "entries 1 to 4 of the head are missing"),
        (["update audit_head set digest = 'x'"], 4, "not the last one by the head"),
        (["update audit set content = null where seq in (2, 3)"], 2, "no entry says that it was"),
    ],
)
async def test_tampering_is_found_at_the_first_entry_it_shows_at(
    store: Store, tampering: list[str], number: int, how: str
) -> None:
    await write(store, 4)

    await sql(store, *tampering)
    done = await audit_log.verify(store)

    assert done.broken is not None
    assert done.broken.number == number
    assert how in done.broken.how


async def test_at_a_server_too_an_edit_is_found(server: str) -> None:
    store = Store(Server(server))
    try:
        await write(store, 3)
        assert (await audit_log.verify(store)).broken is None
        await sql(store, "update audit set at = at + 0.001 where seq = 3")
        done = await audit_log.verify(store)
    finally:
        store.close()

    assert done.broken is not None
    assert done.broken.number == 3


async def test_a_text_that_was_erased_leaves_the_chain_whole_and_nothing_to_guess(
    store: Store,
) -> None:
    await write(store, 3)
    [before] = await rows_of(store, "select content_digest from audit where seq = 2")

    naming = await store.read(audit.naming, "x2")
    await store.write(audit.blank, naming, None)
    assert naming == [2]
    done = await audit_log.verify(store)

    assert (done.entries, done.erased, done.broken) == (4, 1, None)
    [told, _, entry, _] = (await audit_log.newest(store)).items
    assert (told.action, told.who, told.details) == ("audit.blank", "code", {"entries": [2]})
    assert (entry.who, entry.on, entry.action) == (None, None, "thing.do")
    guess = {"who": "ann@example.org", "address": "10.0.0.7", "on": "x2", "details": {}}
    assert audit.digest_of(audit.written(guess)) != before[0]


async def test_what_was_erased_stays_told_when_who_erased_it_is_erased(store: Store) -> None:
    await write(store, 3)
    await store.write(audit.blank, [1, 3], Actor("bob", "cli"))
    await store.write(audit.blank, await store.read(audit.naming, "bob"), Actor("cy", "cli"))
    done = await audit_log.verify(store)
    await sql(store, "update audit set content = null where seq = 5")
    tampered = (await audit_log.verify(store)).broken

    assert (done.entries, done.erased, done.broken) == (5, 3, None)
    [told, *_] = (await audit_log.newest(store)).items
    assert tampered == Broken(
        number=1, how="its text is gone, and no entry says that it was erased"
    )
    assert told.action == "audit.blank"


# --- against someone who can write the database ---


def anew(connection: sa.Connection) -> None:
    """Write the chain anew over what there is now, as whoever knows how it is made could."""
    before = Head(0, audit.BEFORE_ALL)
    for row in audit.page(connection, after=0, limit=1000)[0]:
        content = audit.digest_of(row.content)
        what = row.at, row.project, row.action, content
        before = Head(row.seq, audit.link(before.digest, row.seq, *what))
        table = schema.audit
        changed = sa.update(table).where(table.c.seq == row.seq)
        connection.execute(changed.values(content_digest=content, digest=before.digest))
    connection.execute(sa.update(schema.audit_head).values(seq=before.seq, digest=before.digest))


@pytest.mark.parametrize(
    ("tampering", "number", "how"),
    [
        ("update audit set content = replace(content, 'ann', 'eve') where seq = 1", 2, "anew"),
        ("update audit set content = replace(content, 'ann', 'eve') where seq = 2", 2, "anew"),
        ("delete from audit where seq >= 2", 2, "entry 2 of the anchor are missing"),
    ],
)
async def test_an_anchor_alone_tells_of_a_log_that_was_written_anew(
    store: Store, tmp_path: Path, tampering: str, number: int, how: str
) -> None:
    await write(store, 2)
    file = tmp_path / "anchor"
    audit_log.write_anchor(file, (await audit_log.verify(store)).head)
    await write(store, 1)

    await sql(store, tampering.replace(">= 2", "in (2, 3)"))
    await store.write(anew)

    assert (await audit_log.verify(store)).broken is None
    broken = (await audit_log.verify(store, audit_log.read_anchor(file))).broken
    assert broken is not None
    assert (broken.number, how in broken.how) == (number, True), broken


async def test_a_log_that_went_on_agrees_with_its_anchor(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "anchor"
    assert audit_log.read_anchor(file) is None
    for _ in range(3):
        await write(store, 2)
        done = await audit_log.verify(store, audit_log.read_anchor(file))
        assert done.broken is None
        audit_log.write_anchor(file, done.head)

    assert audit_log.read_anchor(file) == done.head == Head(6, done.head.digest)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"seq": "x", "digest": 1}'])
def test_a_file_that_is_no_anchor_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "anchor").write_text(text)

    with pytest.raises(InputInvalid, match="can't be read as an anchor"):
        audit_log.read_anchor(tmp_path / "anchor")


async def test_a_log_of_many_pages_is_followed_from_one_to_the_next(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "_PAGE", 2)
    await write(store, 4)
    assert (await audit_log.verify(store)).entries == 4

    await sql(
        store,
        "update audit set seq = 9 where seq = 1",
        "update audit set seq = 1 where seq = 4",
        "update audit set seq = 4 where seq = 9",
    )
    done = await audit_log.verify(store)

    assert done.broken == Broken(
        number=1, how="the entry that belongs there is number 4 now: reordered"
    )
