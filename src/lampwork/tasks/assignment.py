"""What a genie is asked to do: the terms of a task, checked before anything happens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic_core import PydanticSerializationError, to_jsonable_python
from typing_extensions import TypedDict

from lampwork import metadata
from lampwork.errors import (
    DelegationCycle,
    DelegationTooDeep,
    GenieNotEligible,
    GenieNotInProject,
    InputInvalid,
    InstructionsMissing,
    OutputTypeInvalid,
    one_of,
)
from lampwork.files.file import Given, Source
from lampwork.files.file import check as check_files
from lampwork.files.snapshot import Snapshot
from lampwork.genies.budget import Budget
from lampwork.genies.eligibility import not_eligible
from lampwork.genies.genie import Genie
from lampwork.genies.output import Output, describe
from lampwork.genies.report import is_report
from lampwork.genies.written_type import read_type, write_type
from lampwork.metadata.needles import Needle, Path
from lampwork.runs.deadline import check_deadline, read_deadline, write_deadline
from lampwork.store.spending.budgets import not_enforceable
from lampwork.tasks.history import Recent, Summary, read_history
from lampwork.types import Json
from lampwork.values import storable

if TYPE_CHECKING:
    from lampwork.models.ask import LanguageModel
    from lampwork.project import Project
    from lampwork.store.tasks.lineage import Lineage

__all__ = [
    "Assignment",
    "ChatTerms",
    "Terms",
    "check_assignment",
    "check_lineage",
    "check_part",
    "check_price",
]

DEEPEST = 5
"""Tasks one below the other: the one that a recipe assigns is the first."""


class ChatTerms(TypedDict, total=False):
    """On what terms a genie is talked to, beside what is said and by whom."""

    conversation: str | None
    """The id of a conversation to continue, in line if it is busy."""
    metadata: Mapping[str, Any] | None
    """Goes straight to the skills and never through the model; what is `Sealed`, not even by
    accident."""
    history: Recent | Summary | None
    """How much is shown of the conversation that is continued; without it, all."""
    files: Sequence[Given]
    """Up to ten files: paths, `File(name, content)`, artifacts of earlier tasks."""
    when_busy: Literal["wait", "fail"]
    """Whether to wait in line for a busy conversation or raise ConversationBusy."""
    when_paused: Literal["wait", "fail"]
    """Whether to raise GenieInactive, the default, or wait until a paused genie is started."""
    budget: Budget | None
    """What the task and those below it may spend; instead of the genie's own."""
    deadline: datetime | timedelta | float | None
    """Until when the answer must be there: a moment, or a time (or seconds) from the call on."""


