"""A conversation as a recording: what its genie did, turn by turn, for tests to play it again.

    {"lampwork_recording": 1, "conversation": "c…", "tasks": [{
        "genie": "cashier", "instructions": "Pay 5 back.", "skills": ["wire"],
        "turns": [{"model": "…", "text": "", "calls": [{"name": "wire", "arguments": {…}}],
                   "results": [{"skill": "wire", "arguments": {…}, "value": "wired"}]}]}]}

Nothing is in it that a model was not shown or has not said: no metadata, unless the conversation
carried it, and of sealed values the names that stood for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lampwork.errors import InputInvalid
from lampwork.store.lists import queries
from lampwork.store.tasks.conversations import model_of
from lampwork.types import Json

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["VERSION", "recording"]

VERSION = 1
"""Of the format."""


def recording(connection: sa.Connection, conversation_id: str) -> dict[str, Json]:
    """The recording of a conversation. Raises ConversationNotFound, InputInvalid."""
    queries.conversation(connection, conversation_id)
    tasks = _tasks(queries.entries_of(connection, conversation_id))
    if not tasks:
        raise InputInvalid(f"No model has said anything in conversation {conversation_id} yet.")
    return {"lampwork_recording": VERSION, "conversation": conversation_id, "tasks": tasks}


def _tasks(rows: Iterable[queries.Row]) -> list[dict[str, Json]]:
    tasks: dict[str, dict[str, Json]] = {}
    asked: dict[tuple[str, str], dict[str, Json]] = {}
    for row in rows:
        body: dict[str, Json] = row.body
        match row.kind:
            case "told":
                told = {name: body[name] for name in ("genie", "instructions", "skills")}
                tasks.setdefault(row.task_id, told | {"turns": []})
            case "said":
                tasks[row.task_id]["turns"].append(_turn(body))
            case "intent" | "proposal":
                asked[row.task_id, body["call"]] = body
            case "result":
                call = asked[row.task_id, body["call"]]
                tasks[row.task_id]["turns"][-1]["results"].append(_result(call, body))
            case "summarised":
                raise InputInvalid(
                    f"Task {row.task_id} had the conversation before it summed up by a model, and "
                    "a recording does not hold that. Record one without history=Summary(…)."
                )
            case _:
                pass
    # Without a response no model was shown its instructions: they may be why it was not asked.
    return [task for task in tasks.values() if task["turns"]]


def _turn(body: dict[str, Json]) -> dict[str, Json]:
    """One response, in its parts; what a provider adds for itself is left out."""
    parts: list[dict[str, Json]] = body["response"]["parts"]
    calls = [part for part in parts if part["part_kind"] == "tool-call"]
    refused = [each for each in body["calls"] if "reply" in each and "arguments" in each]
    return {
        "model": model_of(body),
        "text": "\n".join(part["content"] for part in parts if part["part_kind"] == "text"),
        "calls": [{"name": part["tool_name"], "arguments": _read(part["args"])} for part in calls],
        "results": [
            {"skill": each["name"], "arguments": each["arguments"], "error": each["reply"]}
            for each in refused
        ],
    }


def _read(arguments: Any) -> Json:
    """Some providers' are JSON within JSON."""
    try:
        return json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        return arguments


def _result(call: dict[str, Json], body: dict[str, Json]) -> dict[str, Json]:
    what = {"skill": call["skill"], "arguments": call["arguments"]}
    if body["status"] == "ok":
        return what | {"value": body["value"]}
    return what | {"error": body["error"]["message"]}
