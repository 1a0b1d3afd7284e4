"""Who plays which genie in a test: playbooks, and models of providers only where it says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lampwork.errors import InputInvalid, LiveModelRefused
from lampwork.genies.cast import Cast
from lampwork.genies.genie import Genie
from lampwork.genies.skill import Skill
from lampwork.models.ask import Ask, LanguageModel, Reply
from lampwork.models.playbook import Playbook
from lampwork.models.price import Price
from lampwork.models.resolve import Model, named, no_model
from lampwork.project import Project
from lampwork.testing.recording import Recording
from lampwork.testing.request import Request, Watched

__all__ = ["AnyModel", "TestCast"]

AnyModel = str | Model | Playbook


class TestCast(Cast):
    """Who plays which genie in a test; each model is watched."""

    __test__ = False  # for pytest, which takes classes of this name for tests

    def __init__(
        self,
        project: Project,
        models: Mapping[str, AnyModel],
        model: AnyModel | None,
        *,
        live: bool,
    ) -> None:
        """Raises GenieNotFound, InputInvalid."""
        super().__init__()
        self.requests: list[Request] = []
        _require_players(models, model)
        self.mistakes: list[Exception] = []
        """Of the test itself, and not told to it yet."""
        self._models = {project.find_genie(name).name: each for name, each in models.items()}
        self._model = model
        self._live = live

    def model_of(self, genie: Genie) -> LanguageModel:
        """The test's own for this genie, else the test's for all, else what the genie names."""
        return Watched(self._found(genie), genie.name, self.requests, self.mistakes)

    def raise_mistakes(self) -> None:
        """Raise the first one that was not told yet: LiveModelRefused, ScriptEnded,
        ScriptCallInvalid, RecordingDiffers, or the AssertionError of a playbook.
        """
        if self.mistakes:
            first = self.mistakes[0]
            self.mistakes.clear()
            raise first.with_traceback(None)

    def skills_of(self, genie: Genie) -> Sequence[Skill[..., Any]]:
        """Those of a genie that a recording plays, as they were recorded, if it is to."""
        player = self._models.get(genie.name, self._model)
        return player.stubs(genie) if isinstance(player, Recording) else genie.skills

    def _found(self, genie: Genie) -> LanguageModel:
        given = self._models.get(genie.name, self._model)
        if self._live:
            # LAMPWORK_MODEL stands in for genies' own, and not for what the test has named.
            return super().model_of(genie) if given is None else named(given)
        found = genie.model if given is None else given
        return found if isinstance(found, Playbook) else _Refused(genie.name, found)


def _require_players(models: Mapping[str, Any], model: Any) -> None:
    """Raise InputInvalid for what can play nobody."""
    if isinstance(model, Mapping):
        raise InputInvalid(
            "model= is one model for all genies that no other plays. Give models={…} for one by "
            "name each."
        )
    for given, argument in ((models, "models"), ({"": model}, "model")):
        for name, each in given.items():
            if each is None and argument == "model":
                continue
            if isinstance(each, AnyModel) or hasattr(each, "model_id"):  # pydantic-ai's own
                continue
            where = f'models["{name}"]' if name else argument
            raise InputInvalid(no_model(each, where))


@dataclass(frozen=True, slots=True)
class _Refused:
    """A provider's model in a test that asks none."""

    genie: str
    model: str | Model

    @property
    def name(self) -> str:
        return self.model if isinstance(self.model, str) else self.model.id

    uses_tokens = False
    counts_alike = True
    max_output_tokens = None
    sees = True
    paced_as = ()

    def check(self) -> None:
        raise LiveModelRefused(
            f'Genie "{self.genie}" would ask {self.name}, and a test asks no provider. Script it: '
            f'testing.opened(project, models={{"{self.genie}": testing.script(Answer(…))}}), '
            "or pass live_models=True.",
            genie=self.genie,
            model=self.name,
        )

    def price(self, input_tokens: int | None = None) -> Price | None:
        del input_tokens
        return None

    async def respond(self, ask: Ask) -> Reply:
        self.check()
        raise AssertionError
