import asyncio

from lampwork import Answer, Project, Turn, playbook

project = Project("conversations")


@playbook
def recall(turn: Turn) -> Answer:
    return Answer(f"{turn.instructions} I see {len(turn.history)} earlier messages.")


writer = project.genie("writer", model=recall, job_description="You write.")
editor = project.genie("editor", model=recall, job_description="You edit.")


async def main() -> None:
    async with project.open() as app:
        draft = await app.assign_task(writer, "Draft it.")
        final = await app.assign_task(editor, "Edit it.", conversation=draft.conversation_id)
        fresh = await app.assign_task(editor, "Edit another.")
        for answer in (draft, final, fresh):
            print(answer.output)


if __name__ == "__main__":
    asyncio.run(main())
