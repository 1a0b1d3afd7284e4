"""What can't be done in the state that things are in."""

from __future__ import annotations

from lampwork.errors.error import LampworkError


class Conflict(LampworkError):
    """It can't be done in the state that things are in."""

    status = 409


class IdempotencyConflict(Conflict):
    """The idempotency key was used within 24 hours with another body. Fields: `job_id`."""


class AlreadyAnswered(Conflict):
    """The wait has its answer; the first one counts. Fields: `source`, who answered."""


class JobEnded(Conflict):
    """The job has ended, or is being cancelled; it takes no events, answers or cancellation.

    Fields: `job_status`.
    """


class ConversationBusy(Conflict):
    """Another task holds the conversation, and waiting was not wanted or would never end."""


class CopyRefused(Conflict):
    """No such copy of the job can be made now. Fields: `root`, the job at the top of its tree."""


class GenieInactive(Conflict):
    """The genie is paused and takes no new tasks. Fields: `genie`, `by`, `why`."""


class TaskNotWaiting(Conflict):
    """The task is being worked on, so nobody can answer it in the genie's place."""


class ProposalChanged(Conflict):
    """What was decided is not what is proposed now. Fields: `digest`, of what is."""


class SubtaskSettled(Conflict):
    """Nothing can be done by hand about a subtask now. Fields: `subtask_status`."""


class OrderCycle(Conflict):
    """A job that keeps strict order would wait for one that waits for it.

    Fields: `recipe`, `job_id` (of the job that it would wait for).
    """


class QueueFull(Conflict):
    """As many jobs of the project wait to begin as may. Fields: `max_queued`."""

    status = 429


class ErasureRefused(Conflict):
    """What is to be erased has unfinished work. Fields: `jobs`, the roots of the trees."""


class TriggerPaused(Conflict):
    """What came to a webhook or an endpoint that is paused. Fields: `by`."""

    status = 503


class JobErased(Conflict):
    """What the job was given and returned was erased, with what belonged to it."""

    status = 410


class AccountExists(Conflict):
    """Somebody has an account with that e-mail address already. Fields: `email`."""


class LastAdmin(Conflict):
    """Over HTTP, what would leave a server without an active admin. Fields: `email`."""
