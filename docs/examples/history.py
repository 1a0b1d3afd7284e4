import asyncio

from lampwork import Answer, Project, Recent, Summary, Turn, playbook

project = Project("history")


@playbook
def reader(turn: Turn) -> Answer:
    if turn.number == 0:  # it is asked for a summary
        return Answer("Two drafts were written, and the second one was liked.")
    return Answer(f"I see {len(turn.history)} earlier messages.")


writer = project.genie("writer", model=reader, job_description="You write.")


async def main() -> None:
    async with project.open() as app:
        first = await app.assign_task(writer, "Draft it.")
        for history in (None, Recent(1), Summary(words=100)):
            answer = await app.assign_task(
                writer, "Go on.", conversation=first.conversation_id, history=history
            )
            print(answer.output)


if __name__ == "__main__":
    asyncio.run(main())
