"""Jobs: the list, one with its timeline, and what can be done with it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from lampwork.server.authority import May
from lampwork.server.lists import EXAMINED, KEY_OR_PAIR, accepted
from lampwork.server.requests import Body, ExactRoute, Moment
from lampwork.server.serving import Here, JobId
from lampwork.types import JobStatus, Json, Resolution, WaitKind
from lampwork.views import CopyPlan, JobDetails, JobTree, JobView, OrchestrationView, Page

router = APIRouter(route_class=ExactRoute, tags=["jobs"])


class _Wanted(BaseModel):
    status: JobStatus | None = None
    recipe: str | None = None
    waiting_on: WaitKind | None = Field(None, description="The kind of what it waits for.")
    genie: str | None = Field(None, description="That has a task of it.")
    metadata: str | None = Field(
        None,
        description="A key that a task of it has, or `key=value`.",
        pattern=KEY_OR_PAIR,
    )
    text: str | None = Field(
        None,
        description="That its id begins with, or its input or a task's instructions have.",
        max_length=1000,
    )
    since: Moment | None = Field(None, description="Accepted then or later.")
    until: Moment | None = Field(None, description="Accepted before that.")
    roots: bool = Field(False, description="Without jobs that others have started.")
    restored: bool = Field(
        False, description="Those whose effects may have been done before a restore."
    )
    after: str | None = Field(None, min_length=1, description="The `next` of the page before.")
    limit: int = Field(50, ge=1, le=1000)


@router.get("/api/jobs")
async def list_jobs(
    who: May.see,
    here: Here,
    wanted: Annotated[_Wanted, Query()],
) -> Page[JobView]:
    """Those jobs that are wanted, the newest first; all of them tree by tree, from the root down.

    A page may have less than `limit`, even nothing, and a `next`: then go on with that.
    """
    return await here.insights.jobs(examined=EXAMINED, **wanted.model_dump())


@router.get("/api/jobs/{job_id}")
async def get_job(who: May.see, job: JobId, here: Here) -> JobDetails:
    """A job in full."""
    return await here.insights.job(job)


@router.get("/api/jobs/{job_id}/summary")
async def get_job_summary(who: May.see, job: JobId, here: Here) -> JobView:
    """A job as in the list: how it stands, for those who look often."""
    return await here.insights.view(job)


@router.get("/api/jobs/{job_id}/timeline")
async def get_job_timeline(who: May.see, job: JobId, here: Here) -> JobTree:
    """A job with its calls and the jobs below it, cut to what fits a screen."""
    return await here.insights.tree(job)


@router.get("/api/jobs/{job_id}/orchestration")
async def get_orchestration_of_job(who: May.see, job: JobId, here: Here) -> OrchestrationView:
    """The ledger of the orchestration that a job has assigned; 422 lists them, if it has more."""
    return await here.insights.orchestration(job)


@router.post("/api/jobs/{job_id}/cancel", status_code=202)
async def cancel_job(who: May.build, job: JobId, here: Here) -> JobView:
    """Cancel a job and all below it but detached ones; what executes gets some seconds."""
    await here.door.cancel(job)
    return await here.insights.view(job)


class Event(Body):
    """What a job's `wait_for` gets."""

    value: Json = None


@router.post("/api/jobs/{job_id}/events/{name}", status_code=202)
async def send_event(
    who: May.build,
    job: JobId,
    here: Here,
    name: Annotated[str, Path(min_length=1, max_length=200)],
    event: Event,
) -> JobView:
    """Send an event to a job, for its `wait_for`, now or later."""
    await here.door.send_event(job, name, event.value, source=who.name)
    return await here.insights.view(job)


class Resolved(Body):
    """What became of an effect whose outcome is unknown."""

    wait_id: str
    resolution: Resolution
    result: Json = Field(None, description="Of what happened: what it returned.")
    reason: str = ""


@router.post("/api/jobs/{job_id}/resolve", status_code=202)
async def resolve_job(who: May.decide, job: JobId, here: Here, said: Resolved) -> JobView:
    """Say what became of an effect whose outcome is unknown."""
    await here.insights.require_wait(job, said.wait_id)
    await here.door.resolve(**said.model_dump(), by=who.name)
    return await here.insights.view(job)


class Confirmation(Body):
    """The word of a chat's user on what a genie proposes to do."""

    wait_id: str
    digest: str = Field(description="Of the proposal that the user has seen.")


@router.post("/api/jobs/{job_id}/confirm", status_code=202)
async def confirm_call(who: May.build, job: JobId, here: Here, said: Confirmation) -> JobView:
    """Let a skill call be done that waits for its user, who is the caller."""
    await here.insights.require_wait(job, said.wait_id)
    await here.door.confirm(said.wait_id, by=who.name, digest=said.digest)
    return await here.insights.view(job)


class Rejection(Confirmation):
    """That it is not to be done."""

    reason: str = ""


@router.post("/api/jobs/{job_id}/reject", status_code=202)
async def reject_call(who: May.build, job: JobId, here: Here, said: Rejection) -> JobView:
    """Let such a call not be done; the genie is told why."""
    await here.insights.require_wait(job, said.wait_id)
    await here.door.reject(**said.model_dump(), by=who.name)
    return await here.insights.view(job)


@router.post("/api/jobs/{job_id}/go-on", status_code=202)
async def let_job_go_on(who: May.build, job: JobId, here: Here) -> JobView:
    """Let a job that needed attention run again, after its code was mended."""
    await here.door.go_on(job)
    return await here.insights.view(job)


# --- copies ---


@router.get("/api/jobs/{job_id}/retry")
async def plan_retry(who: May.see, job: JobId, here: Here) -> CopyPlan:
    """What a retry would keep, and what would happen again."""
    return await here.door.plan_retry(job)


@router.post("/api/jobs/{job_id}/retry", status_code=202)
async def retry_job(who: May.build, job: JobId, here: Here, response: Response) -> JobView:
    """Do a failed or cancelled job again from the call that failed it, as a new job."""
    return await accepted(here, await here.door.retry(job), response)


@router.get("/api/jobs/{job_id}/rerun")
async def plan_rerun(who: May.see, job: JobId, here: Here) -> CopyPlan:
    """What a rerun would do again."""
    return await here.door.plan_rerun(job)


@router.post("/api/jobs/{job_id}/rerun", status_code=202)
async def rerun_job(who: May.build, job: JobId, here: Here, response: Response) -> JobView:
    """Do a job again from its input, as a new job."""
    await here.insights.require_own_words(job, who.name)
    return await accepted(here, await here.door.rerun(job), response)


At = Annotated[int, Field(ge=1, le=2**31 - 1, description="The number of a call.")]


@router.get("/api/jobs/{job_id}/fork")
async def plan_fork(who: May.see, job: JobId, here: Here, at: Annotated[At, Query()]) -> CopyPlan:
    """What a fork would keep, and what would happen again."""
    return await here.door.plan_fork(job, at=at)


class Fork(Body):
    """Where a fork begins."""

    at: At


@router.post("/api/jobs/{job_id}/fork", status_code=202)
async def fork_job(
    who: May.build, job: JobId, here: Here, fork: Fork, response: Response
) -> JobView:
    """Do a job again from one of its calls, as a new job that keeps the calls before it."""
    await here.insights.require_own_words(job, who.name)
    return await accepted(here, await here.door.fork(job, at=fork.at), response)
