"""`lampwork assign`: a task for a genie, without a recipe."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from lampwork.cli import completing
from lampwork.cli.execution import carry_out
from lampwork.cli.limits import limits
from lampwork.cli.metadata import texts_of, warn_of_withheld
from lampwork.cli.options import Options, examples, shared
from lampwork.cli.project import load, names_project
from lampwork.cli.run import read_json
from lampwork.door import Door
from lampwork.errors import InputInvalid, MetadataInvalid
from lampwork.genies.genie import Genie
from lampwork.genies.report import Report
from lampwork.insights import Insights
from lampwork.metadata import Sealed, from_texts
from lampwork.types import JobRef
from lampwork.views import JobView

if TYPE_CHECKING:
    from lampwork.cli.at_server import AtServer


@click.command(
    "assign",
    epilog=examples(
        """lampwork assign finance "Check the invoice." --metadata invoice_id=I-7 --wait""",
        """lampwork assign scribe "Sum this up." --file notes.pdf --budget dollars=0.5""",
    ),
)
@click.argument(
    "words",
    nargs=-1,
    required=True,
    metavar="[PROJECT] GENIE INSTRUCTIONS",
    type=completing.genie,
)
@click.option(
    "--metadata",
    "pairs",
    type=completing.metadata,
    multiple=True,
    metavar="KEY=VALUE",
    help="For the skills, never for the model; JSON where the skill takes no text. Repeatable.",
)
@click.option(
    "--sealed",
    "seals",
    type=completing.metadata,
    multiple=True,
    metavar="KEY=VALUE",
    help="As --metadata, and a request that would carry the value is not sent. Repeatable.",
)
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="For the genie to read, as it is now. Up to ten; repeatable.",
)
@click.option("--data", metavar="JSON", help="What the task is about.")
@click.option(
    "--output",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="SCHEMA.json",
    help="A JSON Schema of the answer; without it, text.",
)
@click.option("--report", is_flag=True, help="Have an orchestrator deliver a report, as a page.")
@click.option("--allow-partial", is_flag=True, help="Take what an orchestrator has of it.")
@click.option(
    "--conversation",
    type=completing.conversation_id,
    metavar="ID",
    help="Continue this conversation.",
)
@click.option("--on-problem", metavar="TEXT", help="What to do on errors or doubt.")
@click.option("--public-only", is_flag=True, help="Public documents of its knowledge are enough.")
@limits
@click.option("--wait", is_flag=True, help="Wait for the answer; execute here if no worker does.")
@shared
def command(
    words: tuple[str, ...],
    pairs: tuple[str, ...],
    seals: tuple[str, ...],
    data: str | None,
    output: Path | None,
    report: bool,
    wait: bool,
    options: Options,
    **how: Any,
) -> int:
    """Give a task to GENIE.

    Without --wait it is queued for a worker, and the id of the job that carries it is printed.
    """
    texts = texts_of((*pairs, *seals))
    about = None if data is None else read_json("--data", data, example='"text"')
    schema = None if output is None else _read_schema(output)
    if report and schema is not None:
        raise click.UsageError("Give --report or --output.")
    knowledge = "public_only" if how.pop("public_only") else None
    if (url := options.at_server) is not None:
        from lampwork.cli.handing_in import hand_in, only  # the HTTP client takes its time

        named, what = only(words, 2, "GENIE INSTRUCTIONS")
        given = {"data": about, "output": schema, "knowledge": knowledge, "report": report, **how}
        sealed = texts_of(seals).keys()

        async def assign_there(server: AtServer) -> JobView:
            return await _assign(server, named, what, texts, sealed, given)

        return hand_in(options, url, assign_there, wait=wait)
    project_word, name, instructions = _split(words)
    project = load(project_word)

    async def assign(door: Door) -> JobRef:
        genie = door.project.find_genie(name)
        if how["conversation"] is not None:
            await Insights(door.store).check_conversation(how["conversation"])
        metadata = _metadata(genie, texts, sealed=texts_of(seals).keys())
        answer = Report if report else schema
        task = {"data": about, "output": answer, "metadata": metadata, "knowledge": knowledge}
        job = await door.assign(genie, instructions, **task, **how, kind="cli")
        warn_of_withheld(genie, texts)
        return job

    return carry_out(project, project_word, options, assign, wait=wait)


async def _assign(
    server: AtServer,
    genie: str,
    instructions: str,
    texts: dict[str, Any],
    sealed: Collection[str],
    given: dict[str, Any],
) -> JobView:
    """Assign at a server, which says where a value is to be JSON and no text."""
    while True:
        metadata = {key: Sealed(each) if key in sealed else each for key, each in texts.items()}
        try:
            return await server.assign(genie, instructions, metadata=metadata, **given)
        except MetadataInvalid as error:
            key = str(error.fields.get("key"))
            if not isinstance(texts.get(key), str) or (read := _json(texts[key])) is None:
                raise
            texts = texts | {key: read}


def _json(text: str) -> Any:
    """What a text is as JSON, if it is no text there as well."""
    try:
        read = json.loads(text)
    except ValueError:
        return None
    return None if isinstance(read, str) else read


def _metadata(genie: Genie, texts: dict[str, Any], sealed: Collection[str]) -> dict[str, Any]:
    return {
        key: Sealed(value) if key in sealed else value
        for key, value in from_texts(genie.metadata, texts).items()
    }


def _split(words: tuple[str, ...]) -> tuple[str | None, str, str]:
    match words:
        case (first, _) if names_project(first):
            raise click.UsageError(f"Say what is to be done: lampwork assign {first} GENIE TEXT")
        case (genie, instructions):
            return None, genie, instructions
        case (project, genie, instructions):
            return project, genie, instructions
        case _:
            raise click.UsageError("Give [PROJECT] GENIE INSTRUCTIONS, the instructions in quotes.")


def _read_schema(file: Path) -> dict[str, Any]:
    try:
        schema = json.loads(file.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise InputInvalid(f"{file} is not JSON: {error}.") from error
    if not isinstance(schema, dict):
        raise click.BadParameter("a JSON Schema is an object", param_hint="--output")
    return cast(dict[str, Any], schema)
