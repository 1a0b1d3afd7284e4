"""What starts jobs: `Cron` by the clock, `Poll` by what a function finds, and what comes from
outside, `Webhook` and `Endpoint`.

@project.recipe(triggers=[Cron("0 6 * * 1-5", timezone="Europe/Berlin"), Poll(orders, every=30)])
async def review(job: Job, order: Order | None = None) -> None: ...
"""

from __future__ import annotations

import difflib
import inspect
import math
import re
import zoneinfo
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast, get_args

from croniter import croniter

from lampwork import importable
from lampwork.errors import (
    NotImportable,
    OutputTypeInvalid,
    TriggerInvalid,
    TriggerNotFound,
    quoted,
)
from lampwork.genies.output import describe
from lampwork.recipe import parameters
from lampwork.store.jobs.new_jobs import NewJob
from lampwork.store.triggers.triggers import Defined
from lampwork.triggers.endpoint import Endpoint
from lampwork.triggers.filling import parameters_of_body
from lampwork.triggers.webhook import Webhook
from lampwork.types import Json, TriggerKind, effect_base, new_job_id

if TYPE_CHECKING:
    from lampwork.project import Project
    from lampwork.recipe import Recipe

CatchUp = Literal["skip", "once", "all"]

_TOO_LATE = 120.0
"""Seconds after which a time that a running process has slept through counts as missed."""

_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Cron:
    """Start a job at each time that a cron expression names: `Cron("0 6 * * 1-5")`.

    `expression` is minute, hour, day of month, month and day of week, or `@hourly`, `@daily` and
    the like, on the clock of `timezone`. `catch_up` says what becomes of the times at which no
    worker executed: nothing (`skip`), one job for all of them (`once`), or one for each (`all`).

    Where clocks go forward, a time that is left out comes at the first moment after the gap. Where
    they go back, a time with a fixed hour comes once, the first time; `*` and `*/n` hours go on.
    """

    kind: ClassVar[TriggerKind] = "cron"

    expression: str
    timezone: str = "UTC"
    catch_up: CatchUp = "skip"

    @property
    def identity(self) -> str:
        """What it is known by in its recipe, over restarts."""
        return f"cron {_normal(self.expression)} {self.timezone}"

    @property
    def short_name(self) -> str:
        """What people call it: no shell needs quotes for it. It may change with the definition."""
        return f"cron-{sha256(self.identity.encode()).hexdigest()[:4]}"

    @property
    def described(self) -> dict[str, Json]:
        """The definition as JSON."""
        return {
            "expression": _normal(self.expression),
            "timezone": self.timezone,
            "catch_up": self.catch_up,
        }

    def after(self, moment: float) -> float:
        """The next time, in epoch seconds."""
        return _after(self.expression, self.timezone, math.floor(moment))

    def due(self, settled: float, now: float, *, at_most: int) -> tuple[list[float], float]:
        """The times to start jobs for, oldest first, and until when everything is settled then.

        `settled` is until when everything was settled before; more may be due after `at_most`.
        """
        match self.catch_up:
            case "skip":
                since = max(settled, now - _TOO_LATE)
                times = list(self._times(since, now))
                return times, max([since, *times])
            case "once":
                recent = self.after(now - _DAY) <= now
                *_, last = self._times(max(settled, now - _DAY) if recent else settled, now)
                return [last], last
            case "all":
                each = self._times(settled, now)
                times = [time for time, _ in zip(each, range(at_most), strict=False)]
                return times, times[-1]

    def _times(self, after: float, until: float) -> Iterator[float]:
        while (after := self.after(after)) <= until:
            yield after


@lru_cache(maxsize=4096)
def _after(expression: str, timezone: str, moment: int) -> float:
    zone = zoneinfo.ZoneInfo(timezone)
    times = _parsed(expression, datetime.fromtimestamp(moment, zone))
    any_hour = times.expressions[1].startswith("*")
    while True:
        found = times.get_next(float)
        if any_hour or not datetime.fromtimestamp(found, zone).fold:
            return found


def _parsed(expression: str, start: datetime) -> Any:
    return croniter(expression, start)


def _normal(expression: str) -> str:
    return " ".join(expression.split())


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll's function may return: items, and the cursor, JSON, that its next call gets."""

    items: Iterable[Any]
    cursor: Json


Found = Iterable[Any] | Polled


