import asyncio
import json
import subprocess
import sys
from pathlib import Path

from lampwork.client import Client
from lampwork.errors import InputInvalid

SHOP = str(Path(__file__).with_name("shop.py"))


async def main(url: str) -> None:
    async with Client(url) as client:  # and key="lw_…", where there are accounts
        try:
            await client.start("order", {})
        except InputInvalid as error:
            print(error.message)

        job = await client.start("order", {"item": "lamp"}, idempotency_key="order 7")
        await client.send_event(job.job_id, "colour", "red")
        print(await client.result(job.job_id, str))

        async for each in client.jobs(recipe="order", status="succeeded"):
            print(each.recipe, each.status)


if __name__ == "__main__":
    lampwork = [sys.executable, "-m", "lampwork", "serve", SHOP, "--port", "0", "--json"]
    with subprocess.Popen(
        lampwork, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        said = ""
        while not said.endswith("}\n"):  # what it says when it is ready
            said += server.stdout.readline()
        asyncio.run(main(json.loads(said)["url"]))
        server.terminate()
