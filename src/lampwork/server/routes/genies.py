"""Genies: who takes tasks, and why one does not; tasks, and messages of its users."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from lampwork import Artifact, Budget, File, Report, Sealed, clock
from lampwork.errors import quoted
from lampwork.server.authority import May
from lampwork.server.lists import IdempotencyKey, accepted, whole
from lampwork.server.requests import Body, Digest, ExactRoute, Moment
from lampwork.server.serving import Here, ProjectName
from lampwork.types import Json
from lampwork.views import GenieView, JobView, Page, SkillView

router = APIRouter(route_class=ExactRoute, tags=["genies"], prefix="/api/projects/{project}")


@router.get("/genies")
async def list_genies(who: May.see, project: ProjectName, here: Here) -> Page[GenieView]:
    """The genies of a project; `obstacles` say what keeps one from tasks in the background."""
    return whole(await here.insights.genies(list(project.genies.values()), here.model))


@router.get("/genies/{genie}")
async def get_genie(who: May.see, project: ProjectName, here: Here, genie: str) -> GenieView:
    """One genie."""
    [shown] = await here.insights.genies([project.find_genie(genie)], here.model)
    return shown


@router.get("/skills")
async def list_skills(who: May.see, project: ProjectName, here: Here) -> Page[SkillView]:
    """The skills of a project."""
    return whole(here.insights.skills(project))


class Why(Body):
    """Why something is done, for the record."""

    why: str = ""


@router.post("/genies/{genie}/pause")
async def pause_genie(
    who: May.administer, project: ProjectName, here: Here, genie: str, said: Why
) -> GenieView:
    """Let a genie take no new tasks; those that it works on go on."""
    await here.door.pause_genie(genie, by=who.name, why=said.why)
    return await get_genie(who, project, here, genie)


@router.post("/genies/{genie}/start")
async def start_genie(
    who: May.administer, project: ProjectName, here: Here, genie: str
) -> GenieView:
    """Let a paused genie take tasks again."""
    await here.door.start_genie(genie, by=who.name)
    return await get_genie(who, project, here, genie)


def _content(given: object) -> bytes:
    """What is in base64; a text that was not encoded must not pass for another content."""
    if not isinstance(given, str):
        raise ValueError("give a text in base64")
    try:
        return base64.b64decode("".join(given.split()), validate=True)
    except ValueError as error:
        raise ValueError("this is no base64") from error


_BASE64 = WithJsonSchema({"type": "string", "format": "base64", "description": "In base64."})


class GivenFile(Body):
    """A file for a genie to read, with its content; or one of the project, by its digest."""

    name: str
    content: Annotated[bytes, BeforeValidator(_content), _BASE64] | None = None
    digest: Digest | None = Field(None, description="Of what was uploaded, or of an artifact.")
    media_type: str | None = None
    size: int | None = Field(None, description="As it is shown, and so below; it is not asked.")
    url: str | None = None
    notes: list[str] = Field(default_factory=list[str])

    @model_validator(mode="after")
    def _has_one(self) -> GivenFile:
        if (self.content is None) == (self.digest is None):
            raise ValueError("give its content or its digest")
        return self

    def as_given(self) -> File | Artifact:
        """As the door takes it."""
        if self.content is not None:
            return File(self.name, self.content, self.media_type)
        media_type = self.media_type or "application/octet-stream"
        return Artifact(self.name, media_type, self.digest or "", self.size or 0)


_Limit = Annotated[int, Field(gt=0, le=1_000_000_000)]
_Amount = Annotated[float, Field(gt=0, le=1_000_000_000)]


class Limits(Body):
    """What a task, and all that it delegates, may spend. One limit at least."""

    tokens: _Limit | None = None
    dollars: _Amount | None = None
    model_calls: _Limit | None = None
    skill_calls: _Limit | None = None
    seconds: _Amount | None = None
    depth: _Limit | None = None


def _to_come(deadline: datetime) -> datetime:
    if deadline.timestamp() <= clock.now():
        raise ValueError("it has passed")
    return deadline


class _Terms(Body):
    conversation: str | None = Field(None, description="The one to continue.")
    metadata: dict[str, Json] | None = Field(
        None, description="For the skills, and never for the model."
    )
    sealed: list[str] = Field(
        default_factory=list[str],
        description="The metadata without whose values a request is sent, or not at all.",
    )
    files: list[GivenFile] = Field(default_factory=list[GivenFile], max_length=10)
    when_busy: Literal["wait", "fail"] = "wait"
    when_paused: Literal["wait", "fail"] = "fail"
    budget: Limits | None = None
    deadline: Annotated[Moment, AfterValidator(_to_come)] | None = None

    @field_validator("sealed")
    @classmethod
    def _are_metadata(cls, sealed: list[str], terms: ValidationInfo) -> list[str]:
        """A name that is mistyped would leave a value open to the model."""
        lacking = [name for name in sealed if name not in (terms.data.get("metadata") or {})]
        if lacking:
            raise ValueError(f"metadata has no {', '.join(map(quoted, lacking))}")
        return sealed

    def as_given(self) -> dict[str, Any]:
        """As the door takes them."""
        given = self.metadata or {}
        budget = None if self.budget is None else Budget(**self.budget.model_dump())
        return {
            "conversation": self.conversation,
            "metadata": {
                key: Sealed(value) if key in self.sealed else value for key, value in given.items()
            },
            "files": [each.as_given() for each in self.files],
            "when_busy": self.when_busy,
            "when_paused": self.when_paused,
            "budget": budget,
            "deadline": self.deadline,
        }


class NewTask(_Terms):
    """What a genie is asked to do."""

    instructions: str = Field(min_length=1)
    data: Json = Field(None, description="What the task is about; the genie is shown it.")
    on_problem: str | None = None
    output: dict[str, Json] | None = Field(
        None, description="The JSON Schema of the answer; without it, text."
    )
    report: bool = Field(
        False, description="That an orchestrator delivers a report, `report.html`; then no output."
    )
    allow_partial: bool = Field(
        False, description="That an orchestrator may answer with a part of the work."
    )
    knowledge: Literal["public_only"] | None = None

    @model_validator(mode="after")
    def _is_one_kind_of_answer(self) -> NewTask:
        if self.report and self.output is not None:
            raise ValueError("give report or output")
        return self


@router.post("/genies/{genie}/tasks", status_code=202)
async def assign_task(
    who: May.build,
    project: ProjectName,
    here: Here,
    genie: str,
    new: NewTask,
    response: Response,
    key: IdempotencyKey = None,
) -> JobView:
    """Give a task to a genie, without a recipe: the job that carries it."""
    said = {"instructions", "data", "on_problem", "output", "knowledge", "allow_partial"}
    task = new.model_dump(include=said)
    if new.report:
        task["output"] = Report
    job = await here.door.assign(genie, **task, **new.as_given(), idempotency_key=key)
    return await accepted(here, job.job_id, response)


class Message(_Terms):
    """What its user says to a genie."""

    message: str = Field(min_length=1)


@router.post("/chat/{genie}/messages", status_code=202)
async def send_message(
    who: May.build,
    project: ProjectName,
    here: Here,
    genie: str,
    said: Message,
    response: Response,
    key: IdempotencyKey = None,
) -> JobView:
    """Say something to a genie as one of its users, who is the caller: the job that carries it."""
    terms = said.as_given()
    job = await here.door.send_message(
        genie, said.message, user=who.name, idempotency_key=key, **terms
    )
    return await accepted(here, job.job_id, response)
