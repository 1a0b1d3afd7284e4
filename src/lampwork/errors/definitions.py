"""What is wrong in a project's code."""

from __future__ import annotations

from lampwork.errors.error import LampworkError


class ProjectError(LampworkError):
    """A definition in the project's code is wrong."""

    status = 500


class DuplicateName(ProjectError):
    """Two recipes, genies or skills of one project share a name."""


class ProjectNotFound(ProjectError):
    """The path or module holds no project, or more than one."""

    status = 404


class NotImportable(ProjectError):
    """A function that must be found again by name, `module:name`, can't be: a lambda, a closure."""


class SkillInvalid(ProjectError):
    """A skill whose signature cannot be turned into a schema, or whose options contradict."""


class ExtraMissing(LampworkError):
    """What was asked for needs packages that are not installed. Fields: `extra`."""


class TriggerInvalid(ProjectError):
    """A trigger that could never start its recipe. Fields: `recipe`, `place` (file and line)."""


class RetentionInvalid(ProjectError):
    """A length of time that is none, or conversations that would go before their jobs."""


class AddressInUse(LampworkError):
    """The server can't listen at its address. Fields: `host`, `port`."""
