"""What the log says, and how its lines are written.

A line is a sentence with fields: `job j12 parked`, `extra={"event": "job.parked", …}`. Both name
ids, recipes, genies, skills, counts and classes of errors. They hold no value of a user's: no
input, metadata, argument or answer, and no message of an exception that a user's code, or a model's
service, has raised; those are on record. What a recipe gives to `job.log` is its own words.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
from datetime import UTC, datetime
from typing import Any, Literal

__all__ = ["EVENTS", "JsonLines", "LogFormat", "Sentences", "place_of", "writing"]

LogFormat = Literal["text", "json"]

EVENTS = {
    "blobs.not_collected": "what nobody needs any more could not be deleted; tried again later",
    "engine.coroutines_dropped": "when the process closed, some code did not end in time",
    "genie.not_eligible": "a genie would refuse every task in the background, and why",
    "job.alone": "a job runs alone, because its process has crashed while it executed",
    "job.alone_no_longer": "a job that runs alone takes its time, and the others go on beside it",
    "job.cancelled": "a job was cancelled",
    "job.event_passed_over": "an event is of another form than the job that waits for it takes",
    "job.failed": "a job has failed, with what class of error and where",
    "job.ignores_its_end": "a recipe catches what tells it that its run is over",
    "job.left": "an effect has not ended within the grace, and is left",
    "job.let_down": "the database, or the engine, let a job down; it is tried again",
    "job.log": "what a recipe said with `job.log`",
    "job.needs_attention": "a job can't go on without a person, and what to type",
    "job.needs_confirmation": "a skill call waits for its user's word",
    "job.needs_approval": "a plan waits for a person's approval",
    "job.parked": "a waiting job has left the memory",
    "job.succeeded": "a job has succeeded",
    "job.suspended": "all that a job does is to wait, and for what",
    "job.woken": "a parked job goes on",
    "model.failed": "a model did not answer usefully, after all its tries",
    "model.tried_again": "a model did not answer usefully, and is asked again",
    "people.sign_in_refused": "somebody could not sign in, and from which address",
    "playbook.raised": "the function that plays a genie has raised an error",
    "retention.failed": "what is old could not be deleted; tried again later",
    "retention.pruned": "what is older than the project keeps was deleted, and how much",
    "server.failed": "a request of the API met an error that is nobody's who asked",
    "server.hints_late": "the database is away, and who follows what happens hears of it later",
    "server.started": "a process serves the API of a project",
    "store.change_refused": "a change was wrong, and is undone alone",
    "store.commit_found": "a commit was answered with an error, and is on disk",
    "store.commit_refused": "the database did not take changes; who made them was told",
    "store.commit_unknown": "nobody knows whether a commit is on disk; the database is asked again",
    "store.failed": "the disk is full or failing: the process ends, nothing was acknowledged",
    "store.not_told": "the server does not tell what other processes write, and is asked instead",
    "sweep.failed": "one look at whether what is meant to happen does has failed",
    "task.answered": "a genie has answered, and what that took",
    "task.failed": "a task has ended without an answer, and what that took",
    "trigger.failed": "a trigger could not be looked at, or its function has failed",
    "trigger.fired": "a trigger has started jobs, or skipped what was due",
    "trigger.rejected": "items of a poll, a delivery or a call that can start no job",
    "worker.beat_failed": "the database did not take a heartbeat; the next one is tried",
    "worker.closing": "the process was told to end",
    "worker.found_gone": "others have found this process gone, and it begins anew",
    "worker.not_begun": "it could not begin anew, and tries again",
    "worker.gave_up": "the process closes without a server that does not answer",
    "worker.left_alone": "unfinished jobs that this process does not execute",
    "worker.others_gone": "others are gone without a word: their jobs go on",
    "worker.started": "a process executes the jobs of a project",
    "worker.work_failed": "something beside the jobs has failed; the next sweep makes good for it",
}
"""Every event, with what has happened."""

_STANDARD = frozenset(
    vars(logging.LogRecord("", 0, "", 0, "", (), None)) | {"message": None, "asctime": None}
)

_FRAME = re.compile(r'^ *File "(.*)", line (\d+)', re.MULTILINE)


def writing(form: LogFormat) -> logging.Formatter:
    """How lines of this form are written."""
    return JsonLines() if form == "json" else Sentences()


class Sentences(logging.Formatter):
    """For people: the time and the sentence."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s")


class JsonLines(logging.Formatter):
    """For programs: one JSON object a line, with the fields beside the sentence."""

    def __init__(self) -> None:
        super().__init__()
        self._process = {"host": socket.gethostname(), "pid": os.getpid()}

    def format(self, record: logging.LogRecord) -> str:
        """The line: `time`, `level`, `event`, `message`, `logger`, the process, as `lampwork
        workers` names it, and the record's own fields."""
        fields = {name: each for name, each in vars(record).items() if name not in _STANDARD}
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": fields.pop("event", None),
            "message": record.getMessage(),
            "logger": record.name,
            **self._process,
            **{name: each for name, each in fields.items() if each is not None},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def place_of(traceback: str | None) -> str | None:
    """Where the last frame of a recorded traceback is, as `file:line`."""
    frames = _FRAME.findall(traceback or "")
    return ":".join(frames[-1]) if frames else None
