"""What was given does not fit."""

from __future__ import annotations

from typing import Any

from lampwork.errors.error import LampworkError


class InputInvalid(LampworkError):
    """What was given does not fit the signature or the type. Fields: `problems`, texts."""

    status = 422

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message, **({"problems": [message]} | fields))


class DatabaseUrlInvalid(InputInvalid):
    """What names the database is no URL of one."""


class InstructionsMissing(InputInvalid):
    """A task without instructions."""


class MetadataUnknown(InputInvalid):
    """A metadata key that no skill of the genie declares. Fields: `key`, `known`."""


class MetadataInvalid(InputInvalid):
    """A metadata value that does not fit the type its skill declares. Fields: `key`."""


class OutputTypeInvalid(InputInvalid):
    """An output type that cannot be described to a model."""


class DelegationCycle(InputInvalid):
    """A genie is assigned a task below one of its own. Fields: `genies`, the chain by name."""


class DelegationTooDeep(InputInvalid):
    """Too many tasks, one below the other. Fields: `genies`, the chain by name."""


class GenieNotEligible(InputInvalid):
    """The genie has skills that take a user, and a background task has none. Fields: `reasons`."""


class TooManyFiles(InputInvalid):
    """More files than a task takes. Fields: `files`, how many there were."""


class FileRejected(InputInvalid):
    """A file that a task can't have. Fields: `file`, its name, `cap`, the limit that it broke."""


class ArtifactInvalid(InputInvalid):
    """An artifact that can't be saved: its name, its content or its media type."""


class BudgetNotEnforceable(InputInvalid):
    """A limit on money for a model whose price is not known. Fields: `model`."""


class BodyTooLarge(InputInvalid):
    """The body of a request has more than the server takes. Fields: `limit` in bytes, or `values`,
    how many it may have in its lists and objects."""

    status = 413


class BodyTooSlow(InputInvalid):
    """The body of a request did not come in time."""

    status = 408


class RangeInvalid(InputInvalid):
    """A range of bytes that a file does not have. Fields: `size`, of the file."""

    status = 416


class SeveralOrchestrations(InputInvalid):
    """A job stands for its orchestration, and this one has several.

    Fields: `orchestrations`, of each `orchestration_id`, `orchestrator`, `status`, `instructions`.
    """


class UserNotAllowed(LampworkError):
    """A chat, or a decision, that belongs to another user. Fields: `user`, who asked for it."""

    status = 403
