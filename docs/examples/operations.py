import asyncio
from tempfile import TemporaryDirectory

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from lampwork import Answer, Call, Job, Project, Settings, Turn, playbook
from lampwork.insights import Insights

project = Project("parcels")


@project.skill(effect="read")
def weigh(parcel: str) -> float:
    """Weigh a parcel."""
    return 2.5


@playbook
def carrier(turn: Turn) -> Call | Answer:
    if not turn.results:
        return Call("weigh", parcel="P1")
    return Answer(f"{turn.results[0].value} kg")


clerk = project.genie("clerk", model=carrier, job_description="You weigh.", skills=[weigh])


@project.recipe()
async def ship(job: Job) -> str:
    return (await job.assign_task(clerk, "What does the parcel weigh?")).response


async def main(home: str) -> None:
    sent = InMemorySpanExporter()  # in place of what sends them to your collector
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(sent))
    trace.set_tracer_provider(provider)

    async with project.open(settings=Settings.load(home=home, otel=True)) as app:
        print(await app.run(ship))
        found = await Insights(app.store).operations(seconds=3600)
        print("jobs:", {status: count for status, count in found.jobs.items() if count})
        print("used:", [(each.genie, each.model, each.usage) for each in found.spend])

    spans = {span.context.span_id: span for span in sent.get_finished_spans()}
    for span in sorted(spans.values(), key=lambda span: span.start_time):
        above = span.parent and spans[span.parent.span_id].name
        print(f"{span.name}, below {above}")


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        asyncio.run(main(folder))
