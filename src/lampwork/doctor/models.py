"""The genies' models: whether each has its key, answers, and takes the key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lampwork.doctor.diagnosis import Diagnosis, ok, problem, warning
from lampwork.errors import ModelKeyMissing, ModelUnknown
from lampwork.models import Playbook, close, resolve

if TYPE_CHECKING:
    from lampwork.models.provider import OneModel
    from lampwork.models.reach import Reached
    from lampwork.project import Project
    from lampwork.settings import Settings

_CLOCKS_DIFFER = 60.0
"""Seconds."""


async def of_models(project: Project | None, settings: Settings, *, ask: bool) -> list[Diagnosis]:
    """A line for each model that genies use, fallbacks as well; none without a project."""
    from lampwork.models.provider import ProviderDoor  # imports pydantic-ai: 0.4 s

    playbooks: dict[str, list[str]] = {}
    models: list[tuple[OneModel, list[str]]] = []
    for genie in project.genies.values() if project is not None else ():
        door = resolve(genie.model, settings.model)
        if isinstance(door, Playbook):
            playbooks.setdefault(door.name, []).append(genie.name)
        for one in door.models if isinstance(door, ProviderDoor) else ():
            of = next((users for known, users in models if known.model == one.model), None)
            if of is None:
                models.append((one, of := []))
            of.append(genie.name)
    found = [
        ok("model", f"{name}{_of(genies)}: needs no key.") for name, genies in playbooks.items()
    ]
    try:
        told = await asyncio.gather(*(_of_model(one, genies, ask=ask) for one, genies in models))
    finally:
        await close()
    return [*found, *(each for some in told for each in some)]


async def _of_model(one: OneModel, genies: Sequence[str], *, ask: bool) -> list[Diagnosis]:
    from lampwork.models.reach import reach

    name = f"{one.name}{_of(genies)}"
    try:
        reached = await reach(one, ask=ask)
    except ModelKeyMissing as error:
        variable = error.fields["key_env"]
        return [
            problem(
                "model",
                f"{name}: {variable} is not set.",
                f"Set {variable} in the environment of whoever executes, or use a playbook.",
            )
        ]
    except ModelUnknown as error:
        return [problem("model", f"{name}: {error.message}", "Change model=, or LAMPWORK_MODEL.")]
    return [_told(name, reached), *_clock(reached)]


def _of(genies: Sequence[str]) -> str:
    return f" (genie {', '.join(genies)})" if len(genies) == 1 else f" (genies {', '.join(genies)})"


def _told(name: str, reached: Reached) -> Diagnosis:
    took = f"{reached.seconds:.1f} s"
    key = reached.key_env or "no key of its own"
    match reached.status:
        case None if reached.error is not None:
            return problem(
                "model",
                f"{name}: {reached.service} can't be reached: {reached.error}.",
                "Look at the network, a proxy (HTTPS_PROXY) and the address. What needs a model "
                "waits or fails until then; playbooks work without.",
            )
        case None if reached.service is None:
            return ok("model", f"{name}: it says no address to be reached at; --ask asks it.")
        case None:
            return ok("model", f"{name}: {reached.service} can be connected to; --ask asks it.")
        case 200 if reached.tokens is not None:
            return ok("model", f"{name}: has answered in {took}, for {reached.tokens} tokens.")
        case 200:
            return ok("model", f"{name}: {reached.service} answers in {took}, with {key}.")
        case 401 | 403:
            return problem(
                "model",
                f"{name}: {reached.service} refuses the key in {key} (HTTP {reached.status})."
                if reached.key_env
                else f"{name}: {reached.service} wants a key (HTTP {reached.status}).",
                f"Set {reached.key_env} to a key that is valid there."
                if reached.key_env
                else "Name the variable that holds it: Model(…, key_env=…).",
            )
        case 404 if reached.own_service:
            return problem(
                "model",
                f"{name}: {reached.service} has no such model for this key.",
                "Change model=, or LAMPWORK_MODEL.",
            )
        case status:
            return warning(
                "model",
                f"{name}: {reached.service} answers with HTTP {status}, so it can be reached; "
                "whether it has the model it does not say.",
                "Ask it, for some tokens: lampwork doctor --ask",
            )


def _clock(reached: Reached) -> Iterator[Diagnosis]:
    if reached.ahead is not None and abs(reached.ahead) > _CLOCKS_DIFFER:
        by = f"{abs(reached.ahead):.0f} s {'ahead of' if reached.ahead > 0 else 'behind'}"
        yield warning(
            "clock",
            f"The clock here is {by} that of {reached.service}.",
            "Set it: timers, crons and deadlines go by it.",
        )
