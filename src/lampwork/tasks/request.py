"""What is asked of the model in the next turn of a task."""

from __future__ import annotations

from lampwork.models.ask import Ask, Turn
from lampwork.tasks.task import TaskInHand

__all__ = ["request"]


def request(task: TaskInHand) -> Ask:
    """The next request of a task."""
    so_far, output, briefing = task.hold.transcript, task.output, task.briefing
    return Ask(
        task_id=task.hold.task_id,
        number=so_far.last_seq + 1,
        job_description=briefing.job_description,
        messages=so_far.messages,
        skills=briefing.skills,
        endings=briefing.endings,
        text_ends=output is None,
        wrapped=output is not None and output.wrapped,
        turn=Turn(
            instructions=task.assignment.instructions,
            data=so_far.data,
            files=so_far.files,
            skills=tuple(task.skills),
            results=so_far.results,
            number=so_far.turns + 1,
            feedback=so_far.feedback,
            on_problem=task.assignment.on_problem,
            history=so_far.history,
        ),
        on_text=task.hold.run.worker.texts.told_of(task.hold.conversation_id),
    )
