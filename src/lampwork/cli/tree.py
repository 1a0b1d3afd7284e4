"""A job as a tree of lines: its calls, tasks and skill calls, and the jobs below it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lampwork.cli import output
from lampwork.cli.options import Options
from lampwork.insights import CallView, JobTree, JobView, SkillCard, TaskView, WaitingOn

if TYPE_CHECKING:
    from rich.tree import Tree

Executing = Callable[[str], Sequence[str]]
"""Of a job, the calls that execute and are on no record yet."""

_MARKS = {
    "ok": "✓",
    "succeeded": "✓",
    "answered": "✓",
    "failed": "✗",
    "error": "✗",
    "cancelled": "✗",
    "unknown": "?",
    "needs_attention": "?",
    "suspended": "…",
    "waiting": "…",
    "proposed": "…",
    "rejected": "✗",
    "queued": "·",
}
_ASK_PEOPLE = ("resolution", "confirmation")
_NOT_OVER = ("open", "unknown")
_STYLES = {"✓": "green", "✗": "red", "?": "yellow", "…": "cyan", "·": "dim", "●": "blue"}


@dataclass(slots=True)
class Line:
    """A line with a mark, and the lines below it."""

    status: str
    text: str
    below: list[Line] = field(default_factory=list["Line"])

    @property
    def mark(self) -> str:
        """The status as a sign."""
        return _MARKS.get(self.status, "●")


def nothing(_job_id: str) -> Sequence[str]:
    """Of a job that executes in another process."""
    return ()


def of_job(job: JobTree, executing: Executing = nothing, *, in_full: bool = True) -> Line:
    """A job and all below it; unless `in_full`, the jobs below that have ended without theirs."""
    calls = [of_call(call, executing, in_full=in_full) for call in job.calls]
    known = {f"{call.kind} {call.name}" for call in job.calls if call.status in _NOT_OVER}
    calls += [Line("running", each) for each in executing(job.job_id) if each not in known]
    waits = [Line("suspended", waits_for(wait)) for wait in job.waiting_on if wait.kind == "turn"]
    return Line(job.status, _job_text(job) + _reason(job), [*calls, *waits])


def _job_text(job: JobView) -> str:
    text = f"{job.job_id}  {job.title}  {job.status}"
    if job.started_at is not None:
        text += f"  {output.span(job.started_at, job.ended_at)}"
    return text + ("  (being cancelled)" if job.cancelling else "")


def _reason(job: JobTree) -> str:
    if job.status != "failed" or job.error is None:
        return ""
    return f"  {output.cut(job.error.message, 200)}"


def of_call(call: CallView, executing: Executing = nothing, *, in_full: bool = True) -> Line:
    """A call and what it has started."""
    text = f"{call.number}  {call.kind} {call.name}"
    if call.jobs_total > 1:
        text += f"  {call.jobs_ended} of {call.jobs_total} ended"
    if call.started_at is not None and (call.ended_at or call.status in _NOT_OVER):
        text += f"  {output.span(call.started_at, call.ended_at)}"
    if call.error is not None:
        text += f"  {output.cut(call.error.message, 200)}"
    elif call.blob is not None:
        text += f"  → a large value, {call.blob[:12]}"
    elif call.status == "ok" and call.kind not in ("task", "sleep", "map"):
        text += f"  → {output.inline(call.value)}"
    if call.kept_from is not None:
        text += f"  (kept from job {call.kept_from})"
    jobs = {
        job.job_id: of_job(job, executing, in_full=in_full)
        if in_full or job.ended_at is None
        else Line(job.status, _job_text(job) + _reason(job))
        for job in call.jobs
    }
    below = [of_task(call.task, jobs)] if call.task is not None else []
    below += jobs.values()
    if len(call.jobs) < call.jobs_total:
        below.append(Line("queued", f"and {call.jobs_total - len(call.jobs)} more"))
    return Line(call.status, text, below)


def of_task(task: TaskView, jobs: dict[str, Line]) -> Line:
    """A task and its skill calls, each with the one of the `jobs` that it started, taken out."""
    by = "" if task.answered_by is None else f" by {task.answered_by}"
    text = f"{task.task_id}  {task.status}{by}  conversation {task.conversation_id}"
    text += f"  {output.span(task.created_at, task.ended_at)}  {output.used(task.usage)}"
    return Line(task.status, text, [of_card(card, jobs) for card in task.skill_calls])


def of_card(card: SkillCard, jobs: dict[str, Line]) -> Line:
    """A skill call."""
    text = f"{card.skill}({output.arguments(card.arguments, 40)})  {card.status}"
    if card.seconds is not None:
        text += f"  {output.duration(card.seconds)}"
    if card.error is not None:
        text += f"  {output.cut(card.error['message'], 100)}"
    elif card.status == "ok":
        text += f"  → {output.inline(card.result, 60)}"
    started = jobs.pop(card.job or "", None)
    return Line(card.status, text, [started] if started is not None else [])


# --- what is waited for ---


def waits_for(wait: WaitingOn) -> str:
    """One thing that is waited for, since when and until when."""
    if wait.kind == "attention":  # sentences
        return f"a person, for {output.span(wait.since)}: {wait.what}"
    text = f"{wait.what}, for {output.span(wait.since)}"
    if wait.until is not None:
        text += f", until {output.local(wait.until)}"
    return text + (f"  ({wait.wait_id})" if wait.kind in _ASK_PEOPLE else "")


def each_wait(job_id: str, waits: Sequence[WaitingOn]) -> Iterator[tuple[str, WaitingOn]]:
    """Every wait, down through the child jobs, with the job whose own it is."""
    for wait in waits:
        yield job_id, wait
        yield from each_wait(wait.job or job_id, wait.waiting_on)


def remedies(options: Options, job_id: str, wait: WaitingOn) -> list[str]:
    """What to type about a wait: a line for each choice, as a shell takes it."""
    match wait.kind:
        case "resolution":
            choices = (("happened", "--result", "JSON"), ("did_not_happen",))
            return [
                options.to_type("job", job_id, "resolve", wait.wait_id or "", *choice)
                for choice in (*choices, ("fail", "--reason", "TEXT"))
            ]
        case "confirmation":
            by = str((wait.subject or {})["user"])
            decide = [
                options.to_type("job", job_id, verb, wait.wait_id or "", "--by", by)
                for verb in ("confirm", "reject")
            ]
            return [decide[0], f"{decide[1]} --reason TEXT"]
        case "attention":
            go_on = options.to_type("job", job_id, "go-on")
            return [
                "# mend its code, look at it with lampwork upgrade-check, and restart the worker; "
                "then:",
                go_on,
            ]
        case "event":
            name = (wait.subject or {})["name"]
            return [options.to_type("job", job_id, "send", name, "JSON")]
        case "paused":
            return [options.to_type("genie", wait.genie or "", "start")]
        case _:
            return []


# --- drawn ---


def plain(line: Line, depth: int = 0) -> Iterator[str]:
    """The lines, indented."""
    yield f"{'  ' * depth}{line.mark} {line.text}"
    for each in line.below:
        yield from plain(each, depth + 1)


def rich_tree(line: Line) -> Tree:
    """The lines for a terminal."""
    from rich.text import Text
    from rich.tree import Tree

    def label(each: Line) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"{each.mark} ", _STYLES[each.mark])
        return text.append(output.clean(each.text))

    def add(drawn: Tree, each: Line) -> None:
        for below in each.below:
            add(drawn.add(label(below)), below)

    drawn = Tree(label(line), guide_style="dim")
    add(drawn, line)
    return drawn