class Terms(ChatTerms, total=False):
    """On what terms a task is assigned, beside to whom, what for and what answer is wanted."""

    data: Any
    """What the task is about: any JSON value, shown to the genie as data."""
    on_problem: str | None
    """What to do on errors or doubt."""
    knowledge: Literal["public_only"] | None
    """That public documents are enough: a genie with permissioned knowledge takes the task then."""
    allow_partial: bool
    """Whether an orchestrator may answer with a part of the work, with `status="partial"`, where
    required subtasks have failed. InputInvalid for a genie without agents."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a genie is asked to do."""

    genie: Genie
    instructions: str
    data: Json = None
    on_problem: str | None = None
    conversation: str | None = None
    history: Recent | Summary | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    sealed: tuple[Path, ...] = ()
    """Where the metadata is sealed; once checked, it has no `Sealed` in it any more."""
    output: Any = None
    """A type or JSON Schema as given; once checked, an `Output`, or None for plain text."""
    when_busy: Literal["wait", "fail"] = "wait"
    when_paused: Literal["wait", "fail"] = "fail"
    knowledge: Literal["public_only"] | None = None
    files: Sequence[Given | Source] = ()
    """Once taken (see files/taking.py), all of them are a `Snapshot`."""
    budget: Budget | None = None
    deadline: Any = None
    """As given; once checked, a datetime, a timedelta from the call on, or None."""
    user: str | None = None
    """Whose message in a chat it is; None of a task in the background."""
    allow_partial: bool = False
    guarded: tuple[Needle, ...] = ()
    """Sealed values of the orchestration that it is a part of: it is not given them, and its
    requests must not carry them either. On no record of its own."""

    @property
    def not_eligible(self) -> GenieNotEligible | None:
        """Why its genie can't do it, by the code as it is; None if it can."""
        public_only = self.knowledge == "public_only"
        return not_eligible(self.genie, public_only=public_only, chat=self.user is not None)

    @property
    def taken(self) -> list[Snapshot]:
        """The files, once they have been taken."""
        return [each for each in self.files if isinstance(each, Snapshot)]

    def to_json(self) -> dict[str, Json]:
        """A checked assignment, its files taken, as the input of a job that carries it."""
        return {
            "genie": self.genie.name,
            "instructions": self.instructions,
            "data": self.data,
            "on_problem": self.on_problem,
            "conversation": self.conversation,
            "history": None if self.history is None else self.history.to_json(),
            "metadata": dict(self.metadata),
            "sealed": list(map(list, self.sealed)),
            "output": write_type(self.output),
            "when_busy": self.when_busy,
            "when_paused": self.when_paused,
            "knowledge": self.knowledge,
            "files": [each.to_json() for each in self.taken],
            "budget": None if self.budget is None else self.budget.to_json(),
            "deadline": write_deadline(self.deadline),
            **({} if self.user is None else {"user": self.user}),
            **({"allow_partial": True} if self.allow_partial else {}),
        }

    @classmethod
    def from_json(
        cls, project: Project, record: dict[str, Any], *, accepted_at: float
    ) -> Assignment:
        """The assignment that `to_json` wrote, of a job that was accepted then, in epoch seconds.

        Raises GenieNotFound, NotImportable.
        """
        sealed: list[list[str | int]] = record.get("sealed", [])
        given: dict[str, Any] = record | {
            "genie": project.find_genie(record["genie"]),
            "history": read_history(record.get("history")),
            "sealed": tuple(tuple(path) for path in sealed),
            "output": read_type(record["output"]),
            "files": tuple(map(Snapshot.from_json, record.get("files", ()))),
        }
        if (budget := record.get("budget")) is not None:
            given["budget"] = Budget(**budget)
        if (deadline := record.get("deadline")) is not None:
            given["deadline"] = read_deadline(deadline, accepted_at)
        return cls(**given)

    @classmethod
    def on(
        cls, project: Project, genie: Genie | str, instructions: str, output: Any, terms: Terms
    ) -> Assignment:
        """The assignment of a task on these terms. Raises GenieNotFound, InputInvalid."""
        _require_known("assign_task", terms, ("output", *Terms.__annotations__))
        return cls._with(project, genie, instructions, {**terms, "output": output})

    @classmethod
    def of_message(
        cls, project: Project, genie: Genie | str, message: str, user: str, terms: ChatTerms
    ) -> Assignment:
        """What a message in a chat asks of a genie. Raises GenieNotFound, InputInvalid."""
        _require_known("chat", terms, ("user", *ChatTerms.__annotations__))
        if not isinstance(user, str) or not user.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InputInvalid(f"user={user!r} is nobody. Say whose message it is.")
        if storable(user) != user:
            raise InputInvalid(f"user={user!r} is no text that can be written down.")
        return cls._with(project, genie, message, {**terms, "user": user})

    @classmethod
    def _with(
        cls, project: Project, genie: Genie | str, instructions: str, given: dict[str, Any]
    ) -> Assignment:
        found = project.find_genie(genie) if isinstance(genie, str) else genie
        own: dict[str, Any] = {"budget": found.budget}
        own |= {name: value for name, value in given.items() if value is not None}
        return cls(found, instructions, **own)


def check_assignment(project: Project, assignment: Assignment) -> Assignment:
    """The assignment in its recorded form, or why it can't be made; nothing has happened yet.

    Only code and arguments count here: on a replay they are looked at again. Raises
    InstructionsMissing, GenieNotInProject, MetadataUnknown, MetadataInvalid,
    OutputTypeInvalid, TooManyFiles, FileRejected, InputInvalid.
    """
    genie = assignment.genie
    if genie.project is not project:
        raise GenieNotInProject(
            f'Genie "{genie.name}" belongs to project "{genie.project.name}", not to '
            f'"{project.name}". Assign the task to a genie of this project.'
        )
    if not (assignment.instructions or "").strip():
        raise InstructionsMissing(
            f'The task for genie "{genie.name}" has no instructions. Say what is to be done.'
            if assignment.user is None
            else f'The message to genie "{genie.name}" is empty. Say something.'
        )
    budget: Any = assignment.budget
    if not isinstance(budget, Budget | None):
        raise InputInvalid(
            f"budget={budget!r} is no Budget. Pass budget=Budget(dollars=…, tokens=…).",
            problems=["budget"],
        )
    given, sealed = assignment.metadata, assignment.sealed
    recorded, sealed = metadata.record(genie.metadata, given, sealed, genie=genie.name)
    return replace(
        assignment,
        deadline=check_deadline(assignment.deadline),
        instructions=_as_text("instructions", assignment.instructions),
        on_problem=_as_text("on_problem", assignment.on_problem),
        data=_as_json("data", assignment.data),
        metadata=recorded,
        sealed=sealed,
        output=_output(assignment),
        files=check_files(assignment.files),
    )


