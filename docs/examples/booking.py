from typing import Annotated

from pydantic import Field

from lampwork import (
    Answer,
    Call,
    DidNotHappen,
    Happened,
    Job,
    Metadata,
    NotDone,
    Project,
    Retry,
    SkillCall,
    Turn,
    playbook,
    testing,
)

project = Project("parcels")
booked: dict[str, str] = {}  # what the carrier has on its books, by key
tries = 0


@project.skill(effect="read", timeout=5, retry=Retry(attempts=3, delay=0))
async def price(kilos: Annotated[float, Field(gt=0, description="With the wrapping.")]) -> int:
    """What it costs to send the parcel, in cents. Ask before you book."""
    global tries
    tries += 1
    if tries < 2:
        raise ConnectionError("the line is busy")
    return round(400 + 90 * kilos)


@project.skill(effect="at_most_once")
def book(kilos: float, address: Metadata[str], call: SkillCall) -> str:
    """Book the carrier. Only once per parcel.

    Args:
        kilos: As they were priced.
    """
    if kilos > 30:
        raise NotDone("the carrier takes 30 kg at the most")
    booked[call.idempotency_key] = address
    raise TimeoutError("the carrier hung up")  # did it book, or not?


@book.reconcile
def is_booked(call: SkillCall) -> Happened[str] | DidNotHappen:
    return Happened("booked") if call.idempotency_key in booked else DidNotHappen()


@playbook
def script(turn: Turn) -> Call | Answer:
    match len(turn.results):
        case 0:
            return Call("price", kilos=-1)
        case 1:
            print("told:", turn.results[0].error)
            return Call("price", kilos=31)
        case 2:
            return Call("book", kilos=31)
        case 3:
            print("told:", turn.results[2].error)
            return Call("book", kilos=29)
        case _:
            return Answer(turn.results[3].value)


packer = project.genie(
    "packer", model=script, job_description="You send parcels.", skills=[price, book]
)


@project.recipe()
async def send(job: Job, address: str) -> list[str]:
    task = await job.assign_task(packer, "Send it.", metadata={"address": address})
    calls = [f"{action.skill}({action.arguments}): {action.status}" for action in task.actions]
    return [*calls, task.output]


if __name__ == "__main__":
    test = testing.opened(project)
    print(*test.run(send, address="Elm Road 9"), sep="\n")
    print("a request has the address in it:", any("Elm Road" in each for each in test.requests))
