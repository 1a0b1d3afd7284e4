"""A task: one assignment to one genie. The job suspends; a typed answer comes back."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, field_validator

from lampwork import (
    Answer,
    Call,
    Calls,
    CannotComplete,
    Job,
    Metadata,
    Model,
    Project,
    SkillCall,
    Turn,
    playbook,
)
from lampwork.errors import (
    ConversationNotFound,
    GenieNotFound,
    GenieNotInProject,
    IdempotencyConflict,
    InputInvalid,
    InstructionsMissing,
    JobFailed,
    MetadataInvalid,
    MetadataUnknown,
    ModelKeyMissing,
    ModelUnknown,
    OutputInvalid,
    OutputTypeInvalid,
    TaskNotCompleted,
)

from .conftest import Open

project = Project("tasks")
ledger: list[tuple[str, str, str]] = []


@pytest.fixture(autouse=True)
def _empty_ledger() -> None:
    ledger.clear()


class Verdict(BaseModel):
    status: Literal["approved", "flagged"]
    reason: str


@project.skill(effect="idempotent")
async def approve(note: str, invoice_id: Metadata[int], call: SkillCall) -> str:
    """Approve the invoice. Use it when the amounts match."""
    ledger.append((str(invoice_id), note, call.idempotency_key))
    return f"approved: {note}"


@project.skill(effect="read")
def look_up(number: int) -> dict[str, int]:
    """Look up what was ordered."""
    return {"ordered": number * 10}


@playbook
def careful(turn: Turn) -> Call | Calls | Answer:
    match len(turn.results):
        case 0:
            return Calls(Call("look_up", number=1), Call("look_up", number=2))
        case 2:
            return Call("approve", note=str(turn.results[1].value))
        case _:
            return Answer({"status": "approved", "reason": "as ordered"})


finance = project.genie(
    "finance", model=careful, job_description="You check invoices.", skills=[approve, look_up]
)


@project.recipe()
async def review(job: Job, invoice_id: int) -> Verdict:
    task = await job.assign_task(
        finance, "Check this invoice.", metadata={"invoice_id": invoice_id}, output=Verdict
    )
    return task.output


async def test_a_recipe_gets_a_typed_answer_and_skills_get_the_metadata(opened: Open) -> None:
    async with opened(project) as app:
        assert await app.run(review, invoice_id=41) == Verdict(
            status="approved", reason="as ordered"
        )
    assert [(invoice, note) for invoice, note, _ in ledger] == [("41", "{'ordered': 20}")]


async def test_a_task_can_be_assigned_without_a_recipe(opened: Open) -> None:
    async with opened(project) as app:
        answer = await app.assign_task(
            finance, "Check this invoice.", metadata={"invoice_id": 41}, output=Verdict
        )
    assert answer.output == Verdict(status="approved", reason="as ordered")
    assert answer.metadata == {"invoice_id": 41}
    assert answer.usage["requests"] == 3
    assert [(action.skill, action.status) for action in answer.actions] == [
        ("look_up", "ok"),
        ("look_up", "ok"),
        ("approve", "ok"),
    ]


@playbook
def spoofer(turn: Turn) -> Call | Answer:
    if not turn.results:
        return Call("approve", note="mine", invoice_id=666)
    if len(turn.results) == 1:
        return Call("approve", note=str(turn.results[0].error))
    return Answer("done")


rogue = project.genie("rogue", model=spoofer, job_description="You cheat.", skills=[approve])


async def test_a_model_that_names_metadata_is_refused_and_the_recorded_value_used(
    opened: Open,
) -> None:
    async with opened(project) as app:
        answer = await app.assign_task(rogue, "Cheat.", metadata={"invoice_id": 41})
    assert [action.status for action in answer.actions] == ["refused", "ok"]
    assert [invoice for invoice, _, _ in ledger] == ["41"]
    assert "invoice_id" in ledger[0][1]


@playbook
def honest(turn: Turn) -> CannotComplete:
    return CannotComplete("there is no purchase order", missing=["purchase order"])


@playbook
def rambling(turn: Turn) -> Answer:
    return Answer({"status": "perhaps"})


modest = project.genie("modest", model=honest, job_description="You know your limits.")
vague = project.genie("vague", model=rambling, job_description="You ramble.")


@project.recipe()
async def ask(job: Job, name: str) -> str:
    try:
        await job.assign_task(job_genies[name], "Check this invoice.", output=Verdict)
    except TaskNotCompleted as error:
        return f"{error.reason}: {error.missing}"
    except OutputInvalid as error:
        return f"{error.attempt}: {len(error.problems)} problems"
    return "answered"


job_genies = {"modest": modest, "vague": vague}


async def test_a_genie_may_decline_and_never_invents(opened: Open) -> None:
    async with opened(project) as app:
        assert await app.run(ask, name="modest") == (
            "there is no purchase order: ['purchase order']"
        )


async def test_an_answer_of_the_wrong_type_is_never_a_success(opened: Open) -> None:
    async with opened(project) as app:
        assert await app.run(ask, name="vague") == "{'status': 'perhaps'}: 2 problems"


# --- conversations ---


@playbook
def attentive(turn: Turn) -> Answer:
    return Answer(f"{turn.instructions}, after {len(turn.history)} messages")


chatty = project.genie("chatty", model=attentive, job_description="You remember.")


async def test_a_conversation_is_continued_by_its_id_and_by_nothing_else(opened: Open) -> None:
    async with opened(project) as app:
        first = await app.assign_task(chatty, "One")
        again = await app.assign_task(chatty, "Two", conversation=first.conversation_id)
        fresh = await app.assign_task(chatty, "Three")
    assert again.conversation_id == first.conversation_id != fresh.conversation_id
    assert first.output == "One, after 0 messages"
    assert again.output == "Two, after 2 messages"
    assert fresh.output == "Three, after 0 messages"


# --- what is refused before anything happens ---

elsewhere = Project("elsewhere")
stranger = elsewhere.genie("stranger", model=honest, job_description="You live elsewhere.")
unknown_model = project.genie("odd", model="nobody:nothing", job_description="You are odd.")
keyless = project.genie(
    "keyless",
    model=Model("openai-chat:gpt-5", key_env="LAMPWORK_TEST_NO_SUCH_KEY"),
    job_description="You lost your key.",
)


@pytest.mark.parametrize(
    ("genie", "given", "error"),
    [
        (finance, {"instructions": "  "}, InstructionsMissing),
        (finance, {"metadata": {"invoice": 1}}, MetadataUnknown),
        (finance, {"metadata": {"invoice_id": "forty"}}, MetadataInvalid),
        (finance, {"output": type("Opaque", (), {})}, OutputTypeInvalid),
        (stranger, {}, GenieNotInProject),
        ("nobody", {}, GenieNotFound),
        (unknown_model, {}, ModelUnknown),
        (keyless, {}, ModelKeyMissing),
    ],
    ids=lambda value: getattr(value, "__name__", None) or str(getattr(value, "name", value)),
)
async def test_a_task_that_cannot_be_assigned_is_refused_before_anything_happens(
    opened: Open, genie: object, given: dict[str, object], error: type[Exception]
) -> None:
    arguments = {"instructions": "Check this invoice.", **given}
    async with opened(project) as app:
        with pytest.raises(error):
            await app.assign_task(genie, **arguments)  # type: ignore[arg-type]  # by design
    assert ledger == []


async def test_an_unknown_conversation_fails_the_task(opened: Open) -> None:
    async with opened(project) as app:
        with pytest.raises(JobFailed) as caught:
            await app.assign_task(chatty, "One", conversation="c0")
    assert caught.value.error["code"] == ConversationNotFound.code


async def test_a_task_assigned_twice_with_one_key_is_one_task(opened: Open) -> None:
    async with opened(project) as app:
        first = await app.assign(chatty, "Write.", idempotency_key="letter 7")
        again = await app.assign(chatty, "Write.", idempotency_key="letter 7")
        assert again == first
        with pytest.raises(IdempotencyConflict, match="letter 7"):
            await app.assign(chatty, "Write more.", idempotency_key="letter 7")
        await app.result(first)


# --- recipes as skills ---


@project.skill(effect="idempotent")
async def archive(job: Job, note: str, invoice_id: Metadata[int]) -> str:
    """Archive the invoice."""
    return await job.step(shelve, f"{invoice_id} {note}")


def shelve(what: str) -> str:
    return f"shelved {what}"


@playbook
def archivist(turn: Turn) -> Call | Answer:
    if not turn.results:
        return Call("archive", note="done")
    return Answer(turn.results[0].value or turn.results[0].error)


clerk = project.genie("clerk", model=archivist, job_description="You file.", skills=[archive])


@pytest.mark.parametrize("park_after", [0.0, 60.0], ids=["parked", "hot"])
async def test_a_skill_that_is_a_recipe_runs_as_a_job_of_its_own(
    opened: Open, park_after: float
) -> None:
    async with opened(project, park_after=park_after) as app:
        answer = await app.assign_task(clerk, "File it.", metadata={"invoice_id": 41})
    assert answer.output == "shelved 41 done"


class Even(BaseModel):
    number: int

    @field_validator("number")
    @classmethod
    def is_even(cls, number: int) -> int:
        if number % 2:
            raise ValueError("the number is odd")
        return number


@playbook
def counter(turn: Turn) -> Answer:
    return Answer({"number": 2 if turn.feedback else 1})


counting = project.genie("counting", model=counter, job_description="You count.")


async def test_a_types_own_validators_are_part_of_the_asking_again(opened: Open) -> None:
    async with opened(project) as app:
        answer = await app.assign_task(counting, "Name an even number.", output=Even)
    assert answer.output == Even(number=2)
    assert answer.usage["requests"] == 2


# --- side by side on one conversation ---


@project.recipe()
async def three_in_line(job: Job) -> list[str]:
    first = await job.assign_task(chatty, "zero")
    calls = [
        job.assign_task(chatty, name, conversation=first.conversation_id)
        for name in ("one", "two", "three")
    ]
    return [answer.output for answer in await job.gather(*calls)]


@pytest.mark.parametrize("park_after", [0.0, 60.0], ids=["parked", "hot"])
async def test_tasks_on_one_conversation_take_turns_in_the_order_of_their_calls(
    opened: Open, park_after: float
) -> None:
    async with opened(project, park_after=park_after) as app:
        assert await app.run(three_in_line) == [
            "one, after 2 messages",
            "two, after 4 messages",
            "three, after 6 messages",
        ]


@pytest.mark.parametrize("data", [{"b", "a"}, frozenset(), {"tags": [{"names": {"a"}}]}, ({1},)])
async def test_a_set_is_no_data_because_json_has_none(opened: Open, data: Any) -> None:
    project = Project("shop")
    genie = project.genie("clerk", model=playbook(lambda _: Answer("done")), job_description="")
    async with opened(project) as app:
        with pytest.raises(InputInvalid, match="a set has no form in JSON; give a list"):
            await app.assign_task(genie, "Sort it.", data=data)


async def test_an_argument_that_there_is_not_is_named_with_the_one_that_was_meant(
    opened: Open,
) -> None:
    project = Project("shop")
    genie = project.genie("clerk", model=playbook(lambda _: Answer("done")), job_description="")
    wrong: Any = {"filez": []}
    said = r'assign_task\(filez=…\): there is no such argument. Did you mean "files"\?'

    @project.recipe()
    async def assign(job: Job) -> None:
        with pytest.raises(InputInvalid, match=said):
            job.assign_task(genie, "Sort it.", **wrong)

    async with opened(project) as app:
        await app.run(assign)
        with pytest.raises(InputInvalid, match=said):
            await app.assign_task(genie, "Sort it.", **wrong)