@dataclass(frozen=True, slots=True)
class Poll:
    """Start a job for each item that a function returns, once per item: `Poll(orders, every=30)`.

    `fn` is a plain or async function at the top of a module. It is called every `every` seconds
    and returns items; `key` is the field, or a function of an item, that tells them apart. It may
    take one parameter, `cursor`, and return `Polled(items, cursor)`: what the next call gets. A
    call that takes longer than `timeout` seconds has failed, and is tried again the next time.

    The items that have started a job are remembered under the function's name, or under `name`;
    give one if the function may be renamed or moved.
    """

    kind: ClassVar[TriggerKind] = "poll"

    fn: Callable[..., Found | Awaitable[Found]]
    every: float | timedelta
    key: str | Callable[[Any], Any] = "id"
    timeout: float = 60.0
    name: str | None = None

    @property
    def identity(self) -> str:
        """What it is known by in its recipe, over restarts."""
        return f"poll {self.name or importable.name_of(self.fn)}"

    @property
    def short_name(self) -> str:
        """What people call it: no shell needs quotes for it."""
        name = self.name or importable.name_of(self.fn).rpartition(":")[2]
        return "poll-" + re.sub(r"[^\w.-]+", "-", name)

    @property
    def described(self) -> dict[str, Json]:
        """The definition as JSON."""
        return {"function": importable.name_of(self.fn), "every": self.interval}

    @property
    def interval(self) -> float:
        """Seconds from the start of one call to the start of the next."""
        return self.every.total_seconds() if isinstance(self.every, timedelta) else self.every

    @property
    def takes_cursor(self) -> bool:
        """Whether the function is given the cursor."""
        return bool(inspect.signature(self.fn).parameters)


Timed = Cron | Poll
"""What fires by itself, where a worker executes."""

Definition = Timed | Webhook | Endpoint


def find_trigger(recipe: Recipe[..., Any], named: str | None) -> Definition:
    """The trigger of a recipe that is meant: the only one, or the one of that name or identity.

    Raises TriggerNotFound.
    """
    meant = [each for each in recipe.triggers if named in (None, each.short_name, each.identity)]
    if len(meant) == 1:
        return meant[0]
    known = [each.identity for each in recipe.triggers]
    listed = ", ".join(f"{each.short_name} ({each.identity})" for each in recipe.triggers)
    if known and named is not None and not meant:
        message = f"Recipe {quoted(recipe.name)} has no trigger {quoted(named)}. It has: {listed}."
    elif known:
        message = f"Recipe {quoted(recipe.name)} has these triggers: {listed}. Name one."
    else:
        message = f"Recipe {quoted(recipe.name)} has no triggers. Start it with app.start or `run`."
    raise TriggerNotFound(message, known=known)


def find_timed(recipe: Recipe[..., Any], named: str | None) -> Timed:
    """As `find_trigger`, of those that can be fired by hand. Raises TriggerNotFound."""
    found = find_trigger(recipe, named)
    if isinstance(found, Timed):
        return found
    raise TriggerNotFound(
        f"{found.identity} fires upon what comes from outside. Start the recipe itself: "
        f"lampwork run {recipe.name}",
        known=[each.identity for each in recipe.triggers if isinstance(each, Timed)],
    )


def as_kept(recipe: Recipe[..., Any], trigger: Definition) -> Defined:
    """A definition, as it is written down."""
    return Defined(recipe.name, trigger.identity, trigger.kind, trigger.described)


def new_jobs(
    project: Project,
    recipe: Recipe[..., Any],
    trigger: Definition,
    given: Sequence[tuple[Json, dict[str, Json]]],
    *,
    executor: str | None,
    by: str | None = None,
) -> list[NewJob]:
    """The jobs that a trigger starts: for each of `given` its input, and the facts of its trigger.

    Their ids sort in the order in which they are given. They are in the charge of `executor`; `by`
    says who fired it by hand. A time, or an item, would start a job with the same keys again, were
    it forgotten.
    """
    what: dict[str, Json] = {"kind": trigger.kind, "trigger": trigger.identity}
    who = {} if by is None else {"by": by}
    origin = project.name, recipe.name, trigger.identity
    ids = sorted(new_job_id() for _ in given)
    return [
        NewJob(
            id=job_id,
            project=project.name,
            callable=recipe.name,
            version=project.version,
            input=input,
            trigger=what | facts | who,
            root_id=job_id,
            keyed_as=_keyed_as(origin, facts, by_hand=by is not None),
            executor=executor,
        )
        for job_id, (input, facts) in zip(ids, given, strict=True)
    ]


