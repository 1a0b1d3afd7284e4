import asyncio

from lampwork import Answer, App, Call, Metadata, Project, Turn, playbook
from lampwork.insights import Insights
from lampwork.views import WaitingOn

project = Project("shop")


@project.skill(effect="read")
def look_up(order: str) -> int:
    """Look up what an order cost, in cents."""
    return 1200


@project.skill(confirm=True)
def refund(order: str, cents: int, customer: Metadata[str]) -> str:
    """Refund an order. Use it when the user asks for it."""
    return f"{cents / 100:.2f} € for {order}"


@playbook
def clerk(turn: Turn) -> Call | Answer:
    if "refund" not in turn.instructions:
        return Answer("What can I do for you?")
    match [each.error or each.value for each in turn.results]:
        case []:
            return Call("look_up", order="A-7")
        case [cents]:
            return Call("refund", order="A-7", cents=cents)
        case [_, came_of_it]:
            return Answer(f"It came to this: {came_of_it}")


desk = project.genie(
    "desk",
    model=clerk,
    job_description="You help the customers of a shop.",
    skills=[look_up, refund],
)


async def asked(app: App, job_id: str) -> WaitingOn:
    """What the user is asked, once it is."""
    while True:
        job = await Insights(app.store).view(job_id)
        for wait in job.waiting_on:
            if wait.kind == "confirmation":
                return wait
        await asyncio.sleep(0.1)


async def main() -> None:
    async with project.open() as app:
        hello = await app.chat(desk, "Good morning.", user="ann", metadata={"customer": "C-1"})
        print(hello.response)

        message = await app.send_message(
            desk,
            "Please refund order A-7.",
            user="ann",
            conversation=hello.conversation_id,
            metadata={"customer": "C-1"},
        )
        wait = await asked(app, message.job_id)
        assert wait.subject is not None
        print(wait.what)
        await app.confirm(wait.wait_id or "", by="ann", digest=wait.subject["digest"])
        reply = await app.result(message.job_id)
        print(reply["response"])


if __name__ == "__main__":
    asyncio.run(main())
