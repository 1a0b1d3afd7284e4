from lampwork import Answer, Call, Job, Metadata, Project, Turn, playbook

project = Project("shop")


@project.skill(effect="at_most_once")
def wire(cents: int, account: Metadata[str]) -> str:
    """Wire money to the customer."""
    raise ConnectionError("the bank hung up")


@playbook
def script(turn: Turn) -> Call | Answer:
    if not turn.results:
        return Call("wire", cents=500)
    return Answer(f"done: {turn.results[0].value}")


cashier = project.genie("cashier", model=script, job_description="You pay.", skills=[wire])


@project.recipe()
async def add(job: Job, a: int, b: int = 2) -> int:
    return a + b


@project.recipe()
async def order(job: Job, item: str) -> str:
    colour = await job.wait_for("colour", str)
    return f"a {colour} {item}"


@project.recipe()
async def refund(job: Job, account: str) -> str:
    task = await job.assign_task(cashier, "Pay 5 back.", metadata={"account": account})
    return task.output
