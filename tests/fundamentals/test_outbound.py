"""Hosts: what skills and files reach beside what is public, because their project allows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support import rows

from lampwork import Answer, Call, Job, Project, ReadingCaps, SkillCall, Turn, playbook
from lampwork.errors import FileRejected

from .conftest import Open

open_to_us = Project("open", allow_hosts=["127.0.0.1"])
closed = Project("closed")


@pytest.fixture
async def ledger() -> AsyncIterator[str]:
    """The address of a service on this machine."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        status = "404 Not Found" if " /none" in head else "200 OK"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 10\r\n\r\nPO-7: paid".encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def fetch(url: str, call: SkillCall) -> str:
    """Fetch what is there."""
    async with call.http() as http:
        return (await http.get(url)).text


@playbook
def fetches(turn: Turn) -> Call | Answer:
    if not turn.results:
        return Call("fetch", url=turn.instructions)
    return Answer(str(turn.results[0].value or turn.results[0].error))


@playbook
def reads(turn: Turn) -> Answer:
    return Answer("; ".join(f"{file.name}: {file.text}" for file in turn.files))


for each in (open_to_us, closed):
    skill = each.skill(effect="read")(fetch)
    each.genie("clerk", model=fetches, job_description="You fetch.", skills=[skill])
    each.genie("reader", model=reads, job_description="You read.")


async def test_a_skill_reaches_what_its_project_allows_and_nothing_else_that_is_private(
    opened: Open, ledger: str
) -> None:
    async with opened(open_to_us) as app:
        assert (await app.assign_task("clerk", ledger)).output == "PO-7: paid"
    async with opened(closed) as app:
        told = (await app.assign_task("clerk", ledger)).output
        assert "127.0.0.1 (loopback)" in told
        assert "allow_hosts=" in told


async def test_a_file_by_its_address_is_taken_once(opened: Open, ledger: str) -> None:
    @open_to_us.recipe()
    async def read(job: Job, url: str) -> str:
        return (await job.assign_task("reader", "Read.", files=[url])).response

    async with opened(open_to_us) as app:
        answer = await app.assign_task("reader", "Read.", files=[f"{ledger}/po%207.txt?key=x"])
        assert answer.output == "po 7.txt: PO-7: paid"
        job = await app.start(read, url=f"{ledger}/po.txt")
        assert await app.result(job) == "po.txt: PO-7: paid"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("{ledger}/none.txt?key=s3cret", "it can't be fetched: 404 Not Found is answered"),
        ("http://127.0.0.2/po.txt", "the project does not allow files from 127.0.0.2"),
        ("https://example.com/po.txt", 'Project(allow_hosts=["example.com"])'),
        ("ftp://127.0.0.1/po.txt", "only http:// and https:// addresses are fetched"),
        ("http://", "only http:// and https:// addresses are fetched"),
    ],
)
async def test_an_address_that_is_not_allowed_or_has_no_file_is_rejected_before_any_job(
    opened: Open, ledger: str, url: str, why: str
) -> None:
    async with opened(open_to_us) as app:
        with pytest.raises(FileRejected) as refused:
            await app.assign("reader", "Read.", files=[url.format(ledger=ledger)])

        assert why in refused.value.message
        assert "s3cret" not in refused.value.message
        assert await rows(app, "select count(*) from jobs") == [(0,)]


async def test_a_file_that_is_too_large_is_not_fetched_to_its_end(
    opened: Open, ledger: str, tmp_path: Path
) -> None:
    async with opened(open_to_us, reading=ReadingCaps(file_bytes=9)) as app:
        with pytest.raises(FileRejected, match="it has more") as refused:
            await app.assign("reader", "Read.", files=[f"{ledger}/po.txt"])

    assert refused.value.cap == "file_bytes"
