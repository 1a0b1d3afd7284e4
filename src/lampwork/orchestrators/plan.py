"""A plan: what an orchestrator has its agents do, as data that is checked before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from lampwork import faults
from lampwork.errors import OrchestratorInvalid, OutputTypeInvalid, joined, one_of, quoted
from lampwork.genies.contract import problems_of as in_words
from lampwork.genies.genie import Genie
from lampwork.genies.output import describe
from lampwork.types import Json

__all__ = [
    "Plan",
    "Subtask",
    "SubtaskInput",
    "Team",
    "as_given",
    "lacking",
    "needed_files",
    "problems_of",
]


def _name(given: Any) -> Any:
    return given.name if isinstance(given, Genie) else given


def _schema(given: Any) -> Any:
    if given is None or isinstance(given, dict):
        return given  # pyright: ignore[reportUnknownVariableType]
    try:
        described = describe(given)
    except OutputTypeInvalid as error:
        raise PydanticCustomError("output", "{why}", {"why": error.message.rstrip(".")}) from error
    return None if described is None else described.schema


_IN_CODE = "in code"
"""The context in which what an author has written is read: a text is no number there, and a model
may write one as such."""


def _number(given: Any, info: ValidationInfo) -> Any:
    if info.context == _IN_CODE and isinstance(given, str | bool):
        raise PydanticCustomError("number", "Input should be a number")
    return given


def _flag(given: Any, info: ValidationInfo) -> Any:
    if info.context == _IN_CODE and not isinstance(given, bool):
        raise PydanticCustomError("flag", "Input should be True or False")
    return given


_Agent = Annotated[str, BeforeValidator(_name)]
_Flag = Annotated[bool, BeforeValidator(_flag)]
_Number = Annotated[float, BeforeValidator(_number)]
_Schema = Annotated[dict[str, Json] | None, BeforeValidator(_schema)]
_Id = Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_-]{0,39}$")]


class _Model(BaseModel):
    """What an author writes, or a model gives; in code it raises OrchestratorInvalid."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    is_sound: ClassVar[bool] = True
    """Not of what is wrong in code and was kept as a fault, so that the code behind it is read."""

    if not TYPE_CHECKING:

        def __init__(self, **given: Any) -> None:
            read = type(self).__pydantic_validator__.validate_python
            with faults.judged():
                try:
                    read(given, self_instance=self, context=_IN_CODE)
                    return
                except ValidationError as error:
                    raise _wrong_in_code(type(self), given, error) from None
            left = type(self).model_construct(**given)
            object.__setattr__(self, "__pydantic_fields_set__", left.model_fields_set)
            vars(self).update(vars(left), is_sound=False)

        # What a model gives is read without it, so that its problems are collected.
        __init__.__pydantic_base_init__ = True


class SubtaskInput(_Model):
    """Something that a subtask is given: of the request, or what another subtask has produced.

    >>> SubtaskInput(name="orders", subtask="extract", field="orders")
    """

    name: str = Field(min_length=1, description="What the agent knows it by.")
    request: Literal["instructions", "data"] | None = Field(
        default=None, description="The instructions or the data of the request itself."
    )
    file: str | None = Field(default=None, description="The name of a file of the request.")
    subtask: str | None = Field(
        default=None,
        description="The id of a subtask: its output, and the files that it has produced.",
    )
    field: str | None = Field(
        default=None,
        description="Only this field of the data, or of the subtask's output without its files.",
    )
    artifact: str | None = Field(
        default=None, description="With subtask: only the file of this name that it has produced."
    )


class Subtask(_Model):
    """One piece of the work, for one agent.

    >>> Subtask(id="extract", title="Orders of Q2", agent="data", brief="Get the orders.")
    """

    id: _Id = Field(description="A short name, unique in the plan.")
    title: str = Field(min_length=1, description="What it is, in a few words.")
    agent: _Agent = Field(description="Who does it.")
    brief: str = Field(
        min_length=1,
        description="What the agent is to do. It knows nothing but this and its inputs.",
    )
    inputs: list[SubtaskInput] = Field(default=[], description="What the agent is given.")
    output: _Schema = Field(
        default=None,
        description="A JSON Schema of its answer; without it the answer is a text.",
    )
    checks: list[str] = Field(
        default=[], description="Names of checks that its answer must pass to be accepted."
    )
    rubric: str | None = Field(
        default=None, description="What a judge is to look at before its answer is accepted."
    )
    depends_on: list[str] = Field(
        default=[],
        description="Ids of subtasks that must succeed first, beside those in its inputs.",
    )
    fallbacks: list[_Agent] = Field(
        default=[], description="Agents that take it over, in this order, when its agent fails."
    )
    required: _Flag = Field(
        default=True, description="Whether the result is incomplete without it."
    )
    budget_share: _Number | None = Field(
        default=None, gt=0, le=1, description="The part of the whole budget that it may spend."
    )
    seconds: _Number | None = Field(
        default=None, gt=0, le=1_000_000_000, description="How long one attempt may take."
    )

    @property
    def sources(self) -> list[str]:
        """The ids of the subtasks that come before it."""
        named = [each.subtask for each in self.inputs if each.subtask is not None]
        return list(dict.fromkeys([*named, *self.depends_on]))


