"""One step: a user's function, contained, timed, retried, its outcome known or not."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lampwork import clock, failpoint, values
from lampwork.errors import InputInvalid, NotDone, StepFailed
from lampwork.runs.flow import RunEnded
from lampwork.runs.resolution import ask_person, since_restored
from lampwork.runs.run import Run, reraise_if_cancelled
from lampwork.runs.wait import Wait
from lampwork.store.jobs import calls
from lampwork.threads import Threads
from lampwork.types import Effect, wait_id

_functions = Threads(64, "lampwork-function")
"""Plain functions of recipes and skills. Not the loop's own threads: those are the engine's, and a
function that blocks would keep it from its database."""

step_key: contextvars.ContextVar[str | None] = contextvars.ContextVar("step_key", default=None)
"""The idempotency key of the step whose function is executing."""


_KNOWN = (asyncio.CancelledError, SystemExit, KeyboardInterrupt, GeneratorExit, RunEnded)
"""What those who call a user's function expect of it that is no Exception."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a step or skill is tried, and its rests in between: `Retry(attempts=5, delay=2)`.

    `attempts` counts the first one; the pause is `delay` seconds, doubled each time up to
    `longest`, with jitter of half its length.
    """

    attempts: int = 3
    delay: float = 0.5
    longest: float = 30.0

    def pause(self, failed: int) -> float:
        """Seconds to rest after this many failures."""
        return min(self.delay * 2 ** (failed - 1), self.longest) * random.uniform(0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Options:
    """What `job.options(…)` sets for the calls made through it."""

    retry: Retry | None = None
    timeout: float | None = None
    effect: Effect | None = None
    """None: that of a skill, or else idempotent."""
    name: str | None = None
    key: str | None = None

    def checked(self) -> Options:
        """These options, if they make sense together. Raises InputInvalid."""
        if self.retry is not None and self.effect == "at_most_once":
            raise InputInvalid(
                "retry= on an at_most_once call would run its effect twice. "
                "Make the effect idempotent (pass job.step_key() on as its key), or drop retry=."
            )
        if self.timeout is not None and self.timeout <= 0:
            raise InputInvalid(f"timeout={self.timeout} is not a positive number of seconds.")
        return self


@dataclass(frozen=True, slots=True)
class Step:
    """A step that a recipe asks for."""

    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    options: Options
    name: str

    async def do(self, run: Run, number: int) -> values.Value:
        """The function's result, encoded; or what it raised."""
        key = self.options.key or run.effect_key(number)
        if self.options.effect != "at_most_once":
            return self._encode(await self._try(run, number, key))
        return await self._once(run, number, key)

    async def _try(self, run: Run, number: int, key: str) -> Any:
        """Run it, again after a failure if it may be."""
        retry = self.options.retry
        failed = 0
        while True:
            run.check()
            try:
                return await self._attempt(run, number, key)
            except Exception:
                failed += 1
                if retry is None or failed >= retry.attempts:
                    raise
            await clock.sleep(retry.pause(failed))

    async def _once(self, run: Run, number: int, key: str) -> values.Value:
        """Run an at_most_once step: each attempt's intent is on disk before it starts."""
        attempt = run.attempts(number)
        why: str | None = "the process ended while it was executing" if attempt else None
        if run.restoration is not None and run.begun_at(number) >= run.restoration.restored_at:
            why = since_restored(run.restoration)
        attempt = attempt or 1
        while True:
            if why is None:
                await run.prove()
                try:
                    return self._encode(await self._attempt(run, number, key))
                except (NotDone, RunEnded, GeneratorExit):
                    raise
                except BaseException as error:  # sys.exit too: what it did before is not known
                    reraise_if_cancelled(error)
                    why = f"it ended with {error!r}"
            found = await self._resolve(run, number, attempt, key, why)
            if found is not None:
                return found
            attempt, why = attempt + 1, None
            await run.store.write(calls.begin_again, run.job_id, number, attempt)

    async def _resolve(
        self, run: Run, number: int, attempt: int, key: str, why: str
    ) -> values.Value | None:
        """Ask a person what became of the effect; None when it is to be done."""

        def question(suffix: str, why: str) -> Wait:
            return Wait(
                id=wait_id(run.job_id, number, suffix),
                job_id=run.job_id,
                call=number,
                kind="resolution",
                subject={
                    "step": self.name,
                    "key": key,
                    "begun_at": run.begun_at(number),
                    "why": why,
                },
            )

        said = await ask_person(
            run,
            question,
            nth=str(attempt),
            again=attempt > 1,
            why=why,
            returns=values.return_type(self.fn),
            what=self.name,
        )
        match said.verdict:
            case "happened":
                return values.Value(said.result)
            case "did_not_happen":
                return None
            case "fail":
                raise StepFailed(
                    f"{self.name} was resolved as failed by {said.by}: {said.reason}",
                    error_type="resolved_as_failed",
                    details=said.reason,
                    call=self.name,
                )

    async def _attempt(self, run: Run, number: int, key: str) -> Any:
        about = failpoint.Starting(
            run.job_id, str(number), self.name, self.options.effect or "idempotent", key
        )
        failpoint.hit("step.before_effect", about)
        token = step_key.set(key)
        try:
            work = start(self.fn, *self.args, **self.kwargs)
        finally:
            step_key.reset(token)
        result = await within(work, self.options.timeout, self.name)
        failpoint.hit("step.after_effect")
        return result

    def _encode(self, result: Any) -> values.Value:
        annotation = values.return_type(self.fn)
        return values.Value(values.encode(result, annotation, f"the result of {self.name}"))


