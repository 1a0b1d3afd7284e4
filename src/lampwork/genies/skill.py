"""A skill: one typed action that a genie may call, with an honest word on what it does outside.

@project.skill(effect="idempotent")
async def approve_invoice(note: str, invoice_id: Metadata[str], call: SkillCall) -> Receipt:
    '''Approve the invoice. Use it when the amounts match the purchase order.'''
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, ParamSpec, TypeVar, cast, get_args, overload

from typing_extensions import TypedDict, Unpack

from lampwork import metadata, values
from lampwork.errors import SkillInvalid, one_of
from lampwork.genies.contract import Contract, SkillCall
from lampwork.genies.effect import DidNotHappen, Effect, Happened, Reconciliation, StillUnknown
from lampwork.importable import digest_of_code
from lampwork.models.ask import Described
from lampwork.runs.step import Retry, call_function
from lampwork.types import Json

__all__ = ["Skill", "SkillCall", "SkillOptions"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R_co = TypeVar("R_co", covariant=True)
V = TypeVar("V")


class SkillOptions(TypedDict, total=False):
    """What `@project.skill(…)` takes."""

    effect: Effect
    """`read` and `idempotent` may be repeated after a crash, with the same idempotency key;
    `at_most_once`, the default, is never repeated by us: after a crash in the middle, or any
    exception but NotDone, its reconciler or a person says what became of it."""
    timeout: float | None
    """Seconds."""
    retry: Retry | None
    name: str | None
    """How models and records call it, instead of the function's own name."""
    confirm: bool
    """Whether the user for whom the genie works must confirm each call."""
    approval: str | Sequence[str] | None
    """The people or groups of whom another one must approve each call."""
    as_user: str | None
    """The service whose connection of the verified user it acts with."""
    give_up_after: int | None
    """Failures in a row with which the task fails (SkillFailing), 3 by default; None never."""


