"""Conversations as they are read: what was told, said, called and answered, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lampwork.insights.budgets import budgets_of
from lampwork.insights.files import answered_views, given_views, saved_views
from lampwork.metadata.proof import Evidence, Proof
from lampwork.store.lists import queries
from lampwork.store.tasks.conversations import key_of, model_of
from lampwork.types import Json
from lampwork.views import (
    AskedAgain,
    BudgetView,
    ConversationDetails,
    ConversationView,
    ErrorView,
    Fact,
    NewParts,
    Page,
    Refusal,
    RefusedAnswer,
    Said,
    SkillCard,
    Summarised,
    TaskEnd,
    TaskRecord,
    Told,
    TranscriptPart,
    Unanswered,
    moment,
    moment_or_none,
)

if TYPE_CHECKING:
    import sqlalchemy as sa

_TAKEN = ("accepted", "answer", "cannot_complete")
"""Verdicts on calls that the transcript shows in another form."""


_OF_CALLS = ("proposal", "intent", "unknown", "resolved", "result")
"""Entries that the card of a skill call is made of."""

_IN_VAIN = ("unknown_skill", "refused", "invalid")
"""Verdicts on skill calls that were not run."""


def page_of_conversations(connection: sa.Connection, **wanted: Any) -> Page[ConversationView]:
    """A page of conversations, see `queries.page_of_conversations`."""
    found = queries.page_of_conversations(connection, **wanted)
    items = tuple(ConversationView(**each) for each in _shown(connection, found.rows))
    return Page(items, found.next)


def conversation_details(connection: sa.Connection, conversation_id: str) -> ConversationDetails:
    """A conversation in full. Raises ConversationNotFound."""
    row = queries.conversation(connection, conversation_id)
    [shown] = _shown(connection, [row])
    tasks = queries.tasks_in(connection, [row.id])
    entries = queries.entries_of(connection, row.id)
    budgets = budgets_of(connection, tasks)
    records = [_record(task, _proof(task, entries), budgets.get(task.budget_id)) for task in tasks]
    return ConversationDetails(
        **shown,
        copied_from=row.copied_from,
        task_records=tuple(records),
        metadata=tuple(fact for each in zip(tasks, records, strict=True) for fact in _facts(*each)),
        transcript=tuple(transcript(entries)),
    )


def _proof(task: queries.Row, entries: Iterable[queries.Row]) -> Proof:
    evidence = Evidence()
    for entry in entries:
        if entry.task_id == task.id:
            evidence.take(entry.kind, entry.body, entry.at, entry.epoch)
    stopped_at = None if task.ended_at is None else task.epoch
    return evidence.proof(task.metadata, task.sealed, stopped_at=stopped_at)


def _facts(task: queries.Row, record: TaskRecord) -> Iterator[Fact]:
    for key, value in task.metadata.items():
        yield Fact(
            task=task.id,
            key=key,
            value=value,
            sealed=any(path[0] == key for path in task.sealed),
            carried_from=tuple(
                each.source for each in record.proof.carried if each.key.split(".")[0] == key
            ),
        )


def _shown(connection: sa.Connection, rows: Sequence[queries.Row]) -> list[dict[str, Any]]:
    """The fields of ConversationViews."""
    ids = [row.id for row in rows]
    tasks: dict[str, list[queries.Row]] = {each: [] for each in ids}
    for task in queries.tasks_in(connection, ids):
        tasks[task.conversation_id].append(task)
    activity = queries.activity(connection, ids)
    return [
        _conversation(row, tasks[row.id], *activity.get(row.id, (0, 0, row.created_at)))
        for row in rows
    ]


def _conversation(
    row: queries.Row, tasks: Sequence[queries.Row], turns: int, skill_calls: int, last_at: float
) -> dict[str, Any]:
    holder = next((task for task in tasks if task.id == row.holder), None)
    latest = holder or (tasks[-1] if tasks else None)
    return {
        "conversation_id": row.id,
        "kind": row.kind,
        "user": row.user,
        "status": "open" if latest is None else latest.status,
        "genies": tuple(dict.fromkeys(task.genie for task in tasks)),
        "tasks": len(tasks),
        "turns": turns,
        "skill_calls": skill_calls,
        "job": None if latest is None else latest.job_id,
        "project": row.project,
        "created_at": moment(row.created_at),
        "last_at": moment(last_at),
    }


def _record(task: queries.Row, proof: Proof, budget: BudgetView | None) -> TaskRecord:
    outcome: dict[str, Json] = task.outcome or {}
    return TaskRecord(
        task_id=task.id,
        job=task.job_id,
        genie=task.genie,
        status=task.status,
        created_at=moment(task.created_at),
        ended_at=moment_or_none(task.ended_at),
        usage=task.usage,
        output_schema=task.output_schema,
        error=error_view(outcome["error"]) if "error" in outcome else None,
        answered_by=outcome.get("by"),
        proof=proof,
        proof_in_words=str(proof),
        budget=budget,
        deadline=moment_or_none(task.deadline),
    )


def error_view(record: dict[str, Json]) -> ErrorView:
    """An error's record."""
    return ErrorView(code=record["code"], message=record["message"], fields=record["fields"])


