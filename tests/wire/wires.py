"""What the tests over the wires share: one project, and the same model on each provider's wire."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel

from lampwork import Metadata, Model, Project
from lampwork.models import Ask, Turn

WIRES = {
    "openai-chat": ("openai-chat:gpt-5-mini", "/v1"),
    "openai": ("openai:gpt-5-mini", "/v1"),
    "anthropic": ("anthropic:claude-opus-4-8", ""),
    "google": ("google:gemini-2.5-flash", ""),
}

THINKING: dict[str, Any] = {
    "openai-chat": {},
    "openai": {"openai_reasoning_summary": "auto"},
    "anthropic": {"anthropic_thinking": {"type": "adaptive"}},
    "google": {"google_thinking_config": {"include_thoughts": True}},
}
"""The settings with which each wire's model thinks aloud."""

EACH_WIRE = pytest.mark.parametrize("wire", WIRES)


class Verdict(BaseModel):
    status: Literal["approved", "flagged"]
    reason: str


project = Project("finance")


@project.skill(effect="read")
async def purchase_order(number: str) -> dict[str, int]:
    """Look a purchase order up."""
    return {"amount": 100}


@project.skill(effect="idempotent")
async def note(text: str, invoice_id: Metadata[str]) -> str:
    """Leave a note on the invoice."""
    return "noted"


METADATA = {"invoice_id": "CANARY-INVOICE-7"}
"""Of every task here; `conftest.py` sees to it that no request carries it."""

_genies = 0


def model_at(url: str, wire: str, **more: Any) -> Model:
    """The wire's model at another server's address."""
    name, path = WIRES[wire]
    return Model(name, base_url=url + path, **more)


def genie(model: Any) -> Any:
    """A genie of its own, with both skills."""
    global _genies
    _genies += 1
    return project.genie(
        f"clerk-{_genies}",
        model=model,
        job_description="You check invoices.",
        skills=[purchase_order, note],
    )


def says(text: str, turn: int | None = None, **more: Any) -> dict[str, Any]:
    """A fixture: the model says so, in this turn."""
    return {"match": _match(turn), "response": {"content": text, **more}}


def asks(turn: int, *calls: tuple[str, dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A fixture: the model asks for these calls in this turn."""
    called = [
        {"id": f"call_{turn}_{n}", "name": name, "arguments": arguments}
        for n, (name, arguments) in enumerate(calls)
    ]
    return {"match": _match(turn), "response": {"toolCalls": called, **more}}


def fails(status: int, message: str, turn: int | None = None, **more: Any) -> dict[str, Any]:
    """A fixture: the provider refuses."""
    error = {"message": message, "type": more.pop("type", "server_error"), **more}
    return {"match": _match(turn), "response": {"error": error, "status": status}}


def _match(turn: int | None) -> dict[str, Any]:
    match: dict[str, Any] = {"userMessage": "Check"}
    return match if turn is None else match | {"sequenceIndex": turn}


def ask(*messages: Any, **fields: Any) -> Ask:
    """One request, as a text task makes it."""
    given: dict[str, Any] = {
        "task_id": "t1",
        "number": 2,
        "job_description": "You check invoices.",
        "messages": messages,
        "skills": (),
        "endings": (),
        "text_ends": True,
        "wrapped": False,
        "turn": Turn("Check.", None, (), (), (), 1, ()),
    }
    return Ask(**given | fields)
