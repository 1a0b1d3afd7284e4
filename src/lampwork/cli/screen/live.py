"""The picture of a job that is waited for: short enough for a terminal, what goes on never cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from lampwork.cli import output
from lampwork.cli.screen.tree import Line
from lampwork.types import ENDED
from lampwork.views import CallView, JobTree, SkillCard, TaskView, WaitingOn

if TYPE_CHECKING:
    from rich.tree import Tree

Executing = Callable[[str], Sequence[str]]
"""Of a job, the calls that execute and are on no record yet."""

_STYLES = {"✓": "green", "✗": "red", "?": "yellow", "…": "cyan", "·": "dim", "●": "blue"}

_MOST = 12
"""Lines side by side that go on; of more, the first ones."""


def nothing(_job_id: str) -> Sequence[str]:
    """Of a job that executes in another process."""
    return ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A job and all below it, in lines."""

    root: str
    executing: Executing = nothing

    def of(self, job: JobTree) -> Line:
        """The job, with what it has cost so far."""
        line = self._job(job)
        used = output.used(job.usage) if job.usage else ""
        return replace(line, text=f"{line.text}  {used}".rstrip())

    def _job(self, job: JobTree) -> Line:
        id = job.job_id.removeprefix(self.root) or job.job_id
        parts = [id, _function(job.title), job.status.replace("_", " ")]
        if job.started_at is not None:
            parts.append(output.span(job.started_at, job.ended_at))
        if job.cancelling:
            parts.append("(being cancelled)")
        if job.status == "failed" and job.error is not None:
            parts.append(output.cut(job.error.message, 200))
        parts += [_since(wait) for wait in job.waiting_on if wait.kind in ("turn", "attention")]
        below = [] if _is_done(job) else [*self._calls(job)]
        return Line(job.status, "  ".join(parts), below)

    def _calls(self, job: JobTree) -> Iterator[Line]:
        waits = {wait.wait_id: wait for wait in job.waiting_on}
        known = {f"{call.kind} {call.name}" for call in job.calls if call.ended_at is None}
        for call in job.calls:
            yield self._call(call, waits.get(f"w{job.job_id[1:]}.{call.number}"))
        for each in self.executing(job.job_id):
            if each not in known:
                yield Line("running", _function(each))

    def _call(self, call: CallView, wait: WaitingOn | None) -> Line:
        parts = [f"{call.number}", f"{call.kind} {_function(call.name)}"]
        below = list(self._below(call))
        status: str = call.status
        if call.task is not None:
            parts += [call.task.status, *_used(call.task)]
            status = call.task.status
        if call.jobs_total > 1:
            parts.append(f"{call.jobs_ended} of {call.jobs_total} ended")
        if call.jobs_failed:
            parts.append(f"{call.jobs_failed} failed")
        if wait is not None and wait.kind == "event":
            status = "suspended"
            parts.append(f"waiting {output.span(wait.since)}")
        elif wait is not None and wait.kind not in ("child", "map"):
            status = "suspended"
            parts.append(_since(wait))
        elif call.status == "open" and below and not any(each.goes_on for each in below):
            status = "suspended"
        is_timed = call.ended_at is not None or call.status in ("open", "unknown")
        waits_itself = wait is not None and wait.kind not in ("child", "map")
        if call.started_at is not None and is_timed and not waits_itself:
            parts.append(output.span(call.started_at, call.ended_at))
        if call.error is not None:
            parts.append(output.cut(call.error.message, 200))
        elif call.status == "ok" and call.kind not in ("task", "sleep", "map") and not call.blob:
            parts.append(f"→ {output.inline(call.value, 60)}")
        return Line(status, "  ".join(parts), below)

    def _below(self, call: CallView) -> Iterator[Line]:
        jobs = {job.job_id: self._job(job) for job in call.jobs}
        if call.task is not None and call.task.ended_at is None:
            for card in call.task.skill_calls:
                started = jobs.pop(card.job or "", None)
                yield Line(card.status, _card(card), [started] if started is not None else [])
        yield from jobs.values()
        if more := call.jobs_total - len(call.jobs):
            ended = call.jobs_ended - sum(job.ended_at is not None for job in call.jobs)
            yield Line("queued", _more(ended, more - ended), stands_for_others=True)


