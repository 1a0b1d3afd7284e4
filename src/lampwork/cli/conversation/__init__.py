"""`lampwork conversation ID`: the transcript."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from lampwork.cli import completing, output
from lampwork.cli.noun import Noun
from lampwork.cli.options import Options, examples
from lampwork.cli.reading import of_conversation
from lampwork.cli.source import Source
from lampwork.types import Json
from lampwork.views import (
    AskedAgain,
    ConversationDetails,
    FileView,
    Refusal,
    RefusedAnswer,
    RequestView,
    Said,
    SkillCard,
    Summarised,
    TaskEnd,
    TaskRecord,
    Told,
    TranscriptPart,
    Unanswered,
    to_json,
)


@click.group(
    "conversation",
    cls=Noun,
    which="ID",
    parameter="conversation_id",
    of=completing.conversation_id,
    epilog=examples(
        "lampwork conversation c01m7wbx3ejz021kz99.1",
        "lampwork conversation c01m7wbx3ejz021kz99.1 --as-model",
    ),
)
def command() -> None:
    """Show what a genie was told, said, called and answered, in order.

    With --as-model, what the model was sent instead: each request with its texts as they were sent,
    and which metadata values it held, which should be none.

    A verb after the ID gives something of it. All take --json and --home.
    """


@command.verb(
    "artifact",
    epilog=examples(
        "lampwork conversation c01m7wbx3ejz021kz99.1 artifact summary.txt --to july.txt"
    ),
)
@click.argument("name", type=completing.artifact)
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to; without it ./NAME, if there is no such file yet.",
)
def artifact(conversation_id: str, name: str, to: Path | None, options: Options) -> int:
    """Write the artifact NAME into a file; the last one, if its tasks have saved several."""
    file = to or Path(name)

    async def read(source: Source) -> tuple[FileView, bytes]:
        return await source.saved(conversation_id, name)

    facts, content = of_conversation(options, conversation_id, read)
    _write(file, content, replacing=to is not None)
    if options.as_json:
        output.say_json(to_json(facts) | {"file": str(file.resolve())})
    else:
        output.say(f"Wrote {file}  {facts.media_type}, {output.size(facts.size)}")
    return 0


@command.verb(
    "recording",
    epilog=examples("lampwork conversation c01m7wbx3ejz021kz99.1 recording --to refund.json"),
)
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to; without it it is printed.",
)
def recording(conversation_id: str, to: Path | None, options: Options) -> int:
    """Write the conversation as a recording, which testing.recorded(FILE) plays in a test."""

    async def read(source: Source) -> dict[str, Json]:
        return await source.recording(conversation_id)

    found = of_conversation(options, conversation_id, read)
    if to is None:
        output.say_json(found)
        return 0
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    _write(to, text.encode(), replacing=True)
    if options.as_json:
        output.say_json({"file": str(to.resolve())})
    else:
        output.say(f"Wrote {to}  {output.counted(len(found['tasks']), 'task')}")
    return 0


def _write(file: Path, content: bytes, *, replacing: bool) -> None:
    try:
        with file.open("wb" if replacing else "xb") as opened:
            opened.write(content)
    except FileExistsError:
        raise click.UsageError(f'There is a file "{file}" already. Say where: --to FILE') from None
    except OSError as error:
        raise click.UsageError(f'"{file}" can\'t be written: {error.strerror}.') from error


@command.verb("show", hidden=True)
@click.option("--as-model", is_flag=True, help="What the model was sent, request by request.")
def show(conversation_id: str, as_model: bool, options: Options) -> int:
    """Show the transcript."""
    if as_model:
        return _show_requests(options, conversation_id)

    async def details(source: Source) -> ConversationDetails:
        return await source.conversation(conversation_id)

    found = of_conversation(options, conversation_id, details)
    if options.as_json:
        output.say_json(to_json(found))
    else:
        for line in _lines(found):
            output.say(line)
    return 0


def _show_requests(options: Options, conversation_id: str) -> int:
    from lampwork.cli.conversation import as_model

    async def read(source: Source) -> tuple[ConversationDetails, tuple[RequestView, ...]]:
        requests = await source.requests(conversation_id)
        return await source.conversation(conversation_id), requests

    found, requests = of_conversation(options, conversation_id, read)
    if options.as_json:
        proofs = {task.task_id: to_json(task.proof) for task in found.task_records}
        output.say_json({"items": to_json(requests), "next": None, "proofs": proofs})
    else:
        for line in as_model.lines(found, requests):
            output.say(line)
    return 0


def _lines(found: ConversationDetails) -> Iterator[str]:
    whose = "Conversation" if found.user is None else f"Chat of {found.user}"
    yield f"{whose} {found.conversation_id}: {found.status}"
    turns = output.counted(found.turns, "turn")
    skill_calls = output.counted(found.skill_calls, "skill call")
    yield f"  {turns}, {skill_calls}, begun {output.local(found.created_at)}"
    for task in found.task_records:
        usage = f"  {output.used(task.usage)}" if task.usage else ""
        yield f"  task {task.task_id} of job {task.job}: {task.genie}, {task.status}{usage}"
        if task.budget is not None:
            yield f"    budget of {task.budget.task}: {output.budget(task.budget)}"
        if task.deadline is not None:
            yield f"    deadline {output.local(task.deadline)}"
    for part in found.transcript:
        yield from _part(part)
    if found.metadata:
        yield "\nMetadata: for the skills, from the record; Lampwork shows it to no model"
        for fact in found.metadata:
            sealed = ", sealed" if fact.sealed else ""
            yield f"  {fact.key} = {output.inline(fact.value)}  ({fact.task}{sealed})"
        for task in found.task_records:
            yield from _proof(task)


def _proof(task: TaskRecord) -> Iterator[str]:
    proof = task.proof
    if not proof.keys:
        return
    yield f"Proof of {task.task_id}: {proof}"
    for key, reads in proof.keys.items():
        by = ", ".join(f"{each.skill} ({each.call}, {output.local(each.at)})" for each in reads)
        yield f"  {key} was read by {by or 'no skill'}"
    for what, why in proof.not_scanned.items():
        yield f"  {what} was not scanned: {why}"


def _part(part: TranscriptPart) -> Iterator[str]:
    match part:
        case Told():
            yield from _told(part)
        case Summarised():
            yield f"\n{part.messages} messages summed up by {part.model}"
            yield output.indented(part.text)
        case Said(text=text) if text:
            yield f"\n{part.model} says\n{output.indented(text)}"
        case Said():
            pass
        case SkillCard():
            yield from _card(part)
        case Refusal():
            yield f"\n✗ {part.skill}({output.arguments(part.arguments)})  {part.verdict}"
            yield output.indented(part.reply, "    ")
        case RefusedAnswer():
            yield f"\n✗ Answer, not valid\n{output.indented(output.pretty(part.answer))}"
        case AskedAgain():
            yield "\nAsked again\n" + output.indented("\n".join(part.problems))
        case Unanswered():
            yield f"\nNo reply of the model: {part.why}"
            yield f"  counted as {output.used(part.usage)}"
        case TaskEnd():
            yield from _end(part)


def _told(told: Told) -> Iterator[str]:
    whose = f"Task for {told.genie}" if told.user is None else f"{told.user} to {told.genie}"
    yield f"\n{whose}  {output.local(told.at)}"
    yield output.indented(told.instructions)
    if told.data is not None:
        yield "  data\n" + output.indented(output.pretty(told.data), "    ")
    if told.on_problem:
        yield f"  on a problem: {told.on_problem}"
    yield from (f"  history: {kind} {count}" for kind, count in told.history.items())
    for file in told.files:
        notes = f"  ({'; '.join(file.notes)})" if file.notes else ""
        yield f"  file {_described(file)}{notes}"
    if told.skills:
        yield f"  skills: {', '.join(told.skills)}"
    yield from (f"  withheld: {skill}, because {why}" for skill, why in told.withheld.items())


def _card(card: SkillCard) -> Iterator[str]:
    mark = {"ok": "✓", "open": "●", "unknown": "?", "proposed": "…"}.get(card.status, "✗")
    took = "" if card.seconds is None else f"  {output.duration(card.seconds)}"
    yield f"\n{mark} {card.skill}({output.arguments(card.arguments)})  {card.status}{took}"
    attempts = "" if card.attempts is None else f", attempts {card.attempts}"
    yield f"    {card.effect}, key {card.key}{attempts}"
    if card.job is not None:
        yield f"    job {card.job}"
    if card.confirmation is not None:
        yield f"    {_confirmation(card.confirmation)}"
    for note in card.notes:
        because = f": {note['reason']}" if note.get("reason") else ""
        why = note.get("why") or f"did not happen, says {note.get('by')}{because}"
        yield f"    {output.local(note['at'])}  {note['note']}: {why}"
        if card.status != "ok":
            yield from _traceback(note)
    if card.error is not None:
        yield output.indented(card.error["message"], "    ")
        yield from _traceback(card.error)
    elif card.status == "ok":
        yield output.indented(output.pretty(card.result), "    ")
    yield from (f"    saved {_described(file)}" for file in card.artifacts)
    if card.source is not None:
        because = f": {card.reason}" if card.reason else ""
        assert card.ended_at is not None
        yield f"    {output.local(card.ended_at)}  says {card.source}{because}"


def _confirmation(asked: dict[str, Json]) -> str:
    if "verdict" not in asked:
        return f"{asked['user']} is asked to confirm it"
    reason = f": {asked['reason']}" if asked["reason"] else ""
    verdict = "confirmed" if asked["verdict"] == "approved" else asked["verdict"]
    return f"{verdict} by {asked['by']}{reason}"


def _described(file: FileView) -> str:
    return f"{file.name}  {file.media_type}, {output.size(file.size)}"


def _traceback(record: dict[str, Json]) -> Iterator[str]:
    if record.get("traceback"):
        yield output.indented(record["traceback"], "      ")


def _end(end: TaskEnd) -> Iterator[str]:
    if end.kind == "answered":
        by = "" if end.by is None else f", by {end.by}" + (f": {end.note}" if end.note else "")
        yield f"\nAnswer{by}\n{output.indented(output.pretty(end.output))}"
        if end.response not in (end.output, json.dumps(end.output, ensure_ascii=False)):
            yield output.indented(end.response)
        yield from (f"  with {_described(file)}" for file in end.artifacts)
        return
    yield f"\n{'Not completed' if end.kind == 'not_completed' else 'Failed'}\n  {end.reason}"
    yield from (f"  missing: {each}" for each in end.missing)
