import asyncio

from lampwork import Answer, Project, TextDelta, Turn, playbook

project = Project("texts")


@playbook  # says its text at once; a model says it piece by piece
def script(turn: Turn) -> Answer:
    return Answer("Good morning.")


greeter = project.genie("greeter", model=script, job_description="You greet.")


def show(delta: TextDelta) -> None:
    print(f"attempt {delta.attempt}: {delta.text}")


async def main() -> None:
    async with project.open() as app:
        with app.on_text(show):
            answer = await app.assign_task(greeter, "Greet.")
        print("answer:", answer.output)
        print("usage:", answer.usage)


if __name__ == "__main__":
    asyncio.run(main())
