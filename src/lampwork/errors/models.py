"""What keeps a genie from its model, a scripted one as well."""

from __future__ import annotations

from lampwork.errors.error import LampworkError


class ModelError(LampworkError):
    """The model can't be used."""

    status = 502


class ModelUnknown(ModelError):
    """The model id means nothing to the model layer."""

    status = 422


class ModelKeyMissing(ModelError):
    """The provider's key is not in the environment. Fields: `key_env`."""

    status = 422


class ModelUnavailable(ModelError):
    """No model answered usefully, after bounded retries and fallbacks.

    Fields: `model` (the genie's own), `attempts`, `error_type` and `status_code` of the last
    failure, `tried` (each model with its last error), `usage` (requests that may have cost).
    """


class PlaybookFailed(ModelError):
    """A playbook has raised, or decided what is no decision: it is to be mended.

    Fields: `playbook`, `error_type`. A playbook that plays a model which is down raises
    ModelUnavailable itself.
    """

    status = 500


class ContextTooLong(ModelError):
    """The request does not fit into the model.

    Fields: `model`, `models` (all that were asked), `parts` (the largest), `usage`.
    """

    status = 413


class LiveModelRefused(ModelError):
    """A test would have asked a model that is no playbook. Fields: `genie`, `model`."""

    status = 422


class ScriptEnded(ModelError):
    """A task of a test took more turns than its script has. Fields: `turns`."""

    status = 422


class ScriptCallInvalid(ModelError):
    """A test's script calls a skill that is not offered, or with arguments that don't fit it.

    Fields: `turn`, `skill`, `problems`.
    """

    status = 422


class RecordingDiffers(ModelError):
    """A test asks a recorded genie for what it was not asked then. Fields: `turn`, `problems`."""

    status = 422
