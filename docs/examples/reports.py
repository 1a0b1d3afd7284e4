import asyncio
import re

from lampwork import Answer, Call, Project, Report, ReportSection, Turn, playbook

project = Project("reports")


@playbook
def reading(turn: Turn) -> Answer:
    return Answer([{"region": "north", "orders": 120}, {"region": "south", "orders": 80}])


@playbook
def writing(turn: Turn) -> Answer:
    return Answer("Most orders came from the **north**.")


data = project.genie("data", model=reading, job_description="You read the orders.")
writer = project.genie("writer", model=writing, job_description="You write summaries.")

PLAN = [
    {"id": "orders", "title": "Orders", "agent": "data", "brief": "Count.", "output": {}},
    {
        "id": "summary",
        "title": "In short",
        "agent": "writer",
        "brief": "Sum it up.",
        "inputs": [{"name": "orders", "subtask": "orders"}],
    },
]


@playbook
def leading(turn: Turn) -> Call | Answer:
    if not turn.results:
        return Call("plan", subtasks=PLAN)
    shown = [ReportSection(subtask="summary"), ReportSection(subtask="orders")]
    return Answer(Report(title="Orders of Q2", sections=shown))


reporter = project.orchestrator(
    "reporter", model=leading, job_description="You report.", agents=[data, writer]
)


async def main() -> None:
    async with project.open() as app:
        task = await app.assign_task(reporter, "Report on Q2.", output=Report)
        page = await app.read_artifact(task.artifacts[0])
        print(task.artifacts[0].name)
        for line in re.findall("<(?:h[12]|p|tr).*", page.decode()):
            print(f"  {line}")


if __name__ == "__main__":
    asyncio.run(main())
