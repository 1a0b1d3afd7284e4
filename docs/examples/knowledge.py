import asyncio
from collections.abc import Sequence

from lampwork import Answer, Call, Passage, Project, Turn, playbook
from lampwork.errors import GenieNotEligible

project = Project("helpdesk")

PAGES = [
    Passage("Restart the router and wait a minute.", "handbook, page 3"),
    Passage("The spare router is in room 12.", "inventory.md"),
]
ONLY_FOR = {"inventory.md": "ann"}


async def search_policies(query: str, k: int, user: str | None) -> Sequence[Passage]:
    """The handbook and the inventory. Search them before you advise."""
    readable = [page for page in PAGES if ONLY_FOR.get(page.source, user) == user]
    return [page for page in readable if query in page.text][:k]


policies = project.knowledge("policies", search=search_policies, permissioned=True)


@playbook
def script(turn: Turn) -> Call | Answer:
    if not turn.results:
        return Call("search_policies", query="router")
    return Answer(" ".join(f"{page['text']} ({page['source']})" for page in turn.results[0].value))


adviser = project.genie(
    "adviser", model=script, job_description="You advise.", knowledge=[policies]
)


async def main() -> None:
    async with project.open() as app:
        try:
            await app.assign_task(adviser, "The network is down.")
        except GenieNotEligible as error:
            print(error)
        answer = await app.assign_task(adviser, "It is down.", knowledge="public_only")
        print(answer.output)


if __name__ == "__main__":
    asyncio.run(main())