def _is_done(job: JobTree) -> bool:
    return job.status in ENDED and job.parent is not None


def _function(name: str) -> str:
    """A function of some module, without the module."""
    kind, _, named = name.rpartition(" ")
    return f"{kind} {named.rpartition(':')[2]}".strip()


def _since(wait: WaitingOn) -> str:
    text = f"waits for {wait.what}, for {output.span(wait.since)}"
    return text if wait.until is None else f"{text}, until {output.local(wait.until)}"


def _used(task: TaskView) -> Iterator[str]:
    if task.answered_by is not None:
        yield f"by {task.answered_by}"
    if task.usage:
        yield output.used(task.usage)


def _card(card: SkillCard) -> str:
    text = f"{card.skill}({output.arguments(card.arguments, 40)})"
    if card.status not in ("ok", "open"):
        text += f"  {card.status}"
    if card.seconds is not None or card.status == "open":
        text += (
            f"  {output.span(card.at) if card.seconds is None else output.duration(card.seconds)}"
        )
    if card.error is not None:
        return f"{text}  {output.cut(card.error['message'], 100)}"
    return f"{text}  → {output.inline(card.result, 60)}" if card.status == "ok" else text


def _more(ended: int, to_come: int) -> str:
    parts = [f"{ended} more ended"] if ended else []
    parts += [f"{to_come} to come"] if to_come else []
    return ", ".join(parts)


# --- made to fit ---


def fitted(line: Line, height: int) -> Line:
    """The line with so many at the most, itself included; what goes on is left out last."""
    for narrow in (_as_it_is, _without_what_is_below_ended, _ended_as_one):
        line = narrow(line)
        if line.count <= height:
            return line
    for most in range(_MOST, 0, -1):
        shown = _first(line, most)
        if shown.count <= height:
            return shown
    return _top(_first(line, 1), height)


def _as_it_is(line: Line) -> Line:
    return line


def _without_what_is_below_ended(line: Line) -> Line:
    below = [replace(each, below=[]) if each.is_well else each for each in line.below]
    return replace(line, below=list(map(_without_what_is_below_ended, below)))


def _ended_as_one(line: Line) -> Line:
    """Each group of lines side by side that have ended well as one of them."""
    below: list[Line] = []
    for is_well, group in groupby(line.below, key=lambda each: each.is_well):
        lines = list(group)
        if is_well and len(lines) > 1:
            below.append(Line("ok", f"{len(lines)} that ended", stands_for_others=True))
        else:
            below += map(_ended_as_one, lines)
    return replace(line, below=below)


def _first(line: Line, most: int) -> Line:
    others = [each for each in line.below if each.stands_for_others]
    own = [each for each in line.below if not each.stands_for_others]
    below = [_first(each, most) for each in own[:most]]
    return replace(line, below=[*below, *_note(own[most:]), *others])


def _note(left_out: Sequence[Line]) -> Iterable[Line]:
    """What stands for lines that are left out."""
    if left_out:
        faults = sum(each.mark in "✗?" for each in left_out)
        which = f"and {len(left_out)} more like this"
        text = f"{which}, {faults} in trouble" if faults else which
        yield Line(left_out[0].status, text, stands_for_others=True)


def _top(line: Line, height: int) -> Line:
    """The first lines from the top, as deep as they go."""
    below: list[Line] = []
    room = height - 1
    for each in line.below:
        if room < 1:
            break
        below.append(_top(each, room))
        room -= below[-1].count
    return replace(line, below=below)


# --- drawn ---


def drawn(line: Line) -> Tree:
    """The lines for a terminal, each cut to its width."""
    from rich.text import Text
    from rich.tree import Tree

    def label(each: Line) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"{output.clean(each.mark)} ", _STYLES[each.mark])
        return text.append(output.clean(each.text))

    def add(tree: Tree, each: Line) -> None:
        for below in each.below:
            add(tree.add(label(below)), below)

    tree = Tree(label(line), guide_style="dim")
    add(tree, line)
    return tree