@dataclass(frozen=True, eq=False)
class Skill(Generic[P, R_co]):
    """A function that a genie may call. To Python it is that function."""

    name: str
    fn: Callable[P, R_co]
    contract: Contract
    effect: Effect = "at_most_once"
    timeout: float | None = None
    retry: Retry | None = None
    recipe: str | None = None
    """The recipe that a call starts as a child job, None for a function."""
    confirm: bool = False
    approval: tuple[str, ...] = ()
    """Who may approve a call; empty if nobody needs to."""
    as_user: str | None = None
    give_up_after: int | None = 3
    takes_sealed: bool = True
    """Whether it gets sealed values in place of their names, where the model gives those."""

    @classmethod
    def define(
        cls,
        fn: Callable[P, R_co],
        **options: Unpack[SkillOptions],
    ) -> Skill[P, R_co]:
        """Make a skill of a function. Its docstring says when to use it.

        Raises SkillInvalid.
        """
        given: dict[str, Any] = {**options}
        name = given.pop("name", None) or str(getattr(fn, "__name__", type(fn).__name__))
        for option in given.keys() - SkillOptions.__annotations__.keys():
            mend = one_of(option, SkillOptions.__annotations__)
            raise SkillInvalid(f'skill "{name}": there is no option {option}=. {mend}', skill=name)
        approval = given.pop("approval", None) or ()
        given["approval"] = (approval,) if isinstance(approval, str) else tuple(approval)
        contract = Contract.of(fn, name)
        recipe = name if contract.is_recipe else None
        skill = cls(name, fn, contract, recipe=recipe, **given)
        problem = _contradiction(skill)
        if problem:
            raise SkillInvalid(f'skill "{name}": {problem}', skill=name)
        return skill

    @classmethod
    def of_recipe(cls, recipe: Any) -> Skill[Any, Any]:
        """Make a skill of a recipe: a call starts a job, and its result is the job's.

        Raises SkillInvalid.
        """
        contract = Contract.of(recipe.fn, recipe.name)
        return cls(recipe.name, recipe.fn, contract, "idempotent", recipe=recipe.name)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        return self.fn(*args, **kwargs)

    @overload
    def reconcile(
        self, fn: Callable[Q, Reconciliation[R_co]]
    ) -> Callable[Q, Reconciliation[R_co]]: ...

    @overload
    def reconcile(
        self, fn: Callable[Q, Coroutine[Any, Any, Reconciliation[R_co]]]
    ) -> Callable[Q, Coroutine[Any, Any, Reconciliation[R_co]]]: ...

    @overload
    def reconcile(
        self: Skill[..., Coroutine[Any, Any, V]], fn: Callable[Q, Reconciliation[V]]
    ) -> Callable[Q, Reconciliation[V]]: ...

    @overload
    def reconcile(
        self: Skill[..., Coroutine[Any, Any, V]],
        fn: Callable[Q, Coroutine[Any, Any, Reconciliation[V]]],
    ) -> Callable[Q, Coroutine[Any, Any, Reconciliation[V]]]: ...

    def reconcile(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Register the function that finds out whether a call happened, after a crash.

        It may ask for the `SkillCall` and for any of the skill's own arguments by name, and
        returns Happened(value), DidNotHappen() or StillUnknown().
        """
        reader = Contract.of(fn, f"{self.name}_reconcile"[:64])
        unknown = (reader.names | reader.metadata.keys()) - self.argument_names
        if unknown:
            raise SkillInvalid(
                f'skill "{self.name}": its reconciler asks for {", ".join(sorted(unknown))}, which '
                "the skill does not have. Use the skill's own parameter names.",
                skill=self.name,
            )
        self.__dict__["_reconciler"] = (fn, reader)
        return fn

    # --- what others ask of it ---

    @property
    def doc(self) -> str:
        """When to use it, as the model reads it."""
        return self.contract.description

    @property
    def parameters(self) -> dict[str, Json]:
        """JSON Schema of the arguments that the model gives: no metadata in it."""
        return self.contract.schema

    @property
    def metadata(self) -> Mapping[str, metadata.Key]:
        """The metadata keys it takes, by name."""
        return self.contract.metadata

    def handed(self, given: Mapping[str, Json]) -> list[str]:
        """The keys that it gets of a task's metadata."""
        return [name for name in self.metadata if name in given]

    @cached_property
    def version(self) -> str:
        """A digest of its code, as it is loaded, and of what it takes."""
        takes = [self.name, self.effect, self.recipe, self.parameters, sorted(self.metadata)]
        text = json.dumps([takes, digest_of_code(self.fn)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def described(self) -> Described:
        """The skill as a request shows it."""
        return Described(self.name, self.doc, self.parameters)

    @property
    def argument_names(self) -> frozenset[str]:
        """Every name its body takes besides the SkillCall."""
        return self.contract.names | self.metadata.keys()

    @property
    def has_reconciler(self) -> bool:
        """Whether somebody can be asked what became of a call."""
        return "_reconciler" in self.__dict__

    # --- acting ---

    def bind(
        self, arguments: dict[str, Json], task_metadata: dict[str, Json], call: SkillCall
    ) -> dict[str, Any]:
        """The arguments of one call: the model's, the task's metadata, the call's facts."""
        fitted, problems = self.contract.fit(arguments)
        if problems:  # judged when they were asked for: the code has changed since
            raise SkillInvalid(
                f'skill "{self.name}" no longer takes the arguments of {call.idempotency_key}: '
                + "; ".join(problems),
                skill=self.name,
            )
        bound = fitted | metadata.inject(self.metadata, task_metadata)
        if self.contract.call:
            bound[self.contract.call] = call
        return bound

    async def act(self, bound: dict[str, Any]) -> Any:
        """Call the function; a plain one in a thread."""
        return await call_function(self.fn, **bound)

    async def ask_reconciler(self, bound: dict[str, Any], call: SkillCall) -> Reconciliation[Any]:
        """What the reconciler says of a call; StillUnknown without one."""
        if not self.has_reconciler:
            return StillUnknown()
        fn, reader = self.__dict__["_reconciler"]
        asked = {
            name: bound[name] for name in reader.names | reader.metadata.keys() if name in bound
        }
        if reader.call:
            asked[reader.call] = call
        said: Any = await call_function(fn, **asked)
        if isinstance(said, Happened | DidNotHappen | StillUnknown):
            return cast(Reconciliation[Any], said)
        return StillUnknown(f"its reconciler returned {said!r}")

    def encode(self, result: Any) -> str:
        """The JSON text of a result, checked against the return annotation.

        Raises ResultNotRecordable.
        """
        return values.encode(result, self.contract.returns, f"the result of {self.name}")


def _contradiction(skill: Skill[..., Any]) -> str | None:
    if skill.effect not in get_args(Effect):
        return f"effect={skill.effect!r} is none of {', '.join(get_args(Effect))}."
    if skill.timeout is not None and skill.timeout <= 0:
        return f"timeout={skill.timeout} is not a positive number of seconds."
    if skill.retry is not None and skill.effect == "at_most_once":
        return (
            "retry= on an at_most_once skill would run its effect twice. Make the effect "
            "idempotent (pass call.idempotency_key on), or drop retry=."
        )
    if skill.give_up_after is not None and skill.give_up_after < 1:
        return (
            f"give_up_after={skill.give_up_after} would fail every task. Give 1 or more, or None."
        )
    if skill.as_user == "" or not all(skill.approval):
        return "as_user= and approval= take names, not empty texts."
    if not skill.contract.is_recipe:
        return None
    if skill.timeout is not None or skill.retry is not None:
        return "a recipe is a job of its own: it takes no timeout= or retry= here."
    if skill.as_user is not None:
        return "a recipe is a job of its own, without a user: put as_user= on a function."
    return None
