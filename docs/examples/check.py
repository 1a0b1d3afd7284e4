import time

from lampwork import Job, Project

project = Project("parcels")


def weigh(parcel: str) -> int:
    return len(parcel)


def tell(what: str) -> None:
    print(what)


@project.recipe()
async def ship(job: Job, parcel: str) -> int:
    began = time.time()
    deadline = time.time() + 60  # lampwork: allow unrecorded_call
    job.log(f"ships {parcel} from {began} until {deadline}")
    try:
        job.sleep(5)
        return await job.step(weigh, parcel)
    finally:
        tell(f"{parcel} is on its way")


if __name__ == "__main__":
    for finding in project.check():
        print(f"line {finding.line}: {finding.severity} {finding.code}")