def start(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> asyncio.Task[Any]:
    """Start a user's function in an asyncio task of its own.

    Whatever it does to "its" task ends there, and a job call made inside it is recognised.
    """
    return asyncio.create_task(_contained(fn, *args, **kwargs))


async def call_function(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The result of a user's function, plain or async, contained as `start` says.

    Beside an Exception it raises a cancellation, SystemExit or KeyboardInterrupt; and RunEnded.
    """
    try:
        return await within(start(fn, *args, **kwargs), None, name_of(fn))
    except (Exception, *_KNOWN):
        raise
    except BaseException as error:
        raise RuntimeError(f"the function raised {type(error).__name__}: {error}") from error


async def within(work: asyncio.Task[Any], seconds: float | None, name: str) -> Any:
    """The result of a function that `start` started, or TimeoutError after that many seconds."""
    if seconds is not None:
        try:
            done, _ = await asyncio.wait({work}, timeout=seconds)
        except asyncio.CancelledError:
            work.cancel()
            raise
        if not done:
            work.cancel()
            raise TimeoutError(f"{name} took longer than {seconds} s")
    result = await work
    if isinstance(result, _Exit):
        raise result.error
    return result


@dataclass(frozen=True, slots=True)
class _Exit:
    """What a function raised that must not come out of an asyncio task: `sys.exit` would end the
    event loop, and GeneratorExit close every coroutine that waits, whatever it handles."""

    error: BaseException


async def _contained(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        if inspect.iscoroutinefunction(inspect.unwrap(fn)):
            return await fn(*args, **kwargs)
        call = functools.partial(contextvars.copy_context().run, _plainly, fn, *args, **kwargs)
        result = await asyncio.get_running_loop().run_in_executor(_functions, call)
        return await result if inspect.isawaitable(result) else result
    except (SystemExit, KeyboardInterrupt) as error:
        return _Exit(error)
    except GeneratorExit as error:
        raised = RuntimeError("the function raised GeneratorExit")
        raised.__cause__ = error
        return _Exit(raised)


def _plainly(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return fn(*args, **kwargs)
    except StopIteration as error:
        # Such as next() of nothing. A future can't carry it; a coroutine raises the same in its
        # place (PEP 479).
        raise RuntimeError("the function raised StopIteration") from error


def name_of(fn: Callable[..., Any]) -> str:
    """A function's name, as steps are called after it."""
    target: Any = fn.func if isinstance(fn, functools.partial) else fn
    name = getattr(target, "__qualname__", type(target).__qualname__)
    return name.replace("<locals>.", "")