def _output(assignment: Assignment) -> Output | None:
    found, genie = describe(assignment.output), assignment.genie
    if is_report(found) and not tuple(genie.works_through):
        raise OutputTypeInvalid(
            f'Genie "{genie.name}" has no agents whose work a report could show. Assign the task '
            "to an orchestrator, or ask for another type of answer."
        )
    return found


def check_lineage(assignment: Assignment, above: Lineage) -> None:
    """Whether a task may stand below those. Raises DelegationCycle, DelegationTooDeep."""
    name, chain = assignment.genie.name, " → ".join((*above.genies, assignment.genie.name))
    if name in above.genies:
        raise DelegationCycle(
            f'Genie "{name}" already works above this task ({chain}): it would delegate to itself. '
            "Assign the task to another genie, or do the work in the recipe.",
            genies=[*above.genies, name],
        )
    deepest = DEEPEST if above.deepest is None else min(DEEPEST, above.deepest)
    if len(above.genies) >= deepest:
        by = "" if deepest == DEEPEST else "by the budget of a task above, "
        most = "1 task is" if deepest == 1 else f"{deepest} tasks one below the other are"
        raise DelegationTooDeep(
            f"{chain}: {by}{most} the most. "
            "Let a genie further up do this, or start a job of its own for it.",
            genies=[*above.genies, name],
        )


def check_part(assignment: Assignment) -> None:
    """Whether a part of the work can be an answer. Raises InputInvalid.

    Once it was of no account for a plain genie, so no recorded call is asked this again.
    """
    genie = assignment.genie
    if assignment.allow_partial and not tuple(genie.works_through):
        raise InputInvalid(
            f'allow_partial=True: genie "{genie.name}" has no agents, so there is no part of its '
            "work to answer with. Leave it out, or assign the task to an orchestrator.",
            problems=["allow_partial"],
        )


def check_price(
    assignment: Assignment, model: LanguageModel, *, above: Lineage | None = None
) -> None:
    """Whether a limit on money can be kept, its own or one above. Raises BudgetNotEnforceable.

    Prices may change with a new version of their list, so no recorded call is asked this again.
    """
    own = assignment.budget is not None and assignment.budget.dollars is not None
    inherited = above is not None and above.limits_money
    if (own or inherited) and model.price() is None:
        raise not_enforceable(model.name)


def _require_known(verb: str, terms: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in sorted(terms.keys() - set(known)):
        raise InputInvalid(
            f"{verb}({name}=…): there is no such argument. {one_of(name, known)}", problems=[name]
        )


def _as_text(name: str, value: Any) -> Any:
    recorded = _as_json(name, value)
    if isinstance(recorded, str) and "\0" in recorded:
        raise InputInvalid(f"{name}= has a NUL character. Leave it out, or give it in data=.")
    return recorded


def _as_json(name: str, value: Any) -> Json:
    try:
        recorded = to_jsonable_python(value)
        json.dumps(recorded, ensure_ascii=False, allow_nan=False).encode()
        _refuse_sets(value)
    except (PydanticSerializationError, ValueError) as error:
        raise InputInvalid(
            f"{name}= can't be recorded as JSON: {error}. Pass plain JSON or a pydantic model.",
            problems=[str(error)],
        ) from error
    return recorded


def _refuse_sets(value: Any) -> None:
    """Raise ValueError for a set: JSON has none, and its order differs from run to run."""
    match value:
        case set() | frozenset():
            raise ValueError("a set has no form in JSON; give a list, sorted(…)")
        case dict():
            for each in cast(dict[Any, Any], value).values():
                _refuse_sets(each)
        case list() | tuple():
            for each in cast(list[Any], value):
                _refuse_sets(each)
        case _:
            pass
