"""What jobs wait for, down through their children to the event, the clock or the person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lampwork.store.jobs import limits
from lampwork.store.lists import queries
from lampwork.types import ENDED, Json
from lampwork.views import WaitingOn, moment, moment_or_none
from lampwork.views.jobs import title_of

if TYPE_CHECKING:
    import sqlalchemy as sa

_SHOWN_OF_MAP = 3
"""Unfinished items of a map whose own waits are shown."""

_DEEPEST = 20
"""Levels of child jobs."""

_SHORT = 80


@dataclass(slots=True)
class _Found:
    """What was read of the jobs at hand and of the unfinished ones below them."""

    jobs: dict[str, queries.Row] = field(default_factory=dict[str, queries.Row])
    waits: dict[str, list[queries.Row]] = field(default_factory=lambda: defaultdict(list))
    words: dict[str, list[queries.Row]] = field(default_factory=lambda: defaultdict(list))
    tasks: dict[str, list[queries.Row]] = field(default_factory=lambda: defaultdict(list))
    children: dict[tuple[str, int], list[str]] = field(default_factory=lambda: defaultdict(list))
    lines: dict[str, limits.InLine] = field(default_factory=dict[str, limits.InLine])
    counts: dict[tuple[str, int], tuple[int, int, int]] = field(
        default_factory=dict[tuple[str, int], tuple[int, int, int]]
    )


def waiting_on(
    connection: sa.Connection, rows: Sequence[queries.Row]
) -> Mapping[str, tuple[WaitingOn, ...]]:
    """By job id, what each of these jobs waits for."""
    found = _read(connection, rows)
    return {row.id: tuple(_of_job(found, row)) for row in rows}


def _read(connection: sa.Connection, rows: Sequence[queries.Row]) -> _Found:
    found = _Found()
    level = [row for row in rows if row.status not in ENDED]
    for _ in range(_DEEPEST):
        ids = [row.id for row in level if row.id not in found.jobs]
        if not ids:
            break
        found.jobs |= {row.id: row for row in level}
        for wait in queries.open_waits(connection, ids):
            found.waits[wait.job_id].append(wait)
        asked = [row.id for row in level if row.status == "needs_attention"]
        for word in queries.words_not_taken(connection, asked) if asked else ():
            found.words[word.job_id].append(word)
        for task in queries.tasks_of(connection, ids):
            if task.ended_at is None:
                found.tasks[task.job_id].append(task)
        level = queries.children(connection, ids, each=_SHOWN_OF_MAP, unfinished=True)
        for child in level:
            found.children[child.parent_id, child.parent_call].append(child.id)
        for place in limits.in_line(connection, ids):
            found.lines[place.holder] = place
        if any(child.position is not None for child in level):
            found.counts |= queries.counts_of_children(connection, ids)
    return found


def _of_job(found: _Found, row: queries.Row) -> list[WaitingOn]:
    if row.status in ENDED:
        return []
    if row.want == "attention":
        why = row.attention or "a person must look"
        return [WaitingOn(kind="attention", what=why, since=moment(row.changed_at))]
    if row.want == "held":
        since = moment(row.created_at)
        return [WaitingOn(kind="turn", what="a place under its map's limit", since=since)]
    stands = row.status == "queued" or not found.waits[row.id]
    if stands and row.id in found.lines:
        since = moment(row.created_at)
        return [WaitingOn(kind="turn", what=_turn(row, found.lines[row.id]), since=since)]
    tasks = {task.call: task for task in found.tasks[row.id]}
    waits = found.waits[row.id]
    waiting_tasks = {wait.call for wait in (*waits, *found.words[row.id])}
    working = [task for call, task in tasks.items() if call not in waiting_tasks]
    return [
        *(_of_wait(found, wait, tasks.get(wait.call)) for wait in waits),
        *(_of_word(word, tasks.get(word.call)) for word in found.words[row.id]),
        *(_of_task(task) for task in working),
    ]


def _of_word(word: queries.Row, task: queries.Row | None) -> WaitingOn:
    """A person's word that waits for a process to take it up."""
    said = {"by": word.source, "at": word.at} | word.value
    verdict = str(said["resolution"]).replace("_", " ")
    because = f", because {said['reason']}" if said.get("reason") else ""
    what = f"a worker to take up what {word.source} has said of {_effect(word.subject)}"
    return WaitingOn(
        kind="answered",
        what=f"{what}: {verdict}{because}",
        since=moment(word.at),
        wait_id=word.id,
        task=None if task is None else task.id,
        genie=None if task is None else task.genie,
        subject=word.subject | {"said": said},
    )


def _of_task(task: queries.Row) -> WaitingOn:
    return WaitingOn(
        kind="task",
        what=f'genie {task.genie}: "{_short(task.instructions)}"',
        since=moment(task.created_at),
        task=task.id,
        genie=task.genie,
    )


