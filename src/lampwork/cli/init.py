"""`lampwork init`: a small project to begin with. Its files are those in starter/."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Mapping
from pathlib import Path

import click

from lampwork.cli import output
from lampwork.cli.options import examples

_STARTER = Path(__file__).with_name("starter")

_FILES = {
    "project.py": "project.py",
    "test_project.py": "test_project.py",
    "README.md": "README.md",
    ".gitignore": "gitignore",
}
"""Under which name each file of starter/ is written."""

_NAME = "parcels"
"""What the project is called in starter/."""

_FIRST_RUN = (
    *("lampwork", "run", "answer_customer", "--wait"),
    *("--input", '{"order": "A-1001", "question": "Where is it?"}'),
)


@click.command("init", epilog=examples("lampwork init shop"))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--name", help="What the project is called; by default after the folder.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(folder: Path, name: str | None, as_json: bool) -> int:
    """Begin a project in DIR: a recipe, a genie with a skill, and their test.

    It needs no key: a playbook stands in for the model. A file that is there already is never
    written over.
    """
    called = _checked(name) if name is not None else _name_of(folder)
    _write(folder, _contents(called))
    enter = [] if folder.resolve() == Path.cwd() else [shlex.join(("cd", str(folder)))]
    following = [*enter, shlex.join(_FIRST_RUN), "lampwork check", "python test_project.py"]
    if as_json:
        where = str(folder.resolve())
        output.say_json({"project": called, "folder": where, "files": [*_FILES], "next": following})
    else:
        output.say(f"Project {called} is in {folder}: {', '.join(_FILES)}. Next:")
        output.say(output.indented("\n".join(following)))
    return 0


def _checked(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise click.BadParameter(
            'a project is called by letters, digits, "_" and "-", such as my_shop',
            param_hint="--name",
        )
    return name


def _name_of(folder: Path) -> str:
    """A folder's name as that of a project: `My Shop (2)` is my_shop_2, `Café` cafe."""
    plain = unicodedata.normalize("NFKD", folder.resolve().name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_") or _NAME


def _contents(called: str) -> dict[str, str]:
    """What is written, by name."""
    contents = {name: (_STARTER / file).read_text("utf-8") for name, file in _FILES.items()}
    for name, old, new in (
        ("project.py", f'Project("{_NAME}")', f'Project("{called}")'),
        ("README.md", f"# {_NAME}\n", f"# {called}\n"),
    ):
        contents[name] = contents[name].replace(old, new)
    return contents


def _write(folder: Path, contents: Mapping[str, str]) -> None:
    """All of the files, or none. Raises BadParameter."""
    made: list[Path] = []
    try:
        for missing in _missing(folder):
            missing.mkdir()
            made.append(missing)
        for name, text in contents.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                made.append(folder / name)
                file.write(text)
    except BaseException as error:
        for path in reversed(made):
            path.rmdir() if path.is_dir() else path.unlink()
        if isinstance(error, OSError):
            raise click.BadParameter(_refusal(folder, error), param_hint="DIR") from error
        raise


def _missing(folder: Path) -> list[Path]:
    """The folders that have to be made, the outermost first."""
    return [each for each in reversed([folder, *folder.parents]) if not each.exists()]


def _refusal(folder: Path, error: OSError) -> str:
    if isinstance(error, FileExistsError):
        return (
            f"{error.filename} is there already, and is left as it is. Nothing was written: "
            "name another folder, or move the file away"
        )
    if isinstance(error, NotADirectoryError):
        return f"{folder} can't be a folder: a file is in its place"
    return f"{folder} can't be written: {error.strerror}"
