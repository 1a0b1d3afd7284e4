import asyncio

from lampwork import Answer, App, Call, Metadata, Project, Sealed, Turn, playbook
from lampwork.errors import JobFailed

project = Project("claims")


@project.skill(effect="read")
def find_account(claim: Metadata[str], account: Metadata[str]) -> dict[str, str]:
    """Find the account that a claim is paid to."""
    return {"pay to": f"{account} at First Bank"}


@project.skill(effect="idempotent")
def pay(to: str, cents: int, account: Metadata[str]) -> str:
    """Pay a claim."""
    print("  the skill pays", to)
    return f"paid to {to}"


@playbook  # stands in for a model
def script(turn: Turn) -> Call | Answer:
    match len(turn.results):
        case 0:
            return Call("find_account")
        case 1:
            print("  the genie reads", turn.results[0].value)
            return Call("pay", to=turn.results[0].value["pay to"], cents=500)
        case _:
            return Answer(turn.results[1].value)


clerk = project.genie(
    "clerk", model=script, job_description="You settle claims.", skills=[find_account, pay]
)


async def settle(app: App, **metadata: str | Sealed) -> None:
    print(metadata)
    try:
        answer = await app.assign_task(clerk, "Settle the claim of CL-2044.", metadata=metadata)
    except JobFailed as error:
        print(f"  {error.error['code']}: {error.error['message']}")
        return
    print(f"  {answer.output}\n  {answer.proof}")


async def main() -> None:
    async with project.open() as app:
        await settle(app, claim="CL-2044", account=Sealed("DE-44-7117"))
        await settle(app, claim=Sealed("CL-2044"), account=Sealed("DE-44-7117"))


if __name__ == "__main__":
    asyncio.run(main())
