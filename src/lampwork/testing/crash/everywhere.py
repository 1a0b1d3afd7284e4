"""The crash test of a recipe: killed at every boundary, and compared with a run that was not."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic_core import to_jsonable_python

from lampwork.errors import CrashTestFailed, InputInvalid
from lampwork.models.playbook import Playbook
from lampwork.recipe import Recipe, bind_input
from lampwork.testing.crash.boundary import chosen
from lampwork.testing.crash.effect import Probe
from lampwork.testing.crash.nursery import Nursery, Players
from lampwork.testing.crash.place import place_of, project_of
from lampwork.testing.crash.report import CrashReport
from lampwork.testing.crash.trial import Expected, Resolve, Trial

__all__ = ["crash_everywhere"]


def crash_everywhere(
    recipe: Recipe[..., Any],
    /,
    *,
    input: Mapping[str, Any] | None = None,
    effects: Probe | None = None,
    reset: Callable[[], object] | None = None,
    models: Mapping[str, Playbook] | None = None,
    model: Playbook | None = None,
    live_models: bool = False,
    events: Mapping[str, Any] | None = None,
    resolve: Resolve | None = None,
    compare: Callable[[Any], Any] | None = None,
    expect: Expected = "succeeded",
    only: str | None = None,
    at_most: int | None = None,
    seed: int = 0,
    timeout: float = 30.0,
    progress: Callable[[str], object] | None = None,
) -> CrashReport:
    """Kill a process at every boundary of a recipe, and see that nothing is lost or doubled.

    >>> testing.crash_everywhere(refund, input={"account": "DE-44-7117"}, effects=bookings)

    A child process executes the recipe undisturbed, and the boundaries that it comes to are
    recorded. Then, for each of them, processes execute it in a folder of its own: the first one is
    killed there (SIGKILL), and the next ones go on until the job has ended. It must end with the
    same output, with the same jobs below it, and with the same effects.

    `effects` gives what has happened in the world: a list of `Effect`, or of texts for those
    without a key, in the same words in each run. `reset` puts the world back before each run.
    `models` and `model` play genies as in `opened`; they, the recipe and its project must be at the
    top of a module. `events` are sent to jobs that wait for them, by name. Of an unknown outcome
    `resolve` says what became of it, or else `effects` does, by its key. `compare` makes of an
    output what is compared, where outputs may differ. A job that fails when nothing is killed
    can't be tested, unless that is meant: `expect="failed"`.

    `only="skill.after_effect#2"` tries that boundary alone, `at_most` a sample of so many, by
    `seed`. A process that takes longer than `timeout` seconds has failed. `progress` is told of
    each boundary, on the standard error without it.

    Raises CrashTestFailed with what was found, InputInvalid, NotImportable.
    """
    _refuse_event_loop()
    test = Trial(
        recipe=recipe,
        input=bind_input(recipe.fn, (), dict(input or {})),
        effects=effects,
        reset=reset or (lambda: None),
        events={name: to_jsonable_python(each) for name, each in (events or {}).items()},
        resolve=resolve,
        compare=compare or (lambda output: output),
        expect=expect,
        timeout=timeout,
        say=progress or (lambda line: print(line, file=sys.stderr, flush=True)),
    )
    players = _players(recipe, models or {}, model, live=live_models)
    report = _tried(test, players, only=only, at_most=at_most, seed=seed)
    if report.failed:
        raise _failed(report)
    return report


def _tried(
    test: Trial, players: Players, *, only: str | None, at_most: int | None, seed: int
) -> CrashReport:
    """What came of a run that nothing disturbed, and of one for each boundary that it came to."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lampwork-crash-test-")))
        nurseries = [
            stack.enter_context(Nursery(players, folder, hash_seed=(2 * seed + each) % 2**32))
            for each in (1, 2)
        ]
        for nursery in nurseries:
            nursery.ready()
        test.settle_in(folder, nurseries)
        hits = test.record()
        boundaries = chosen(hits, only=only, at_most=at_most, seed=seed)
        crashes = [
            test.crash(each, f"{nth} of {len(boundaries)}")
            for nth, each in enumerate(boundaries, start=1)
        ]
    name = test.recipe.name
    if only is not None and not crashes[0].reached:
        raise InputInvalid(
            f"No process came to {boundaries[0]}, so none was killed: {name} comes to "
            f"{boundaries[0].point} {hits[boundaries[0].point]} times when nothing crashes."
        )
    return CrashReport(name, hits.total(), crashes)


def _refuse_event_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise InputInvalid(
        "crash_everywhere blocks until all is done, and would stop this event loop. Call it in a "
        "plain `def test_…`, or as await asyncio.to_thread(testing.crash_everywhere, …)."
    )


def _players(
    recipe: Recipe[..., Any], models: Mapping[str, Playbook], model: Playbook | None, *, live: bool
) -> Players:
    project, module = project_of(recipe), recipe.fn.__module__
    given = {name: project.find_genie(name).name for name in models}
    found = sys.modules.get(module)
    return Players(
        project=place_of(project, f"Project {project.name!r}", first=module),
        modules=((module, getattr(found, "__file__", None)),),
        models={name: place_of(models[name], f"The player of {name!r}") for name in given},
        model=None if model is None else place_of(model, "The player given as model="),
        live=live,
    )


def _failed(report: CrashReport) -> CrashTestFailed:
    boundaries = [
        {"boundary": str(each.boundary), "problems": list(each.problems)} for each in report.failed
    ]
    return CrashTestFailed(report.failures, boundaries=boundaries)