def _of_wait(found: _Found, wait: queries.Row, task: queries.Row | None) -> WaitingOn:
    job: str | None = None
    below: list[WaitingOn] = []
    metadata = None if task is None else _metadata(wait, task)
    match wait.kind:
        case "child":
            job = wait.subject["job"]
            child = found.jobs.get(job or "")
            below = _of_job(found, child) if child is not None else []
        case "map":
            below = [_of_item(found, each) for each in found.children[wait.job_id, wait.call]]
        case _:
            pass
    return WaitingOn(
        kind=wait.kind,
        what=_in_words(found, wait, task, metadata),
        since=moment(wait.opened_at),
        until=moment_or_none(wait.due_at),
        wait_id=wait.id,
        task=None if task is None else task.id,
        genie=wait.subject.get("genie") if task is None else task.genie,
        job=job,
        subject=wait.subject,
        metadata=metadata,
        waiting_on=tuple(below),
    )


def _metadata(wait: queries.Row, task: queries.Row) -> dict[str, Json] | None:
    """Of a skill call that people decide on: its task's, or what it will be handed."""
    match wait.kind:
        case "resolution":
            return task.metadata
        case "confirmation":
            return {name: task.metadata[name] for name in wait.subject["metadata"]}
        case _:
            return None


def _of_item(found: _Found, job_id: str) -> WaitingOn:
    child = found.jobs[job_id]
    return WaitingOn(
        kind="child",
        what=f"job {child.id} ({child.callable})",
        since=moment(child.created_at),
        job=child.id,
        waiting_on=tuple(_of_job(found, child)),
    )


def _in_words(
    found: _Found, wait: queries.Row, task: queries.Row | None, metadata: dict[str, Json] | None
) -> str:
    subject: dict[str, Json] = wait.subject
    match wait.kind:
        case "event":
            return f'event "{subject["name"]}"'
        case "timer":
            return f"time: {subject['name']}"
        case "child":
            title = title_of(subject["callable"], None if task is None else task.genie)
            return f"job {subject['job']} ({title})"
        case "map":
            none = (subject["items"], 0, 0)
            total, ended, _ = found.counts.get((wait.job_id, wait.call), none)
            return f"{total - ended} of {total} items of {subject['callable']}"
        case "conversation":
            return f"conversation {subject['conversation']}, which another task holds"
        case "place":
            most = subject["max_concurrent_tasks"]
            tasks = "the one task" if most == 1 else f"the {most} tasks"
            place = found.lines.get(wait.task_id)
            line = "" if place is None else f", {place.before} before it"
            return f"a place among {tasks} that genie {subject['genie']} works on at a time{line}"
        case "endpoint":
            why = f", {subject['why']}" if subject["why"] else ""
            return f"the endpoint {subject['url']}{why}"
        case "rate":
            return f"the rate of {subject['name']}"
        case "paused":
            because = f": {subject['why']}" if subject["why"] else ""
            return f"genie {subject['genie']}, paused by {subject['by']}{because}"
        case "resolution":
            about = f" for {_facts(metadata)}" if metadata else ""
            return f"whether {_effect(subject)}{about} happened: {subject['why']}"
        case "confirmation":
            about = f" for {_facts(metadata)}" if metadata else ""
            return f"{subject['user']} to confirm {_effect(subject)}{about}"
        case "approval":
            return _approval(subject)
        case kind:
            return kind


def _approval(subject: dict[str, Json]) -> str:
    """The plan that a person is to approve."""
    count = len(subject["subtasks"])
    what = {
        "plan": f"the plan of {subject['orchestrator']}, {count} subtasks",
        "revise": f"a revision of the plan of {subject['orchestrator']}",
        "delegate": f"the agent that {subject['orchestrator']} has chosen",
    }[subject["verb"]]
    why = f", since {subject['why']}" if subject["why"] else ""
    return f"a person to approve {what}{why}"


def _turn(row: queries.Row, place: limits.InLine) -> str:
    """What a job waits for whose recipe is limited."""
    if not place.ordered:
        jobs = "the one job" if place.most == 1 else f"the {place.most} jobs"
        return (
            f"a place among {jobs} of {row.callable} that run at a time, {place.before} before it"
        )
    first = f": job {place.first} is first" if place.first else ""
    return f"its turn among the jobs of {row.callable}, {place.before} before it{first}"


def _effect(subject: dict[str, Any]) -> str:
    if "skill" not in subject:
        return f"step {subject['step']}"
    return f"{subject['skill']}({_facts(subject['arguments'])})"


def _facts(named: dict[str, Json]) -> str:
    return _short(", ".join(f"{name}={value!r}" for name, value in named.items()))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHORT else f"{line[: _SHORT - 1]}…"
