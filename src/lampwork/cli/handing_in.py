"""Work that a verb hands in to a server, and sees through there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import click

from lampwork.cli import output
from lampwork.cli.at_server import AtServer, client_of
from lampwork.cli.ended import say_ended, summary
from lampwork.cli.options import Options
from lampwork.cli.screen.watching import Watch
from lampwork.cli.stopping import INTERRUPTED, stop_signals
from lampwork.cli.working import executor_lacking
from lampwork.views import JobView

__all__ = ["Start", "hand_in", "only"]

Start = Callable[[AtServer], Awaitable[JobView]]

_PATIENCE = 60.0
"""Seconds for which a server that is away is asked again while its job is waited for."""

_ANYWAY = 2.0
"""Seconds after which times on the screen go on although nothing has changed."""


def only(words: tuple[str, ...], count: int, usage: str) -> tuple[str, ...]:
    """The words of a verb, without a project: a server has its own. Raises UsageError."""
    if len(words) != count:
        raise click.UsageError(f"A server has its own project. Give {usage}, and nothing else.")
    return words


def hand_in(options: Options, url: str, start: Start, *, wait: bool) -> int:
    """Hand in the work that `start` describes and, if asked to, see it through; the exit code."""
    return asyncio.run(_hand_in(options, url, start, wait=wait))


async def _hand_in(options: Options, url: str, start: Start, *, wait: bool) -> int:
    async with client_of(options, url, **({"patience": _PATIENCE} if wait else {})) as server:
        job = await start(server)
        if wait:
            return await _see_through(server, job, options)
        if options.as_json:
            output.say_json(summary(await server.job(job.job_id)))
            return 0
        output.say(f"Queued job {job.job_id}.")
        lacking = executor_lacking(await server.executing(job.project), job.project, None)
        output.say(lacking or f"A worker is there to execute it: {options.to_type('workers')}")
        output.say(f"Look at it: {options.to_type('job', job.job_id)}")
        return 0


async def _see_through(server: AtServer, job: JobView, options: Options) -> int:
    with stop_signals() as stopped:
        ended = asyncio.create_task(server.wait(job.job_id))
        stopping = asyncio.create_task(stopped.wait())
        async with _news(server, job.job_id) as news:
            watch = Watch(server, job.job_id, options, None, None, news)
            async with watch.watching():
                await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if ended.done():
            return say_ended(ended.result(), options)
        ended.cancel()
    output.warn(f"Job {job.job_id} goes on at the server.")
    output.warn(f"Look at it: {options.to_type('job', job.job_id)}")
    return INTERRUPTED


@asynccontextmanager
async def _news(
    server: AtServer, job_id: str
) -> AsyncGenerator[Callable[[float], Awaitable[None]]]:
    """A pause of so many seconds at least, until the server has told of something new."""
    told = asyncio.Event()

    async def listen() -> None:
        async for _ in server.follow(jobs=[job_id]):
            told.set()

    async def news(seconds: float) -> None:
        await asyncio.sleep(seconds)
        with suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), max(_ANYWAY - seconds, 0.01))
        told.clear()

    listening = asyncio.create_task(listen())
    try:
        yield news
    finally:
        listening.cancel()
        # What ends hints for good ends the wait as well, which says so.
        await asyncio.gather(listening, return_exceptions=True)
