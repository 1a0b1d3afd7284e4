"""What is asked of the model in the next turn of a task."""

from __future__ import annotations

from lampwork.models.ask import Ask, Described, Turn
from lampwork.tasks.task import TaskInHand

__all__ = ["request"]


_CANNOT_COMPLETE = Described(
    "cannot_complete",
    "End the task without an answer, when it can't be completed honestly. Never invent an answer.",
    {
        "type": "object",
        "properties": {
            "reason": {"type": "string", "description": "Why it can't be completed."},
            "missing": {
                "type": "array",
                "items": {"type": "string"},
                "description": "What would have been needed.",
            },
        },
        "required": ["reason", "missing"],
        "additionalProperties": False,
    },
)


def request(task: TaskInHand) -> Ask:
    """The next request of a task."""
    so_far, output = task.hold.transcript, task.output
    endings = (_CANNOT_COMPLETE,)
    if output is not None:
        answer = Described("answer", "Give your answer and end the task.", output.parameters)
        endings = (answer, _CANNOT_COMPLETE)
    return Ask(
        task_id=task.hold.task_id,
        number=so_far.last_seq + 1,
        job_description=task.genie.job_description,
        messages=so_far.messages,
        skills=tuple(skill.described for skill in task.skills.values()),
        endings=endings,
        text_ends=output is None,
        wrapped=output is not None and output.wrapped,
        turn=Turn(
            instructions=task.assignment.instructions,
            data=task.assignment.data,
            files=so_far.files,
            skills=tuple(task.skills),
            results=tuple(so_far.results),
            number=so_far.turns + 1,
            feedback=so_far.feedback,
            on_problem=task.assignment.on_problem,
            history=so_far.history,
        ),
        on_text=task.hold.run.worker.texts.tell,
    )