# --- the transcript ---


def transcript(rows: Iterable[queries.Row]) -> list[TranscriptPart]:
    """Entries as people read them: each skill call is one card, where its intent stands."""
    rows = list(rows)
    cards = {card.seq: card for card in skill_cards(rows)}
    parts: list[TranscriptPart] = []
    for row in rows:
        if row.seq in cards:
            parts.append(cards[row.seq])
        else:
            parts += _parts(row)
    return parts


def parts_after(
    connection: sa.Connection, conversation_id: str, after: int, limit: int
) -> NewParts:
    """What the next entries have brought, skill calls whole that they say something of.

    Raises ConversationNotFound.
    """
    conversation = queries.conversation(connection, conversation_id)
    rows = queries.entries_after(connection, conversation_id, after, limit)
    touched = {_call_of(row) for row in rows if row.kind in _OF_CALLS}
    # A call is named after the entry that asked for it, so what it has is not before that.
    first = min((int(call.partition(".")[0]) for _, call in touched), default=after)
    earlier = (
        queries.entries_between(connection, conversation_id, first, after, _OF_CALLS)
        if first < after
        else ()
    )
    of_touched = [row for row in earlier if _call_of(row) in touched]
    last = rows[-1].seq if rows else after
    return NewParts(
        items=tuple(transcript([*of_touched, *rows])),
        last=last,
        more=last < conversation.last_seq,
    )


def _call_of(row: queries.Row) -> tuple[str, str]:
    return row.task_id, row.body["call"]


def _parts(row: queries.Row) -> list[TranscriptPart]:
    body: dict[str, Json] = row.body
    place: dict[str, Any] = {"seq": row.seq, "at": moment(row.at), "task": row.task_id}
    match row.kind:
        case "told":
            return [_told(body, place)]
        case "summarised":
            shown = ("model", "text", "messages", "usage")
            return [Summarised(**place, **{name: body[name] for name in shown})]
        case "said":
            return _said(body, place)
        case "asked_again":
            return [AskedAgain(**place, problems=tuple(body["problems"]))]
        case "unanswered" | "cut_off":
            why = body.get("why", "the process ended before the reply was on record")
            return [Unanswered(**place, kind=row.kind, why=why, usage=body["usage"])]
        case "answered":
            end = TaskEnd(
                **place,
                kind="answered",
                output=body["output"],
                response=body["response"],
                by=body.get("by"),
                note=body.get("note"),
                artifacts=answered_views(row.task_id, body),
            )
            return [end]
        case "not_completed":
            missing = tuple(body["missing"])
            return [TaskEnd(**place, kind="not_completed", reason=body["reason"], missing=missing)]
        case "failed":
            return [TaskEnd(**place, kind="failed", reason=body["error"]["message"])]
        case _:
            return []


def _told(body: dict[str, Json], place: dict[str, Any]) -> Told:
    return Told(
        **place,
        genie=body["genie"],
        user=body.get("user"),
        instructions=body["instructions"],
        data=body["data"],
        on_problem=body["on_problem"],
        skills=tuple(body["skills"]),
        withheld=body["withheld"],
        files=given_views(place["task"], body.get("files")),
        history=body.get("history", {}),
    )


def _said(body: dict[str, Json], place: dict[str, Any]) -> list[TranscriptPart]:
    """What the model said, and those of its calls and answers that were not taken."""
    texts = [part["content"] for part in body["response"]["parts"] if part["part_kind"] == "text"]
    text = "\n".join(text for text in texts if text)
    said = Said(**place, model=model_of(body), text=text, usage=body["usage"])
    return [
        said,
        *(_refused(call, place) for call in body["calls"] if call["verdict"] not in _TAKEN),
    ]


