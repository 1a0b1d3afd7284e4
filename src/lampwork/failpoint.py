"""Named points at which a test, or `./scripts/bench chaos`, can stop the process or raise.

Armed by `LAMPWORK_FAILPOINTS="name=kill@3,other=kill"` (kill with SIGKILL at the third hit) or by
`arm(name, action)` in the process itself. Unarmed and unwatched, a point costs two looks.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import NamedTuple

__all__ = [
    "POINTS",
    "POINTS_OF_ERASING",
    "POINTS_OF_PRUNING",
    "POINTS_OF_RESTORING",
    "Starting",
    "arm",
    "disarm",
    "hit",
    "watch",
]

POINTS = {
    "answer.appended": "a task has ended, and its answer is on disk",
    "artifact.saved": "an artifact of a skill call is on disk",
    "call.after": "a job call is done, and its result is not recorded yet",
    "call.before": "a job call is about to be done",
    "child.created": "child jobs are on disk, and not started yet",
    "confirmation.appended": "the user has confirmed a skill call, and its intent is on disk",
    "confirmation.decided": "the user has decided about a skill call, and nothing came of it yet",
    "files.taken": "the files of a task are on disk, and the task is not",
    "job.accepted": "a job from outside is on disk, and who asked for it has not been told",
    "job.after_publish": "the end of a job is on disk, and nobody has been told",
    "job.before_outcome": "a recipe has returned, and its outcome is not recorded yet",
    "job.before_publish": "the outcome of a job is recorded, and its end is not published yet",
    "job.begun": "a run of a job has begun, and none of its code has executed",
    "job.claimed": "the engine has handed out a job, and its run has not begun",
    "model.after": "a model has replied, and its response is not on disk",
    "model.before": "a model is about to be asked",
    "model.reserved": "a model call is reserved in its budgets",
    "park.committed": "a waiting job is parked on disk, and its run is still there",
    "park.done": "a waiting job is parked",
    "place.left": "a task that waits has left its place to others, and these have not been told",
    "place.taken": "a task has its place among those that its genie works on",
    "rate.taken": "a model may be asked, by the rate that its project has",
    "result.appended": "the result of a skill call is on disk",
    "said.appended": "a response of a model is on disk, with the intents of its skill calls",
    "skill.after_effect": "a skill has acted, and its result is not on disk",
    "skill.before_effect": "a skill is about to act, and its intent is on disk",
    "step.after_effect": "the function of a step has returned, and its result is not recorded",
    "step.before_effect": "the function of a step is about to be called",
    "store.after_commit": "changes are on disk, and who made them has not been told",
    "store.before_commit": "changes are about to be written",
    "task.claimed": "a task that had been begun is taken up again",
    "task.opened": "a task is on disk",
    "trigger.due": "a trigger is due, and its jobs are not on disk",
    "trigger.fired": "the jobs of a trigger are on disk, and not started yet",
    "wait.answered": "the answer of a wait has come, and the job goes on",
    "wait.opened": "a wait is on disk",
    "wake.committed": "a parked job is meant to run again, and does not yet",
    "wake.done": "a parked job is handed to the engine",
    "wake.forgotten": "the engine knows nothing of a job any more that is meant to run",
}
"""Every point of jobs, with what has happened when a process comes to it, and what has not."""

POINTS_OF_PRUNING = {
    "prune.taken": "jobs are gone, and what they leave behind is still there",
    "prune.quiet": "conversations are gone, and what was said in them is still there",
    "prune.recorded": "the engine's records of jobs that are gone are deleted",
    "prune.swept": "some of what they left behind is deleted",
    "prune.collected": "some blobs that nobody owns are deleted",
    "prune.compacted": "one file is smaller, and the other not yet",
}
"""Those of `lampwork prune`, which is a process of its own."""

POINTS_OF_ERASING = {
    "erase.removed": "some conversations of a person are gone, and what was said is still there",
    "erase.scrubbed": "some jobs of a person are tombstones, and what belonged to them is there",
    "prune.recorded": "the engine's records of such jobs are deleted",
    "prune.swept": "some of what they left behind is deleted",
    "erase.deleted": "all is deleted, and the files are as large as before",
    "prune.compacted": "one file is smaller, and the other not yet",
}
"""Those of `lampwork erase`."""


POINTS_OF_RESTORING = {"restore.moved": "one of the files of a backup is in its place"}
"""That of `lampwork restore`, a process of its own too."""


class Starting(NamedTuple):
    """What is about to be started where a point says that something will act."""

    job: str
    call: str
    """The number of the call in its job; of a skill call also its place in the conversation."""
    name: str
    effect: str
    key: str


_armed: dict[str, Callable[[], None]] = {}
_watching: Callable[[str, Starting | None], None] | None = None


def hit(name: str, starting: Starting | None = None) -> None:
    """Do what is armed at this point, if anything."""
    if _watching is not None:
        _watching(name, starting)
    if _armed and (action := _armed.get(name) or _armed.get("*")):
        action()


def watch(watcher: Callable[[str, Starting | None], None]) -> None:
    """Tell a watcher of every hit, until the process ends."""
    global _watching
    _watching = watcher


def arm(name: str, action: Callable[[], None]) -> None:
    """Run `action` at each hit of the point; the name `*` stands for all points."""
    _armed[name] = action


def disarm(name: str) -> None:
    """Forget what was armed."""
    _armed.pop(name, None)


def _kill_at(nth: int) -> Callable[[], None]:
    left = nth

    def count_down() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return count_down


def _arm_from_environment() -> None:
    for setting in filter(None, os.environ.get("LAMPWORK_FAILPOINTS", "").split(",")):
        name, _, action = setting.partition("=")
        _, _, nth = action.partition("@")
        arm(name, _kill_at(int(nth or 1)))


_arm_from_environment()
