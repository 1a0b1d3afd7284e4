"""A job as a tree of lines: its calls, tasks and skill calls, and the jobs below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lampwork.cli import output
from lampwork.cli.options import Options
from lampwork.cli.working import code_changed
from lampwork.views import CallView, JobTree, JobView, Refusal, SkillCard, TaskView, WaitingOn

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
_ASK_PEOPLE = ("resolution", "confirmation", "approval")
_NOT_OVER = ("open", "unknown")


@dataclass(slots=True)
class Line:
    """A line with a mark, and the lines below it."""

    status: str
    text: str
    below: list[Line] = field(default_factory=list["Line"])
    stands_for_others: bool = False
    """Whether it says what is left out."""

    @property
    def mark(self) -> str:
        """The status as a sign."""
        return _MARKS.get(self.status, "●")

    @property
    def is_well(self) -> bool:
        """Whether it has ended, as it should."""
        return self.mark == "✓"

    @property
    def goes_on(self) -> bool:
        """Whether it, or something below it, executes."""
        return self.mark == "●" or any(each.goes_on for each in self.below)

    @property
    def count(self) -> int:
        """How many lines there are, with itself."""
        return 1 + sum(each.count for each in self.below)


def of_job(job: JobTree) -> Line:
    """A job and all below it."""
    waits = [Line("suspended", waits_for(wait)) for wait in job.waiting_on if wait.kind == "turn"]
    calls = [of_call(call) for call in job.calls]
    return Line(job.status, _job_text(job) + _reason(job), [*calls, *waits])


def _job_text(job: JobView) -> str:
    text = f"{job.job_id}  {job.title}  {job.status}"
    if job.started_at is not None:
        text += f"  {output.span(job.started_at, job.ended_at)}"
    return text + ("  (being cancelled)" if job.cancelling else "")


def _reason(job: JobTree) -> str:
    if job.status != "failed" or job.error is None:
        return ""
    return f"  {output.headline(job.error.message)}"


def of_call(call: CallView) -> Line:
    """A call and what it has started."""
    text = f"{call.number}  {call.kind} {call.name}"
    if call.jobs_total > 1:
        text += f"  {call.jobs_ended} of {call.jobs_total} ended"
    if call.jobs_failed:
        text += f"  {call.jobs_failed} failed"
    if call.started_at is not None and (call.ended_at or call.status in _NOT_OVER):
        text += f"  {output.span(call.started_at, call.ended_at)}"
    if call.error is not None:
        text += f"  {output.headline(call.error.message)}"
    elif call.blob is not None:
        text += f"  → a large value, {call.blob[:12]}"
    elif call.status == "ok" and call.kind not in ("task", "sleep", "map"):
        text += f"  → {output.inline(call.value)}"
    elif call.status == "cancelled":
        text += "  cancelled"
    if call.kept_from is not None:
        text += f"  (kept from job {call.kept_from})"
    jobs = {job.job_id: of_job(job) for job in call.jobs}
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
    lacks = [
        Line("queued", f"withheld: {skill}, because {why}") for skill, why in task.withheld.items()
    ]
    cards = [(card.seq, of_card(card, jobs)) for card in task.skill_calls]
    refused = [(each.seq, of_refusal(each)) for each in task.refused]
    calls = sorted([*refused, *cards], key=lambda placed: placed[0])
    return Line(task.status, text, [*lacks, *(line for _, line in calls)])


def of_refusal(refused: Refusal) -> Line:
    """A skill call that was not run."""
    text = f"{refused.skill}({output.arguments(refused.arguments, 40)})  {refused.verdict}"
    return Line("failed", f"{text}  {output.cut(refused.reply, 100)}")


def of_card(card: SkillCard, jobs: dict[str, Line]) -> Line:
    """A skill call."""
    text = f"{card.skill}({output.arguments(card.arguments, 40)})  {card.status}"
    if card.seconds is not None:
        text += f"  {output.duration(card.seconds)}"
    if card.error is not None:
        text += f"  {output.headline(card.error['message'])}"
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
            typed = (
                options.to_type("job", job_id, "resolve", wait.wait_id or "", *choice)
                for choice in (*choices, ("fail", "--reason", "TEXT"))
            )
            return [f"# look where it acts, {_trace(wait.subject or {})}, then:", *typed]
        case "confirmation":
            user = str((wait.subject or {})["user"])
            by = () if options.at_server is not None else ("--by", user)  # who has the key
            decide = [
                options.to_type("job", job_id, verb, wait.wait_id or "", *by)
                for verb in ("confirm", "reject")
            ]
            return [decide[0], f"{decide[1]} --reason TEXT"]
        case "approval":
            of = str((wait.subject or {})["orchestration"])
            choices = ((), ("approve",), ("reject", "--reason", "TEXT"), ("edit", "FILE"))
            look, *decide = (options.to_type("orchestration", of, *each) for each in choices)
            return [f"# look at it, {look}, then:", *decide]
        case "attention":
            beforehand = "# find out what ended its process, then:"
            if code_changed(wait.what):
                check = options.to_type("upgrade-check")
                beforehand = f"# mend its code, look at it with {check}, restart the worker, then:"
            return [beforehand, options.to_type("job", job_id, "go-on")]
        case "event":
            name = (wait.subject or {})["name"]
            return [options.to_type("job", job_id, "send", name, "JSON")]
        case "paused":
            return [options.to_type("genie", wait.genie or "", "start")]
        case _:
            return []


def _trace(subject: dict[str, Any]) -> str:
    """What an effect can be found by."""
    trace = f"for key {subject['key']}"
    if "begun_at" in subject:  # not of a question from before revision 0003
        trace += f", begun {output.local(datetime.fromtimestamp(subject['begun_at'], UTC))}"
    return trace


# --- in text ---


def plain(line: Line, depth: int = 0) -> Iterator[str]:
    """The lines, indented."""
    yield f"{'  ' * depth}{line.mark} {line.text}"
    for each in line.below:
        yield from plain(each, depth + 1)