def _keyed_as(origin: tuple[str, ...], facts: dict[str, Json], *, by_hand: bool) -> str | None:
    """What the keys of the effects of one of these jobs begin with, see `effect_base`."""
    match facts:
        case {"key": key}:
            return effect_base("poll", *origin, key)
        case {"delivery": delivery}:
            return effect_base("webhook", *origin, delivery)
        case {"scheduled_at": at} if not by_hand:
            return effect_base("cron", *origin, at)
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Trigger:
    """What started a job, and when, in UTC.

    `kind` is `api`, `cli`, `job`, `end`, `cron`, `poll`, `webhook` or `endpoint`.
    """

    kind: str
    at: datetime
    scheduled_at: datetime | None = None
    """The time of its Cron for which it was started."""
    key: str | None = None
    """The key of the item for which its Poll started it."""
    by: str | None = None
    """Who fired its Cron or Poll by hand."""
    delivery: str | None = None
    """The id of the delivery to its Webhook."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of what came to its Webhook or Endpoint, by their names in lower case, without those that
    prove something."""

    @classmethod
    def of(cls, row: Any) -> Trigger:
        """That of a job's row."""
        facts = row.trigger
        at = facts.get("at", row.created_at)  # a copy has its original's
        scheduled_at = facts.get("scheduled_at")
        return cls(
            facts["kind"],
            datetime.fromtimestamp(at, UTC),
            scheduled_at=None if scheduled_at is None else datetime.fromisoformat(scheduled_at),
            key=facts.get("key"),
            by=facts.get("by"),
            delivery=facts.get("delivery"),
            headers=facts.get("headers", {}),
        )


# --- checked where they are defined ---


