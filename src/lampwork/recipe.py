"""A recipe: the definition of a durable process. A job is one execution of it."""

from __future__ import annotations

import functools
import inspect
import reprlib
from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from lampwork import values
from lampwork.errors import (
    InputInvalid,
    ProjectError,
    ResultNotRecordable,
    close_to,
    few,
    joined,
    quoted,
)
from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.job import Job
    from lampwork.triggers.trigger import Definition

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class Recipe(Generic[P, R_co]):
    """A durable async function of a project; its first parameter is the `Job`.

    Call it as the plain function in unit tests, with a job of your own making.
    """

    def __init__(
        self,
        fn: Callable[Concatenate[Job, P], Coroutine[Any, Any, R_co]],
        *,
        name: str | None,
        concurrency: int | None = None,
        ordered: bool = False,
    ) -> None:
        if not inspect.iscoroutinefunction(fn):
            raise ProjectError(f"{fn!r} is no recipe: define it with `async def`.")
        self.fn = fn
        self.name: str = name or fn.__name__
        self.doc: str = inspect.getdoc(fn) or ""
        self.triggers: tuple[Definition, ...] = ()
        self.concurrency = concurrency
        """How many of its jobs run at a time, over all workers; None is any number."""
        self.ordered = ordered
        """Whether a job begins when the one before it has ended."""
        _check_limits(self.name, concurrency, ordered)
        if not takes_job(fn):
            raise ProjectError(
                f'Recipe "{self.name}" needs its job: annotate the first parameter as `job: Job`.'
            )
        functools.update_wrapper(self, fn)

    def __call__(self, job: Job, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]:
        """Run the plain function."""
        return self.fn(job, *args, **kwargs)

    def __repr__(self) -> str:
        return f"<recipe {self.name}>"


def _check_limits(name: str, concurrency: Any, ordered: bool) -> None:
    if concurrency is not None and (type(concurrency) is not int or concurrency < 1):
        raise ProjectError(
            f'Recipe "{name}": concurrency={concurrency!r} would let no job of it run. '
            "Give a whole number from 1 on, or leave it out for any number."
        )
    if ordered and concurrency != 1:
        raise ProjectError(
            f'Recipe "{name}": ordered=True means one job at a time. Write concurrency=1 with it.'
        )


def require_recipe(given: Any, verb: str) -> None:
    """Raise InputInvalid for what is no recipe."""
    if isinstance(given, Recipe):
        return
    if isinstance(given, str):
        raise InputInvalid(
            f"{quoted(given)} is a name: pass the recipe itself, {verb}({given}, …).",
            problems=[given],
        )
    named = getattr(given, "__name__", None) or reprlib.repr(given)
    raise InputInvalid(
        f"{verb} takes a recipe, not {named}. Decorate it with @project.recipe(), "
        "or run a plain function with job.step."
    )


def function_of(fn: Any) -> Callable[..., Any]:
    """The plain function of a recipe; any other function as it is."""
    return cast(Callable[..., Any], fn.fn if isinstance(fn, Recipe) else fn)


def bind_input(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Json:
    """The recorded input of a job of `fn`: `{"parameter": value}` in JSON.

    Raises InputInvalid when the arguments do not fit the signature, ResultNotRecordable when a
    value cannot be recorded.
    """
    signature, types = parameters(fn), values.parameter_types(fn)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        problems = _misnamed(signature, len(args), kwargs) or [str(error)]
        raise InputInvalid(
            f"{fn.__name__} can't be started: {joined(problems)} It takes {signature}.",
            problems=problems,
        ) from None
    return {
        name: values.to_json(value, types.get(name, values.UNTYPED), f"{fn.__name__}({name}=…)")
        for name, value in bound.arguments.items()
    }


def check_input(fn: Callable[..., Any], given: Any) -> Json:
    """Input from outside, JSON, checked against the signature; what is recorded of it.

    Raises InputInvalid, naming each field.
    """
    if not isinstance(given, dict):
        raise InputInvalid(
            f"The input of {fn.__name__} must be a JSON object of its parameters.",
            problems=["not an object"],
        )
    fields = cast(dict[str, Json], given)
    signature, types = parameters(fn), values.parameter_types(fn)
    problems = _misnamed(signature, 0, fields)
    for name in signature.parameters:
        if name in fields:
            problems += _misfits(name, fields[name], types.get(name, Any))
            problems += [] if problems else _unrecordable(name, fields[name])
    if problems:
        raise InputInvalid(
            f"The input of {fn.__name__} does not fit: {joined(problems)}", problems=problems
        )
    return fields


def _unrecordable(name: str, value: Json) -> list[str]:
    try:
        values.encode(value, values.UNTYPED, name)
    except ResultNotRecordable as error:
        return [error.message]
    return []


def read_input(fn: Callable[..., Any], recorded: Json) -> dict[str, Any]:
    """The keyword arguments of a job of `fn`, decoded by its annotations.

    Raises InputInvalid, ResultNotRecordable if the function takes others by now.
    """
    types = values.parameter_types(fn)
    try:
        parameters(fn).bind(**recorded)
    except TypeError as error:
        raise InputInvalid(
            f"{fn.__name__} does not take the input that was recorded: {error}.",
            problems=[str(error)],
        ) from None
    return {
        name: values.from_json(value, types.get(name, values.UNTYPED), f"{fn.__name__}({name}=…)")
        for name, value in recorded.items()
    }


@lru_cache(maxsize=4096)
def takes_job(fn: Callable[..., Any]) -> bool:
    """Whether the function's first parameter is its job."""
    parameters = list(inspect.signature(fn).parameters)
    return bool(parameters) and is_job(values.parameter_types(fn).get(parameters[0]))


def is_job(annotation: Any) -> bool:
    """Whether an annotation is `Job`; by its name, because `job` imports this module."""
    name = (getattr(annotation, "__module__", None), getattr(annotation, "__name__", None))
    return name == ("lampwork.job", "Job")


def _misnamed(signature: inspect.Signature, in_order: int, named: dict[str, Any]) -> list[str]:
    """The names that a function does not take, and those that it lacks."""
    known = signature.parameters
    others = [name for name in named if name not in known]
    unknown = (
        f"{name}: there is no such parameter. {close_to(name, known)}".rstrip(". ")
        for name in others
    )
    lacking = [
        f"{name}: missing"
        for name, parameter in list(known.items())[in_order:]
        if name not in named and parameter.default is inspect.Parameter.empty
    ]
    return few(unknown, len(others)) + lacking


def _misfits(name: str, value: Json, annotation: Any) -> list[str]:
    try:
        TypeAdapter(annotation).validate_python(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        told = (f"{'.'.join([name, *map(str, each['loc'])])}: {each['msg']}" for each in found)
        return few(told, len(found))
    return []


@lru_cache(maxsize=4096)
def parameters(fn: Callable[..., Any]) -> inspect.Signature:
    """The signature, without the job."""
    signature = inspect.signature(fn)
    parameters = list(signature.parameters.values())
    return signature.replace(parameters=parameters[1:] if takes_job(fn) else parameters)
