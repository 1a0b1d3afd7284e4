"""What a project of a server defines: recipes, genies and triggers, and work for them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from typing_extensions import Unpack

from lampwork.client.asking import Asking, new_key
from lampwork.client.connection import read
from lampwork.client.terms import Terms, as_sent, content_of
from lampwork.errors import InputInvalid, OutputTypeInvalid
from lampwork.types import Json
from lampwork.views import (
    FileView,
    GenieView,
    Graph,
    JobView,
    Page,
    RecipeDetails,
    RecipeView,
    SkillView,
    TriggerDetails,
    TriggerView,
    Uploaded,
)

if TYPE_CHECKING:
    from lampwork.files.file import File

__all__ = ["DefinitionCalls"]


class DefinitionCalls(Asking):
    """What can be started, and by whom it is done."""

    # --- recipes ---

    async def recipes(self, *, days: int = 7) -> tuple[RecipeView, ...]:
        """The recipes of the project, with figures of the jobs that were accepted in these days."""
        return (await self._get(Page[RecipeView], await self._at("recipes"), {"days": days})).items

    async def recipe(self, name: str, *, days: int = 7) -> RecipeDetails:
        """A recipe, with what it takes and returns. Raises RecipeNotFound."""
        return await self._get(RecipeDetails, await self._at("recipes", name), {"days": days})

    async def start(
        self,
        recipe: str,
        input: Mapping[str, Any] | None = None,
        *,
        files: Sequence[Uploaded | FileView] = (),
        idempotency_key: str | None = None,
    ) -> JobView:
        """Accept a job of a recipe, with parameters by name: JSON, dataclasses, pydantic models.

        It is on disk when this returns.

        >>> job = await client.start("order", {"item": "lamp"}, idempotency_key="order 7")

        The same `idempotency_key` within 24 hours leads to the same job; without one, the tries of
        this call do. `files` are those that the input names, which the job keeps. Raises
        RecipeNotFound, InputInvalid, QueueFull, IdempotencyConflict.
        """
        parameters: Any = {} if input is None else input  # of whatever type it really is
        if not isinstance(parameters, Mapping):
            raise InputInvalid(
                f'Give the parameters by name, such as {{"item": "lamp"}}: input={input!r:.80}',
                problems=["input"],
            )
        path = await self._at("recipes", recipe, "jobs")
        given = {
            "input": dict(cast(Mapping[str, Any], parameters)),
            "files": [each.digest for each in files],
        }
        return await self._post(JobView, path, given, idempotency_key or new_key())

    async def graph(self, recipe: str) -> Graph:
        """What a recipe may do in which order, drawn from its code. Raises RecipeNotFound."""
        return await self._get(Graph, await self._at("recipes", recipe, "graph"))

    # --- genies ---

    async def genies(self) -> tuple[GenieView, ...]:
        """The genies of the project."""
        return (await self._get(Page[GenieView], await self._at("genies"))).items

    async def genie(self, name: str) -> GenieView:
        """One genie. Raises GenieNotFound."""
        return await self._get(GenieView, await self._at("genies", name))

    async def skills(self) -> tuple[SkillView, ...]:
        """The skills of the project."""
        return (await self._get(Page[SkillView], await self._at("skills"))).items

    async def assign(
        self,
        genie: str,
        instructions: str,
        *,
        data: Any = None,
        output: Mapping[str, Json] | None = None,
        report: bool = False,
        allow_partial: bool = False,
        on_problem: str | None = None,
        knowledge: Literal["public_only"] | None = None,
        idempotency_key: str | None = None,
        **terms: Unpack[Terms],
    ) -> JobView:
        """Give a task to a genie, without a recipe: the job that carries it.

        >>> job = await client.assign("clerk", "Decide.", metadata={"order_id": "A-1017"})
        >>> (await client.result(job.job_id))["output"]

        `output` is a JSON Schema of the answer; without it, text. Of an orchestrator `report` asks
        for a report, and `allow_partial` for what there is. `idempotency_key` as in `start`.
        Raises what `job.assign_task` raises at once, GenieNotEligible, IdempotencyConflict.
        """
        task = {
            "instructions": instructions,
            "data": data,
            "output": _schema_of(output),
            "on_problem": on_problem,
            "knowledge": knowledge,
            "report": report or None,
            "allow_partial": allow_partial or None,
        }
        body = {name: each for name, each in task.items() if each is not None}
        path = await self._at("genies", genie, "tasks")
        key = idempotency_key or new_key()
        return await self._post(JobView, path, body | await self._sent(terms), key)

    async def send_message(
        self,
        genie: str,
        message: str,
        *,
        idempotency_key: str | None = None,
        **terms: Unpack[Terms],
    ) -> JobView:
        """Say something to a genie as one of its users, the holder of the key: the job of it.

        Without `conversation=` a new chat begins. Raises UserNotAllowed for another user's chat,
        and what `assign` raises.
        """
        path = await self._at("chat", genie, "messages")
        body = {"message": message} | await self._sent(terms)
        return await self._post(JobView, path, body, idempotency_key or new_key())

    async def _sent(self, terms: Terms) -> dict[str, Json]:
        """The terms as they are sent, with the files uploaded."""
        files = [
            each if isinstance(each, Uploaded | FileView) else await self.upload(each)
            for each in terms.get("files", ())
        ]
        return as_sent(terms, files)

    async def upload(self, file: str | os.PathLike[str] | File) -> Uploaded:
        """Keep a file on the server for a day, and for as long as a job has it.

        It can be given to several tasks, and its digest to a recipe that takes an Artifact. Raises
        FileRejected for a path that leads to no file, ArtifactInvalid, BodyTooLarge.
        """
        name, content, media_type = await asyncio.to_thread(content_of, file)
        kept = await self._connection.ask(
            "POST",
            await self._at("files"),
            query={"name": name},
            content=content,
            media_type=media_type or "application/octet-stream",
        )
        return read(kept, Uploaded)

    async def content(self, digest: str) -> bytes:
        """The content of a file of the project, by its digest: an artifact that a recipe has
        returned, or what was uploaded. Raises ArtifactNotFound."""
        return (await self._connection.ask("GET", await self._at("files", digest))).content

    async def pause_genie(self, name: str, *, why: str = "") -> GenieView:
        """Let a genie take no new tasks; those that it works on go on. Raises GenieNotFound."""
        return await self._post(GenieView, await self._at("genies", name, "pause"), {"why": why})

    async def start_genie(self, name: str) -> GenieView:
        """Let a paused genie take tasks again; those that wait go on. Raises GenieNotFound."""
        return await self._post(GenieView, await self._at("genies", name, "start"))

    # --- triggers ---

    async def triggers(self) -> tuple[TriggerView, ...]:
        """The triggers of the project's recipes, with the time when each comes next."""
        return (await self._get(Page[TriggerView], await self._at("triggers"))).items

    async def triggers_of(self, recipe: str) -> tuple[TriggerDetails, ...]:
        """The triggers of a recipe, in full. Raises RecipeNotFound."""
        return (await self._get(Page[TriggerDetails], await self._at("triggers", recipe))).items

    async def fire_trigger(
        self, recipe: str, *, trigger: str | None = None
    ) -> tuple[TriggerDetails, ...]:
        """Let a trigger, by name if the recipe has several, fire as soon as a worker executes.

        Raises RecipeNotFound, TriggerNotFound.
        """
        return await self._order("fire", recipe, {"trigger": trigger})

    async def pause_trigger(
        self, recipe: str, *, trigger: str | None = None, why: str = ""
    ) -> tuple[TriggerDetails, ...]:
        """Let a trigger fire no more, until it is started. Raises as `fire_trigger` does."""
        return await self._order("pause", recipe, {"trigger": trigger, "why": why})

    async def start_trigger(
        self, recipe: str, *, trigger: str | None = None, why: str = ""
    ) -> tuple[TriggerDetails, ...]:
        """Let it fire again; a Cron catches up as it says. Raises as `fire_trigger` does."""
        return await self._order("start", recipe, {"trigger": trigger, "why": why})

    async def _order(
        self, what: str, recipe: str, order: Mapping[str, Json]
    ) -> tuple[TriggerDetails, ...]:
        path = await self._at("triggers", recipe, what)
        return (await self._post(Page[TriggerDetails], path, dict(order))).items


def _schema_of(output: Any) -> dict[str, Json] | None:
    """The JSON Schema that was given; the server has no types but its project's."""
    if output is None:
        return None
    if not isinstance(output, Mapping):
        raise OutputTypeInvalid(
            f"Give the client a JSON Schema, not a type: output={output!r:.80}. Of a pydantic "
            "model it is output=Model.model_json_schema(), of other types "
            "TypeAdapter(T).json_schema(); a report is report=True."
        )
    return dict(cast(Mapping[str, Json], output))
