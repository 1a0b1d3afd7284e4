from pydantic import BaseModel

from lampwork import (
    Answer,
    Call,
    CannotComplete,
    Job,
    Metadata,
    Project,
    SkillCall,
    Turn,
    playbook,
)

project = Project("library")

RESERVED = {"L-205"}  # loans of books for which somebody waits
DUE: dict[str, str] = {}


class Decision(BaseModel):
    extended: bool
    letter: str


@project.skill(effect="read")
def is_reserved(loan: Metadata[str]) -> bool:
    """Whether somebody waits for the book. Ask this before you extend a loan."""
    return loan in RESERVED


@project.skill(effect="idempotent")
def extend(until: str, loan: Metadata[str], call: SkillCall) -> str:
    """Extend the loan. Use it only if nobody waits for the book."""
    DUE[loan] = until  # your library's service would be given call.idempotency_key, too
    return f"due {until}"


@playbook
def script(turn: Turn) -> Call | Answer | CannotComplete:
    """Stands in for a model."""
    if not turn.results:
        return Call("is_reserved")
    if (error := turn.results[-1].error) is not None:
        return CannotComplete(error)
    if turn.results[0].value:
        return Answer({"extended": False, "letter": "Somebody waits for it, please bring it."})
    if len(turn.results) == 1:
        return Call("extend", until="16 May")
    return Answer({"extended": True, "letter": f"Keep it: it is {turn.results[1].value}."})


librarian = project.genie(
    "librarian",
    model=script,
    job_description="You decide whether readers may keep a book longer, and write to them.",
    skills=[is_reserved, extend],
)


def post(loan: str, letter: str) -> str:
    return f"posted to the reader of {loan}: {letter}"


@project.recipe()
async def renew(job: Job, loan: str, wish: str) -> Decision:
    task = await job.assign_task(
        librarian,
        "A reader wants to keep a book longer. Decide, and write the letter.",
        data={"wish": wish},
        metadata={"loan": loan},
        output=Decision,
    )
    job.log(await job.step(post, loan, task.output.letter))
    return task.output