def _refused(call: dict[str, Json], place: dict[str, Any]) -> Refusal | RefusedAnswer:
    if call["verdict"] == "answer_invalid":
        return RefusedAnswer(**place, answer=call.get("attempt"))
    return Refusal(
        **place,
        verdict=call["verdict"],
        skill=call["name"],
        arguments=call.get("arguments", {}),
        argument_refused=tuple(call.get("argument_refused", ())),
        reply=call["reply"],
    )


def refusals(rows: Iterable[queries.Row]) -> tuple[Refusal, ...]:
    """The skill calls that were asked for in vain: of no skill on offer, or that do not fit."""
    said = [part for row in rows if row.kind == "said" for part in _parts(row)]
    return tuple(each for each in said if isinstance(each, Refusal) and each.verdict in _IN_VAIN)


def withheld_in(rows: Iterable[queries.Row]) -> dict[str, str]:
    """The skills that a task did not get, and why."""
    told: list[dict[str, str]] = [row.body["withheld"] for row in rows if row.kind == "told"]
    return told[0] if told else {}


def skill_cards(rows: Iterable[queries.Row]) -> tuple[SkillCard, ...]:
    """One card for each intent among these entries, with all that came of it."""
    begun: dict[tuple[str, str], queries.Row] = {}
    proposals: dict[tuple[str, str], list[queries.Row]] = {}
    intents: dict[tuple[str, str], dict[str, Json]] = {}
    notes: dict[tuple[str, str], list[queries.Row]] = {}
    results: dict[tuple[str, str], queries.Row] = {}
    for row in rows:
        if row.kind not in _OF_CALLS:
            continue
        place = _call_of(row)
        match row.kind:
            case "proposal":
                begun.setdefault(place, row)
                proposals.setdefault(place, []).append(row)
            case "intent":
                begun.setdefault(place, row)
                intents[place] = row.body
            case "result":
                results[place] = row
            case _:
                notes.setdefault(place, []).append(row)
    return tuple(
        _card(
            row,
            proposals.get(place, []),
            intents.get(place),
            notes.get(place, []),
            results.get(place),
        )
        for place, row in begun.items()
    )


def _card(
    row: queries.Row,
    proposed: Sequence[queries.Row],
    intent: dict[str, Json] | None,
    noted: Sequence[queries.Row],
    ended: queries.Row | None,
) -> SkillCard:
    """The card of a call whose first entry is `row`, with all that is on record of it."""
    body: dict[str, Json] = intent or row.body
    came: dict[str, Json] = {} if ended is None else ended.body
    unknown = bool(noted) and noted[-1].kind == "unknown"
    decision = (intent or {}).get("decision") or came.get("decision")
    so_far = "unknown" if unknown else "open" if intent else "proposed"
    notes = tuple(
        {"note": each.kind, "at": moment(each.at)}
        | {name: value for name, value in each.body.items() if name != "call"}
        for each in noted
    )
    again = tuple(
        {"note": "proposed again", "at": moment(each.at), "why": each.body["instead_of"]["why"]}
        for each in proposed[1:]
    )
    return SkillCard(
        seq=row.seq,
        at=moment(row.at),
        task=row.task_id,
        call=body["call"],
        skill=body["skill"],
        arguments=body["arguments"],
        key=key_of(row.task_id, body),
        effect=body["effect"],
        status=came.get("status", so_far),
        result=came.get("value"),
        error=came.get("error"),
        attempts=came.get("attempts"),
        seconds=came.get("seconds"),
        source=came.get("source"),
        reason=came.get("reason"),
        ended_at=None if ended is None else moment(ended.at),
        job=body.get("child"),
        notes=again + notes,
        artifacts=saved_views(row.task_id, came.get("artifacts", ())),
        confirmation=_confirmation(proposed, decision),
    )


def _confirmation(
    proposed: Sequence[queries.Row], decision: dict[str, Json] | None
) -> dict[str, Json] | None:
    if not proposed:
        return None
    shown = {"user": proposed[-1].body["user"], "digest": proposed[-1].body["digest"]}
    return shown | (decision or {})
