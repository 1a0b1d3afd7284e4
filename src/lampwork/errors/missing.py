"""What was named, and is not there."""

from __future__ import annotations

from lampwork.errors.error import LampworkError


class NotFound(LampworkError):
    """Something that was named does not exist, or belongs to another project."""

    status = 404


class RecipeNotFound(NotFound):
    """No such recipe in the project."""


class GenieNotFound(NotFound):
    """No such genie in the project."""


class GenieNotInProject(NotFound):
    """The genie belongs to another project."""


class JobNotFound(NotFound):
    """No such job."""


class ConversationNotFound(NotFound):
    """No such conversation, or one of another project."""


class WaitNotFound(NotFound):
    """Nothing waits under that id."""


class TaskNotFound(NotFound):
    """No such task."""


class ArtifactNotFound(NotFound):
    """No such artifact, or one of another project."""


class TriggerNotFound(NotFound):
    """The recipe has no such trigger, or has several and none was named. Fields: `known`."""


class AccountNotFound(NotFound):
    """No such account. Fields: `email`."""


class KeyNotFound(NotFound):
    """No such API key, or several of that name."""
