from lampwork import Answer, Call, Job, Project, Turn, playbook

project = Project("works")


@project.skill(effect="read")
def measure(what: str) -> str:
    """Measure something."""
    return f"the {what} is 3 m wide"


@playbook
def measuring(turn: Turn) -> Call | Answer:
    return Answer(turn.results[0].value) if turn.results else Call("measure", what="gate")


surveyor = project.genie(
    "surveyor", model=measuring, job_description="You measure.", skills=[measure]
)


@project.recipe()
async def survey(job: Job) -> str:
    """Have somebody measure the gate."""
    return (await job.assign_task(surveyor, "How wide is the gate?")).output


@playbook
def asking(turn: Turn) -> Call | Answer:
    return Answer(f"I hear {turn.results[0].value}.") if turn.results else Call("survey")


foreman = project.genie("foreman", model=asking, job_description="You plan.", skills=[survey])


@project.recipe()
async def plan(job: Job) -> str:
    task = await job.assign_task(foreman, "Plan the new gate.")
    for action in task.actions:
        print(f"{action.skill}: {action.status}")
        for below in action.tasks:
            print(f"  {below.genie}, {below.status}")
            for each in below.actions:
                print(f"    {each.skill}({each.arguments}): {each.result}")
    return task.output


if __name__ == "__main__":
    print(project.run(plan))
