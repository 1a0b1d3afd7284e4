"""Jobs whose genie is in the middle of a keyed skill call when their process is killed."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from lampwork import Answer, Call, Job, Metadata, Project, SkillCall, Turn, playbook

project = Project("held")
EFFECTS = "HELD_EFFECTS"
"""Names the file of effects: a line each, the number of the job and the key."""
HOLD = "HELD_HOLD"
"""Set: the skill does not come back."""


@playbook
def payer(turn: Turn) -> Call | Answer:
    return Answer("paid") if turn.results else Call("pay", vendor="Vendor")


@project.skill(effect="idempotent")
async def pay(vendor: str, number: Metadata[int], call: SkillCall) -> str:
    """Pay a vendor."""
    with open(os.environ[EFFECTS], "a") as effects:  # noqa: ASYNC230 -- a line to memory
        effects.write(f"{number} {call.idempotency_key}\n")
    if HOLD in os.environ:
        await asyncio.Event().wait()
    return f"paid {vendor}"


clerk = project.genie("clerk", model=payer, job_description="Pay.", skills=[pay])


async def fetch(number: int) -> dict[str, Any]:
    return {"number": number}


@project.recipe()
async def settle(job: Job, number: int) -> str:
    found = await job.step(fetch, number)
    task = await job.assign_task(clerk, "Pay the vendor.", metadata=found)
    return await job.step(str, task.response)
