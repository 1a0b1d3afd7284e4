import asyncio

from lampwork import Answer, Call, Project, SkillCall, Turn, playbook

project = Project("finance", allow_hosts=["ledger.internal"])


@project.skill(effect="read")
async def rates(url: str, call: SkillCall) -> str:
    """The exchange rates that a page lists."""
    async with call.http() as http:
        return (await http.get(url)).text


@playbook
def talked_into_it(turn: Turn) -> Call | Answer:
    if not turn.results:
        return Call(rates, url="http://169.254.169.254/latest/meta-data/")
    return Answer(str(turn.results[0].error))


clerk = project.genie(
    "clerk", model=talked_into_it, job_description="You look rates up.", skills=[rates]
)


async def main() -> None:
    async with project.open() as app:
        print((await app.assign_task(clerk, "What is a dollar?")).output)


if __name__ == "__main__":
    asyncio.run(main())
