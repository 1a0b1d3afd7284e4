from lampwork import Answer, Budget, Call, Job, Project, Turn, playbook
from lampwork.errors import BudgetExceeded

project = Project("research")


@project.skill(effect="read")
def search(query: str) -> str:
    """Search the library."""
    return f"nothing on {query}"


@playbook
def stubborn(turn: Turn) -> Call | Answer:
    return Call("search", query=f"idea {turn.number}")


searcher = project.genie(
    "searcher",
    model=stubborn,
    job_description="You search until you have found it.",
    skills=[search],
    budget=Budget(model_calls=50),  # of a task that is assigned without one
)


@project.recipe()
async def research(job: Job) -> str:
    try:
        task = await job.assign_task(
            searcher,
            "Find the source.",
            budget=Budget(dollars=0.5, model_calls=3),
            deadline=600,  # seconds from now; a timedelta or a datetime will do
        )
    except BudgetExceeded as error:
        print(f"{error.limit}: {error.spent['model_calls']} of {error.budget['model_calls']}")
        return f"gave up after {[action['result'] for action in error.actions]}"
    return task.output


if __name__ == "__main__":
    print(project.run(research))
