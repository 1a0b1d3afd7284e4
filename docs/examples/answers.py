from pydantic import BaseModel, Field

from lampwork import Answer, CannotComplete, Job, Project, Turn, playbook
from lampwork.errors import OutputInvalid, TaskNotCompleted

project = Project("answers")


class Estimate(BaseModel):
    days: int = Field(gt=0)


@playbook
def careless(turn: Turn) -> Answer:
    print("turn", turn.number, *turn.feedback)
    return Answer({"days": "soon"} if turn.number == 1 else {"days": 3})


@playbook
def stubborn(turn: Turn) -> Answer:
    return Answer({"days": 0})


@playbook
def honest(turn: Turn) -> CannotComplete:
    return CannotComplete("there is no plan to estimate from", missing=["plan"])


genies = {
    script.fn.__name__: project.genie(
        script.fn.__name__, model=script, job_description="You estimate."
    )
    for script in (careless, stubborn, honest)
}


@project.recipe()
async def estimate(job: Job, who: str) -> str:
    try:
        task = await job.assign_task(genies[who], "How long will it take?", output=Estimate)
    except OutputInvalid as error:
        return f"no valid answer, at last {error.attempt}: {error.problems}"
    except TaskNotCompleted as error:
        return f"declined: {error.reason}; missing {error.missing}"
    return f"{task.output.days} days"


if __name__ == "__main__":
    for who in genies:
        print(f"{who}: {project.run(estimate, who=who)}")
