"""One poll of a trigger: its function is asked, and each item that is new starts a job."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from pydantic_core import to_jsonable_python

from lampwork import failpoint, importable, values
from lampwork.errors import PollFailed
from lampwork.recipe import Recipe
from lampwork.runs.step import call_function
from lampwork.store.triggers import triggers
from lampwork.store.triggers.triggers import Found, Rejected
from lampwork.triggers.filling import of_body
from lampwork.triggers.trigger import Poll, Polled, new_jobs
from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.worker import Worker

_log = logging.getLogger("lampwork.triggers.trigger")

_AT_MOST = 10_000
"""Items of one poll: their jobs are written in one transaction."""

_NO_LIST = (str, bytes, Mapping)
"""What can be iterated over and is no list of items all the same."""


@dataclass(frozen=True, slots=True)
class _Item:
    """An item and its key, or why it has none."""

    value: Any
    key: str | None
    problem: str = ""


class Polling:
    """The polls of one trigger, one at a time. Lives on the jobs' event loop."""

    def __init__(self, worker: Worker, recipe: Recipe[..., Any], poll: Poll) -> None:
        self._worker = worker
        self._store = worker.store
        self._recipe = recipe
        self._poll = poll
        self._function = importable.name_of(poll.fn)
        self._asking: asyncio.Task[tuple[list[_Item], Json]] | None = None

    async def once(self, trigger_id: int, now: float, *, asked: Json, by: str | None) -> list[str]:
        """Ask the function, and start a job for each item whose key is new; the jobs' ids.

        `by` says who wanted it, if it was not its time; what was `asked` for is done with it.
        Raises PollFailed, which is on record then, and StoreUnavailable.
        """
        row = await self._store.read(triggers.get, trigger_id)
        if by is None and row.paused is not None:
            return []  # since it was seen to be due
        try:
            items, cursor = await self._ask(row.cursor)
        except PollFailed as error:
            if await self._store.write(
                triggers.fail, trigger_id, error.message, asked=asked, now=now
            ):
                cause = error.__cause__
                kind = None if cause is None else type(cause).__qualname__
                what = error.message if kind is None else f"{self._function} raised {kind}"
                self._log(logging.ERROR, what, "trigger.failed", error_type=kind)
            raise
        keys = [item.key for item in items if item.key is not None]
        known = await self._store.read(triggers.keys_started, trigger_id, keys)
        fitting, rejected = await call_function(
            self._fit, [item for item in items if item.key not in known]
        )
        given = [(input, {"key": key}) for key, input in fitting]
        new = new_jobs(
            self._worker.project,
            self._recipe,
            self._poll,
            given,
            executor=self._worker.presence.id,
            by=by,
        )
        if new:
            failpoint.hit("trigger.due")
        keyed = [(key, job) for (key, _), job in zip(fitting, new, strict=True)]
        found = Found(now, row.cursor, cursor, keyed, rejected)
        started, news = await self._store.write(triggers.take, trigger_id, found, asked=asked)
        if news:
            self._log(logging.WARNING, self._rejecting(len(news)), "trigger.rejected")
        if started:
            failpoint.hit("trigger.fired")
            found_new = f"found {len(started)} new items"
            self._log(logging.INFO, found_new, "trigger.fired", jobs=len(started))
        for job_id in started:
            self._worker.admission.start_soon(job_id)
        return started

    def _rejecting(self, count: int) -> str:
        what = "an item that is new is" if count == 1 else f"{count} items that are new are"
        return f"{what} no input of it; why: lampwork trigger {self._recipe.name}"

    def _log(self, level: int, text: str, event: str, **more: Json) -> None:
        facts = {"event": event, "recipe": self._recipe.name, "trigger": self._poll.identity}
        said = "%s of %s: %s"
        _log.log(level, said, facts["trigger"], facts["recipe"], text, extra=facts | more)

    # --- the function ---

    async def _ask(self, cursor: Json) -> tuple[list[_Item], Json]:
        """What the function returns within its time."""
        if self._asking is not None and not self._asking.done():
            raise self._failed("has not ended yet, after it took too long the last time")
        self._asking = asking = asyncio.create_task(self._call(cursor))
        asking.add_done_callback(_forget)
        try:
            done, _ = await asyncio.wait({asking}, timeout=self._poll.timeout)
        except asyncio.CancelledError:
            asking.cancel()
            raise
        if done and not asking.cancelled():
            return asking.result()
        if inspect.iscoroutinefunction(inspect.unwrap(self._poll.fn)):
            # Of a plain function only our waiting would end. Its thread runs on, and until it has
            # ended there is no other poll.
            asking.cancel()
        raise self._failed(
            "was cancelled" if done else f"took longer than {self._poll.timeout:g} s"
        )

    async def _call(self, cursor: Json) -> tuple[list[_Item], Json]:
        given = {"cursor": cursor} if self._poll.takes_cursor else {}
        try:
            returned = await call_function(self._poll.fn, **given)
            return await call_function(self._read, returned, cursor)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            raise self._failed(f"raised {type(error).__qualname__}: {_told(error)}") from error

    def _failed(self, how: str) -> PollFailed:
        return PollFailed(f"{self._function} {how}", function=self._function)

    # --- its items; in a thread, because keys, iterators and types are code of the user's ---

    def _read(self, returned: Any, cursor: Json) -> tuple[list[_Item], Json]:
        """The items with their keys, and the cursor of the next poll."""
        if isinstance(returned, Polled):
            cursor = values.to_json(returned.cursor, values.UNTYPED, "the cursor")
            returned = returned.items
        if not isinstance(returned, Iterable) or isinstance(returned, _NO_LIST):
            raise TypeError(f"it returned {str(cast(object, returned))[:80]!r}, no list of items")
        items = list(islice(cast(Iterable[Any], returned), _AT_MOST + 1))
        if len(items) > _AT_MOST:
            raise ValueError(
                f"it returned more than {_AT_MOST:,} items. Return a page of them and a cursor"
            )
        return [self._keyed(item) for item in items], cursor

    def _keyed(self, item: Any) -> _Item:
        how = self._poll.key
        try:
            if callable(how):
                key = how(item)
            else:
                key = cast(Any, item)[how] if isinstance(item, Mapping) else getattr(item, how)
            if isinstance(key, bool) or not isinstance(key, str | int | uuid.UUID) or key == "":
                raise TypeError(f"{key!r} is no text, number or UUID")
            str(key).encode()
        except Exception as error:  # whatever the user's function or item raises
            return _Item(item, None, f"it has no key: {type(error).__name__}: {_told(error)}")
        return _Item(item, str(key))

    def _fit(self, items: Sequence[_Item]) -> tuple[list[tuple[str, Json]], list[Rejected]]:
        """The items as input of the recipe, and those that do not fit it."""
        fitting: list[tuple[str, Json]] = []
        rejected: dict[str, Rejected] = {}
        for item in items:
            try:
                value = to_jsonable_python(item.value)
                recorded = values.to_json(value, values.UNTYPED, "the item")
                if item.key is not None:
                    fitting.append((item.key, of_body(self._recipe, "it", recorded)))
                    continue
                key, why = f"({_digest(recorded)})", item.problem
            except Exception as error:  # whatever the validators of the user's types raise
                key, why = item.key or f"({type(item.value).__qualname__})", _told(error)
            rejected[key] = Rejected(key, why)
        return fitting, list(rejected.values())


def _told(error: BaseException) -> str:
    """The text of an exception on one line, as it can be stored."""
    text = " ".join(str(error).split())[:400]
    return text.encode(errors="backslashreplace").decode()


def _digest(item: Json) -> str:
    return hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()[:12]


def _forget(asking: asyncio.Task[Any]) -> None:
    """What a function raises after its time is up concerns nobody."""
    if not asking.cancelled():
        asking.exception()