def _several(given: Any) -> Any:
    if isinstance(given, Subtask | Mapping) or not given:
        raise PydanticCustomError("subtasks", "Input should be a list of at least one Subtask(…)")
    return given


class Plan(_Model):
    """The subtasks of a request, as an author gives them."""

    subtasks: Annotated[list[Subtask], BeforeValidator(_several)]

    @property
    def is_sound_throughout(self) -> bool:
        """Whether all that it is made of is sound."""
        return self.is_sound and all(
            each.is_sound and all(source.is_sound for source in each.inputs)
            for each in self.subtasks
        )


def _wrong_in_code(
    kind: type[BaseModel], given: dict[str, Any], error: ValidationError
) -> OrchestratorInvalid:
    name = given.get("id", given.get("name"))
    what = kind.__name__ if name is None else f"{kind.__name__} {quoted(name)}"
    problems = in_words(error, given, kind.model_json_schema())
    return OrchestratorInvalid(f"{what}: {joined(problems)}")


@dataclass(frozen=True, slots=True)
class Team:
    """What a plan of an orchestrator may name, and how long it may be."""

    agents: Sequence[str]
    checks: Sequence[str]
    has_judge: bool
    most: int
    """Subtasks of one plan."""


def as_given(subtasks: Iterable[Subtask]) -> list[dict[str, Json]]:
    """Subtasks as they are recorded, without what goes without saying."""
    return [each.model_dump(mode="json", exclude_defaults=True) for each in subtasks]


def problems_of(
    subtasks: Sequence[Subtask], team: Team, *, done: Collection[str] = ()
) -> list[str]:
    """What is wrong with a plan for this team, as phrases for who made it.

    Who had to do with those that are `done` is not needed any more.
    """
    if len(subtasks) > team.most:  # all else would take the longer, the more there are
        return [f"{len(subtasks)} subtasks are too many: {team.most} are the most"]
    known = {each.id: each for each in subtasks}
    if not subtasks:
        return ["a plan has at least one subtask"]
    found = [*_of_the_whole(subtasks)]
    for each in subtasks:
        where = f'subtask "{each.id}"'
        of_one = [*(() if each.id in done else _of_team(each, team)), *_of_one(each, known)]
        found += [f"{where}: {problem}" for problem in of_one]
    if not found and (cycle := _cycle(known)):
        found.append(f"these wait for each other: {' → '.join(cycle)}")
    return found


def needed_files(subtask: Subtask, subtasks: Iterable[Subtask]) -> frozenset[str]:
    """The names of files that it is to produce, because others of its plan are given them."""
    return frozenset(
        source.artifact
        for each in subtasks
        for source in each.inputs
        if source.subtask == subtask.id and source.artifact is not None
    )


def lacking(
    subtasks: Sequence[Subtask], *, files: Sequence[str], fields: Sequence[str]
) -> list[str]:
    """What subtasks are to be given that the request does not have: files, fields of its data."""
    found: list[str] = []
    for each in subtasks:
        for source in each.inputs:
            where = f'subtask "{each.id}": input "{source.name}": the request has no'
            if source.file is not None and source.file not in files:
                found.append(f'{where} file "{source.file}"; it has: {_listed(files)}')
            if source.request is not None and source.field not in (None, *fields):
                found.append(
                    f'{where} field "{source.field}" in its data; it has: {_listed(fields)}'
                )
    return found


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _of_the_whole(subtasks: Sequence[Subtask]) -> Iterator[str]:
    for twice in _twice(each.id for each in subtasks):
        yield f'two subtasks have the id "{twice}"'
    shares = sum(each.budget_share or 0 for each in subtasks)
    if shares > 1.000001:
        yield f"the budget shares add up to {shares:g}, and 1 is all there is"


