"""A process with one task, whose model writes down that it was asked.

`python -m tests.crash.prover FOLDER` prints the task's proof, unless it is killed before.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from lampwork import Answer, Call, Job, Metadata, Project, Sealed, Settings, Turn, playbook

project = Project("prover")


@project.skill(effect="idempotent")
def look_up(invoice_id: Metadata[str], account: Metadata[str]) -> str:
    """Look the invoice up."""
    return f"{invoice_id} is to be paid to {account}"


@playbook
def asked(turn: Turn) -> Call | Answer:
    with (Path(sys.argv[1]) / "asked").open("a") as file:
        file.write("x")
    return Call("look_up") if len(turn.results) < 2 else Answer("pay to «account»")


clerk = project.genie("clerk", model=asked, job_description="You check.", skills=[look_up])


@project.recipe()
async def check(job: Job) -> dict[str, object]:
    task = await job.assign_task(
        clerk, "Check.", metadata={"invoice_id": "INV-7", "account": Sealed("DE-44-7117")}
    )
    return {"output": task.output, "proof": task.proof.to_json()}


async def main(home: str) -> None:
    async with project.open(settings=Settings(home=Path(home), sweep_interval=0.1)) as app:
        job = await app.start(check, idempotency_key="one")
        os.write(1, json.dumps(await app.result(job)).encode())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