def check_triggers(recipe: Recipe[..., Any], given: Any) -> tuple[Definition, ...]:
    """The triggers of a recipe. Raises TriggerInvalid."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise invalid(recipe, f"triggers={given!r} is no list. Give [Cron(…), Webhook(…)]")
    known: dict[str, Definition] = {}
    for trigger in cast(Iterable[Any], given):
        if not isinstance(trigger, Definition):
            instead = "Use Cron(…), Poll(…), Webhook(…) or Endpoint(…)"
            raise invalid(recipe, f"{trigger!r} is no trigger. {instead}")
        problem = _problem(trigger) or _unfilled(recipe, trigger)
        if problem is None and trigger.identity in known:
            problem = f'"{trigger.identity}" is there twice. Drop one of them'
        if problem is not None:
            raise invalid(recipe, problem)
        known[trigger.identity] = trigger
    return tuple(known.values())


def check_paths(recipe: Recipe[..., Any], others: Iterable[Recipe[..., Any]]) -> None:
    """Raise TriggerInvalid for a path of a webhook or endpoint that another recipe has."""
    taken = {_address(trigger): each for each in others for trigger in each.triggers}
    for trigger in recipe.triggers:
        other = taken.get(_address(trigger))
        if other is not None and not isinstance(trigger, Timed):
            raise invalid(
                recipe,
                f'"{trigger.identity}" is that of recipe "{other.name}" ({_place(other)}) already. '
                "Give one of them another path",
            )


def _address(trigger: Definition) -> str:
    return (
        f"endpoint {trigger.method} {trigger.shape}"
        if isinstance(trigger, Endpoint)
        else (trigger.identity)
    )


def _place(recipe: Recipe[..., Any]) -> str:
    code = inspect.unwrap(recipe.fn).__code__
    return f"{code.co_filename}:{code.co_firstlineno}"


def _problem(trigger: Definition) -> str | None:
    match trigger:
        case Cron():
            return _cron_problem(trigger)
        case Poll():
            return _poll_problem(trigger)
        case Endpoint():
            return trigger.problem()
        case Webhook():
            return trigger.problem() or _schema_problem(trigger.schema)


def _schema_problem(schema: Any) -> str | None:
    try:
        describe(schema)
    except OutputTypeInvalid as error:
        return f"schema={schema!r} can't be checked. {error}".rstrip(".")
    return None


def invalid(recipe: Recipe[..., Any], problem: str) -> TriggerInvalid:
    """What is wrong with a trigger of a recipe, and where that is defined."""
    place = _place(recipe)
    return TriggerInvalid(
        f'recipe "{recipe.name}" ({place}): {problem}.', recipe=recipe.name, place=place
    )


_RANDOM = re.compile(r"(?<![a-z])[rh](?![a-z])", re.IGNORECASE)
"""Fields that croniter fills by chance, so that no two processes would agree on the times."""


def _cron_problem(cron: Cron) -> str | None:
    if cron.catch_up not in get_args(CatchUp):
        return f"catch_up={cron.catch_up!r} is none of {', '.join(get_args(CatchUp))}"
    try:
        zone = zoneinfo.ZoneInfo(cron.timezone)
    except (KeyError, ValueError, TypeError, OSError):
        near = difflib.get_close_matches(str(cron.timezone), zoneinfo.available_timezones(), n=1)
        instead = near[0] if near else "Europe/Berlin"
        return f'there is no time zone "{cron.timezone}". Name one as in timezone="{instead}"'
    expression = cast(Any, cron.expression)
    if not isinstance(expression, str):
        return f'{expression!r} is no cron expression. Give a text, as in Cron("*/15 * * * *")'
    what = f'"{expression}" is no cron expression'
    normal = _normal(expression)
    if not normal.startswith("@") and normal.count(" ") != 4:
        return f'{what} of five fields. Give minute, hour, day, month, weekday: "*/15 * * * *"'
    if _RANDOM.search(normal):
        return f'"{expression}" leaves a field to chance. Say when it is to come'
    try:
        times = _parsed(expression, datetime.now(zone))
    except ValueError as error:
        return f"{what}: {error}".rstrip(".")
    try:
        times.get_next(float)
    except ValueError:
        return f'"{expression}" never comes: no year has such a day. Give another day or month'
    return None


def _poll_problem(poll: Poll) -> str | None:
    every = cast(Any, poll.every)
    if not (isinstance(every, int | float | timedelta) and 0 < poll.interval < math.inf):
        return f"every={poll.every!r} is no length of time. Give seconds or a timedelta above zero"
    if not 0 < poll.timeout < math.inf:
        return f"timeout={poll.timeout!r} is no positive number of seconds"
    key = cast(Any, poll.key)
    if not (callable(key) or (isinstance(key, str) and key)):
        return f"key={poll.key!r} is neither the name of an item's field nor a function of an item"
    try:
        what = importable.name_of(poll.fn)
        takes = list(inspect.signature(poll.fn).parameters.values())
    except (NotImportable, TypeError, ValueError) as error:
        return f"Poll can't call {poll.fn!r}. {error}".rstrip(".")
    if takes and [each.name for each in takes] != ["cursor"]:
        names = ", ".join(each.name for each in takes)
        return f"{what} takes {names}; a poll gives it `cursor`, or nothing. Drop the others"
    if inspect.isasyncgenfunction(poll.fn):
        return f"{what} is an async generator. Return a list of items instead"
    return None


def _unfilled(recipe: Recipe[..., Any], trigger: Definition) -> str | None:
    """Why the trigger could not start the recipe."""
    takes = parameters(recipe.fn).parameters.values()
    if isinstance(trigger, Cron):
        lacking = [each.name for each in takes if _is_required(each)]
        if lacking:
            return (
                f"Cron gives a recipe nothing, and this one needs {', '.join(lacking)}. "
                "Give them defaults, or use another recipe"
            )
        return None
    kind = type(trigger).__name__
    unnamed = [str(each) for each in takes if each.kind not in _NAMED]
    if unnamed:
        return f"{kind} gives parameters by name, and can't fill {', '.join(unnamed)}. Name them"
    return _unfilled_by_call(recipe, trigger) if isinstance(trigger, Endpoint) else None


def _unfilled_by_call(recipe: Recipe[..., Any], endpoint: Endpoint) -> str | None:
    takes = parameters(recipe.fn).parameters
    unknown = [name for name in endpoint.names if name not in takes]
    if unknown:
        return f"the path of {endpoint.identity} names {', '.join(unknown)}, which it does not take"
    in_body = parameters_of_body(recipe, endpoint)
    if in_body and not endpoint.takes_body:
        return f"{endpoint.method} has no body for {', '.join(in_body)}. Take POST"
    return None


_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _is_required(parameter: inspect.Parameter) -> bool:
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return parameter.default is inspect.Parameter.empty and parameter.kind not in variable
