import asyncio

from lampwork import Model, Price, Project
from lampwork.errors import ModelKeyMissing

project = Project("models")

by_id = project.genie("by id", model="openai:gpt-5.2", job_description="You help.")
own_key = project.genie(
    "own key", model=Model("openai:gpt-5.2", key_env="TEAM_KEY"), job_description="You help."
)
own_server = project.genie(
    "own server",
    model=Model(
        "openai-chat:qwen3",
        base_url="http://localhost:11434/v1",
        settings={"max_tokens": 2000, "request_timeout": 60},
        price=Price(input=0, output=0),
    ),
    job_description="You help.",
)
with_fallbacks = project.genie(
    "with fallbacks",
    model=Model(
        "anthropic:claude-opus-4-8",
        fallbacks=("openai:gpt-5.2", Model("google:gemini-2.5-flash", key_env="TEAM_KEY")),
    ),
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
