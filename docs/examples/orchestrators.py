import asyncio
from typing import Any

from lampwork import Answer, Call, Project, TaskAnswer, Turn, playbook

project = Project("sales")
ORDERS = {"north": [120, 80], "south": [300]}
CENTS = {"type": "object", "properties": {"cents": {"type": "integer"}}, "required": ["cents"]}


@project.skill(effect="read")
def total_of(region: str) -> int:
    """What the orders of a region come to, in cents."""
    return sum(ORDERS[region])


@playbook
def reading(turn: Turn) -> Call | Answer:
    if turn.results:
        return Answer({"cents": turn.results[0].value})
    return Call(total_of, region=turn.data["region"])


@playbook
def adding(turn: Turn) -> Answer:
    return Answer({"cents": turn.data["north"] + turn.data["south"]})


data = project.genie(
    "data", model=reading, job_description="You read the orders.", skills=[total_of]
)
analyst = project.genie("analyst", model=adding, job_description="You add up what you are given.")


@project.acceptance_check
def adds_up(answer: TaskAnswer[Any]) -> str | None:
    """The total is that of all orders."""
    total = sum(map(sum, ORDERS.values()))
    return None if answer.output["cents"] == total else f"the orders come to {total} cents"


def region(name: str) -> dict[str, Any]:
    source = {"name": "region", "request": "data", "field": name}
    return {
        "id": name,
        "title": f"Orders of the {name}",
        "agent": "data",
        "brief": "Read what the orders of the region come to.",
        "inputs": [source],
        "output": CENTS,
    }


@playbook
def leading(turn: Turn) -> Call | Answer:
    if turn.results:
        found = {each["subtask"]: each["output"] for each in turn.results[-1].value["subtasks"]}
        return Answer(f"Q2 came to {found['total']['cents']} cents.")
    names = ["north", "south"]
    total = {
        "id": "total",
        "title": "Total of all regions",
        "agent": "analyst",
        "brief": "Add up the orders of all regions.",
        "inputs": [{"name": each, "subtask": each, "field": "cents"} for each in names],
        "output": CENTS,
        "checks": ["adds_up"],
    }
    return Call("plan", subtasks=[*map(region, names), total])


reporter = project.orchestrator(
    "reporter", model=leading, job_description="You report on sales.", agents=[data, analyst]
)


async def main() -> None:
    async with project.open() as app:
        regions = {"north": "north", "south": "south"}
        task = await app.assign_task(reporter, "Report on Q2.", data=regions)
        print(task.response)
        for each in task.sections:
            print(f"  {each.title}, by {each.agent}: {each.output}")


if __name__ == "__main__":
    asyncio.run(main())
