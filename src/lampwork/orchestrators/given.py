"""What an agent is given for a subtask: of the request, and what other subtasks have produced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from lampwork.files.artifact import Artifact
from lampwork.files.snapshot import Snapshot
from lampwork.metadata.needles import Needle, needles
from lampwork.orchestrators.plan import Subtask, SubtaskInput
from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.orchestrators.delegation import Settled
    from lampwork.store.tasks.orchestrations import Orchestration

__all__ = ["NOTHING", "GivenInputs", "given_to", "guarded_in"]


@dataclass(frozen=True, slots=True)
class GivenInputs:
    """The inputs of a subtask, by value; files by reference."""

    data: dict[str, Json]
    files: tuple[Snapshot | Artifact, ...]


NOTHING = GivenInputs({}, ())


def guarded_in(orchestration: Orchestration) -> tuple[Needle, ...]:
    """The sealed values of an orchestration: no model of its agents and its judge reads them."""
    if not orchestration.sealed:
        return ()
    wanted, _ = needles(orchestration.metadata, orchestration.sealed)
    return tuple(each for each in wanted if each.sealed)


def given_to(
    subtask: Subtask, orchestration: Orchestration, before: Mapping[str, Settled]
) -> GivenInputs:
    """The inputs of a subtask whose sources have settled. Of what has failed it is told so."""
    data: dict[str, Json] = {}
    files: dict[str, Snapshot | Artifact] = {}
    for each in subtask.inputs:
        if each.request is not None:
            found = getattr(orchestration, each.request)
            data[each.name] = found if each.field is None else found[each.field]
        elif each.file is not None:
            [record] = [one for one in orchestration.files if one["name"] == each.file]
            files[record["digest"]] = Snapshot.from_json(record)
            data[each.name] = {"file": each.file}
        else:
            data[each.name] = _of_subtask(each, before[cast(str, each.subtask)], files)
    return GivenInputs(data, tuple(files.values()))


def _of_subtask(given: SubtaskInput, source: Settled, files: dict[str, Any]) -> Json:
    answer = source.answer
    if answer is None:
        return {"missing": f"{source.subtask.title} has failed"}
    if given.field is not None:
        # A schema with properties may take what is no object as well.
        fields = cast(object, answer.output)
        if not isinstance(fields, dict):
            return {"missing": f"{source.subtask.title} has no field {given.field}"}
        return cast(dict[str, Json], fields).get(given.field)
    wanted = [each for each in answer.artifacts if given.artifact in (None, each.name)]
    files.update({each.digest: each for each in wanted})
    if given.artifact is None:
        return answer.output
    return {"file": given.artifact} if wanted else {"missing": f"no file {given.artifact}"}
