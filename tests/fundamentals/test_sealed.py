"""Sealed values: a name for the model, and the value again for skills, answers and people."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel
from tests.support import park

from lampwork import (
    Answer,
    Call,
    Job,
    Metadata,
    Project,
    Sealed,
    StillUnknown,
    Turn,
    playbook,
)
from lampwork.errors import InputInvalid, MetadataInvalid

from .conftest import Open

project = Project("sealed")

acts: list[Any] = []
"""What skills were called with."""


@pytest.fixture(autouse=True)
def _nothing_happened() -> None:
    acts.clear()


class Receipt(BaseModel):
    invoice: str
    account: int


def genie(model: Any, *skills: Any, name: str) -> Any:
    return project.genie(name, model=model, job_description="You help.", skills=skills)


@project.skill(effect="idempotent")
def pay(account: int, payee: Metadata[dict[str, Any]]) -> Receipt:
    """Pay."""
    acts.append(("pay", account))
    return Receipt(invoice=payee["name"], account=account)


@playbook
def pays(turn: Turn) -> Call | Answer:
    if not turn.results:
        return Call(pay, account="«payee.account»")
    return Answer(turn.results[0].value)


payer = genie(pays, pay, name="payer")


async def test_a_number_is_a_name_for_the_model_and_a_number_again_for_skills_and_answers(
    opened: Open,
) -> None:
    payee = {"name": "Smith & Co", "account": Sealed(4711003)}
    async with opened(project) as app:
        for output in (Receipt, Receipt.model_json_schema()):
            answer = await app.assign_task(payer, "Pay.", metadata={"payee": payee}, output=output)
            assert answer.output in (
                Receipt(invoice="Smith & Co", account=4711003),
                {"invoice": "Smith & Co", "account": 4711003},
            )
            assert answer.metadata == {"payee": payee}
            assert answer.proof.sealed == ("payee.account",)

    assert acts == [("pay", 4711003)] * 2


@playbook
def mistakes(turn: Turn) -> Call | Answer:
    match turn.number:
        case 1:
            return Call(pay, account="«payee.name»")
        case 2:
            return Answer({"invoice": "«payee.name»", "account": "«payee.name»"})
        case _:
            assert "(given: '«payee.name»')" in turn.results[0].error
            assert "(given: '«payee.name»')" in turn.feedback[0]
            return Answer({"invoice": "«payee.name»", "account": 1})


async def test_what_is_wrong_with_arguments_and_answers_is_said_with_the_name(
    opened: Open,
) -> None:
    mistaken = genie(mistakes, pay, name="mistaken")
    payee = {"name": Sealed("Smith & Co"), "account": 1}
    async with opened(project) as app:
        answer = await app.assign_task(mistaken, "Pay.", metadata={"payee": payee}, output=Receipt)

    assert answer.output == Receipt(invoice="Smith & Co", account=1)
    assert str(answer.proof) == "3 calls: 3 clean; not scanned: payee.account"
    assert acts == []


@project.skill(effect="at_most_once")
def wire(account: Metadata[str]) -> str:
    """Wire money."""
    raise ConnectionError(f"no connection to {account}")


@project.skill(effect="idempotent")
def fails(account: Metadata[str]) -> str:
    """Fail."""
    raise ValueError(f"{account} is closed")


@wire.reconcile
def unsure(account: Metadata[str]) -> StillUnknown:
    return StillUnknown(f"{account} does not say")


@playbook
def tries(turn: Turn) -> Call | Answer:
    if not turn.results:
        return Call(fails)
    return Call(wire) if len(turn.results) == 1 else Answer(str(turn.results[1].value))


cashier = genie(tries, wire, fails, name="cashier")


@project.recipe()
async def settles(job: Job) -> str:
    task = await job.assign_task(cashier, "Settle.", metadata={"account": Sealed("DE-44-7117")})
    return f"{task.output}; {task.proof}"


async def test_errors_tracebacks_and_a_persons_result_are_recorded_with_the_name(
    opened: Open,
) -> None:
    async with opened(project) as app:
        job = await app.start(settles)
        await park(app, job)
    # A restart lies between: what is sealed is on record with the task.
    async with opened(project) as app:
        await app.resolve(f"w{job[1:]}.1.5.0", "happened", result="to de-44-7117", by="Ann")
        said = await app.result(job)
        entries = await app.store.read(
            lambda connection: connection.exec_driver_sql(
                "SELECT kind, cast(body as text) FROM entries"
            ).all()
        )

    assert said == "to DE-44-7117; 3 calls: 3 clean"
    recorded = [body for kind, body in entries if kind != "answered"]
    assert sum("«account» is closed" in body for body in recorded) == 1
    assert sum("no connection to «account»" in body for body in recorded) == 1
    assert sum('"to «account»"' in body for body in recorded) == 2  # the result, then the answer
    assert not [body for body in recorded if "7117" in body]


@pytest.mark.parametrize("value", ["abc", 7, True, None, [], {"a": [1, "x"]}])
async def test_what_can_not_be_recognised_can_not_be_sealed(opened: Open, value: Any) -> None:
    async with opened(project) as app:
        with pytest.raises(MetadataInvalid, match='"payee" can\'t be sealed') as raised:
            await app.assign_task(payer, "Pay.", metadata={"payee": Sealed({"a": value})})
    assert raised.value.key == "payee"


async def test_a_seal_is_for_metadata_only(opened: Open) -> None:
    async with opened(project) as app:
        with pytest.raises(InputInvalid, match="data="):
            await app.assign_task(payer, "Pay.", data={"account": Sealed("DE-44-7117")})
