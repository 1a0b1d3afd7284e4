"""What became of an effect that nobody is sure of, as a person says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from lampwork import values
from lampwork.errors import InputInvalid, ResultNotRecordable, joined
from lampwork.runs.deadline import OutOfTime
from lampwork.runs.expected import in_words, misfits, schema_of
from lampwork.runs.wait import Wait
from lampwork.types import Json

if TYPE_CHECKING:
    from lampwork.runs.run import Run
    from lampwork.store.upkeep.restorations import Restoration


@dataclass(frozen=True, slots=True)
class Resolution:
    """A person's word: it happened, with this result (JSON text); do it; or it failed, and why."""

    verdict: Literal["happened", "did_not_happen", "fail"]
    by: str
    result: str = "null"
    reason: str = ""


def since_restored(restoration: Restoration) -> str:
    """Why nobody knows whether an effect has happened that is about to be done."""
    backup_at = datetime.fromtimestamp(restoration.backup_at, UTC)
    return (
        f"the database was restored from a backup of {backup_at:%Y-%m-%d %H:%M:%S} UTC, and it may "
        "have been done after that"
    )


async def ask_person(
    run: Run,
    question: Callable[[str, str], Wait],
    *,
    nth: str,
    again: bool,
    why: str,
    returns: Any,
    what: str,
) -> Resolution:
    """Wait for a person's word on `what`; a result that is not of the type `returns` is none.

    `question` makes the wait of a suffix for its id and of the reason why it is asked. The suffix
    is empty at first, then `nth` where this is asked `again` of a later attempt; and after each
    result that does not fit, since the type has changed meanwhile, it counts on. Raises OutOfTime
    when nobody answers while there is time.
    """
    suffix, misfitting, still_why = (nth if again else ""), 0, why
    while True:
        wait = question(suffix, still_why)
        if (schema := schema_of(returns)) is not None:
            wait = replace(wait, subject=wait.subject | {"schema": schema})
        answer = await run.until(wait)
        if answer.kind == "expired":
            raise OutOfTime
        reason: str = answer.value.get("reason") or ""
        match answer.value["resolution"]:
            case "happened":
                try:
                    result = values.given(answer.value.get("result"), returns, what)
                    return Resolution("happened", answer.source, result=result, reason=reason)
                except ResultNotRecordable as error:
                    misfitting += 1
                    suffix = f"{nth}.{misfitting}"
                    still_why = f"{why}; {answer.source} said that it happened, but {error}"
            case "did_not_happen":
                return Resolution("did_not_happen", answer.source, reason=reason)
            case _:
                return Resolution("fail", answer.source, reason=reason or "no reason given")


def check(wait_id: str, result: Json, subject: dict[str, Json] | None) -> None:
    """Refuse a result that the call can't have had. `subject` is its wait's.

    Raises InputInvalid; then nothing was changed.
    """
    if problems := misfits(result, subject):
        of = (subject or {}).get("skill") or (subject or {}).get("step")
        if result is None:
            raise InputInvalid(
                f"What {of} returned is missing: give it as result=, on the command line with "
                f"--result. It is {in_words(subject)}. Nothing was changed.",
                problems=["result"],
            )
        raise InputInvalid(
            f"That is no result of {of}, about which {wait_id} asks: {joined(problems)} "
            "Nothing was changed.",
            problems=[f"result: {each}" for each in problems],
        )
