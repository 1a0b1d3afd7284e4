import asyncio
import csv
import io

from lampwork import Answer, Call, File, Job, Project, SkillCall, Turn, playbook
from lampwork.errors import FileRejected

project = Project("sales")

Q2 = File("q2.csv", b"region,sales\nnorth,7\nsouth,5\n")
LOGIN_PAGE = File("q3.csv", b"<!doctype html><title>Please log in</title>")


@project.skill(effect="idempotent")
def total(sales: list[int], call: SkillCall) -> int:
    """Add sales up, and save the sum as a file."""
    content = f"total,{sum(sales)}\n".encode()
    call.save_artifact("total.csv", content, "text/csv")
    return sum(sales)


@playbook  # stands in for a model
def script(turn: Turn) -> Call | Answer:
    text = turn.files[0].text or ""
    if turn.files[0].name != "q2.csv":
        return Answer(text.strip())
    if not turn.results:
        rows = csv.DictReader(io.StringIO(text))
        return Call("total", sales=[int(row["sales"]) for row in rows])
    return Answer(f"{turn.results[0].value} in all")


analyst = project.genie(
    "analyst", model=script, job_description="You analyse sales.", skills=[total]
)


@project.recipe()
async def report(job: Job) -> list[str]:
    first = await job.assign_task(analyst, "Add the sales up.", files=[Q2])
    content = await job.read_artifact(first.artifacts[0])
    again = await job.assign_task(analyst, "What does it say?", files=first.artifacts)
    return [first.output, content.decode().strip(), again.output]


async def main() -> None:
    async with project.open() as app:
        for line in await app.run(report):
            print(line)
        answer = await app.assign_task(analyst, "Add the sales up.", files=[Q2])
        for artifact in answer.artifacts:
            print(artifact.name, artifact.media_type, await app.read_artifact(artifact))
        try:
            await app.assign_task(analyst, "Add the sales up.", files=[LOGIN_PAGE])
        except FileRejected as error:
            print(error)


if __name__ == "__main__":
    asyncio.run(main())