def _of_team(subtask: Subtask, team: Team) -> Iterator[str]:
    doers = [subtask.agent, *subtask.fallbacks]
    for agent in doers:
        if agent not in team.agents:
            yield f'there is no agent "{agent}". {_or(agent, team.agents)}'
    for twice in _twice(doers):
        yield f'agent "{twice}" is named twice'
    for check in subtask.checks:
        if check not in team.checks:
            yield f'there is no check "{check}". {_or(check, team.checks)}'
    if subtask.rubric is not None and not team.has_judge:
        yield "there is no judge for its rubric. Leave the rubric out"


def _of_one(subtask: Subtask, known: Mapping[str, Subtask]) -> Iterator[str]:
    for other in subtask.depends_on:
        if other not in known:
            yield f'depends_on "{other}", and there is no such subtask. {_or(other, known)}'
    for twice in _twice(each.name for each in subtask.inputs):
        yield f'two inputs have the name "{twice}"'
    for each in subtask.inputs:
        if (problem := _of_input(each, subtask, known)) is not None:
            yield f'input "{each.name}": {problem}'
    if subtask.output is not None:
        try:
            describe(subtask.output)
        except OutputTypeInvalid as error:
            yield f"output: {error.message}"


def _of_input(given: SubtaskInput, of: Subtask, known: Mapping[str, Subtask]) -> str | None:
    kinds = [given.request, given.file, given.subtask]
    if sum(each is not None for each in kinds) != 1:
        return "give one of request, file and subtask"
    if given.subtask is None:
        if given.artifact is not None or (given.field is not None and given.request != "data"):
            return "a field is of a subtask or of the data, and an artifact of a subtask"
        return None
    if given.field is not None and given.artifact is not None:
        return "give a field or an artifact"
    if given.subtask not in known:
        return f'there is no subtask "{given.subtask}". {_or(given.subtask, known)}'
    if given.subtask == of.id:
        return "a subtask can't be given what it produces itself"
    if given.field is None:
        return None
    output = known[given.subtask].output
    if output is None:
        return f'subtask "{given.subtask}" gives a text without fields. Leave out field'
    fields = _fields(output)
    if fields is None:
        return (
            f'the output of subtask "{given.subtask}" names no fields. '
            f"Name them in its properties, or leave out field"
        )
    if given.field not in fields:
        return (
            f'nothing produces "{given.field}": the output of subtask "{given.subtask}" has no '
            f"such field. {_or(given.field, fields)}"
        )
    return None


def _twice(names: Iterable[str]) -> list[str]:
    """Those that stand there more than once."""
    return sorted(name for name, times in Counter(names).items() if times > 1)


def _or(wrong: str, known: Iterable[str]) -> str:
    """What may have been meant, within a sentence."""
    return one_of(wrong, known).rstrip(".")


def _fields(schema: dict[str, Json]) -> list[str] | None:
    """The fields that an output names, by itself or by a reference to its own part."""
    seen = set[str]()
    while isinstance(where := schema.get("$ref"), str) and where not in seen:
        seen.add(where)  # references may go in a circle
        schema = schema | _part(schema, where)
    fields = schema.get("properties")
    return list(cast(dict[str, Json], fields)) if isinstance(fields, dict) else None


def _part(schema: dict[str, Json], where: str) -> dict[str, Json]:
    """What a reference such as `#/$defs/Rows` leads to; empty if it leads to no schema."""
    found: Any = schema
    for step in where.removeprefix("#/").split("/"):
        found = cast(dict[str, Json], found).get(step) if isinstance(found, dict) else None
    return cast(dict[str, Json], found) if isinstance(found, dict) else {}


def _cycle(known: Mapping[str, Subtask]) -> list[str]:
    """Subtasks that wait for each other, the first one again at the end; empty if none do."""
    done: set[str] = set()
    for start in known:
        path = [start]
        walk: list[Iterator[str]] = [_before(known, start)]
        while walk and start not in done:
            following = next(walk[-1], None)
            if following is None:
                walk.pop()
                done.add(path.pop())
            elif following in path:
                return [*path[path.index(following) :], following]
            elif following not in done:
                path.append(following)
                walk.append(_before(known, following))
    return []


def _before(known: Mapping[str, Subtask], id: str) -> Iterator[str]:
    return (each for each in known[id].sources if each in known)
