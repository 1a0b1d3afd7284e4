import asyncio

from lampwork import Model, Project
from lampwork.errors import ModelKeyMissing

project = Project("models")

by_id = project.genie("by id", model="openai:gpt-5.2", job_description="You help.")
own_key = project.genie(
    "own key", model=Model("openai:gpt-5.2", key_env="TEAM_KEY"), job_description="You help."
)
local = project.genie(
    "local",
    model=Model("openai-chat:qwen3", base_url="http://localhost:11434/v1"),
    job_description="You help.",
)


async def main() -> None:
    async with project.open() as app:
        try:
            await app.assign_task(own_key, "Say hello.")
        except ModelKeyMissing as error:
            print(error)


if __name__ == "__main__":
    asyncio.run(main())
