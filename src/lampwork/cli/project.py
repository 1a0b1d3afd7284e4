"""Which project a verb is about, and its code, imported."""

from __future__ import annotations

import contextlib
import importlib
import sys
import tomllib
import traceback
from pathlib import Path
from types import ModuleType

from lampwork.errors import ProjectError, ProjectNotFound
from lampwork.project import Project

__all__ = ["ProjectBroken", "is_named", "load", "names_project"]

_SETTINGS_FILE = "lampwork.toml"
_DEFAULT = "project.py"


class ProjectBroken(ProjectError):
    """The project's own code raised when it was imported. Fields: `traceback`."""


def names_project(word: str) -> bool:
    """Whether a first argument is a project: `module:name`, or a Python file."""
    path, _, _ = word.partition(":")
    return ":" in word or path.endswith(".py") or Path(path).is_file()


def is_named() -> bool:
    """Whether there is a project without anyone naming one."""
    return Path(_SETTINGS_FILE).is_file() or Path(_DEFAULT).is_file()


def load(word: str | None) -> Project:
    """The project that a word names; without one, that of `lampwork.toml` or `./project.py`.

    Raises ProjectNotFound, ProjectBroken, or a LampworkError of a wrong definition in it.
    """
    return load_with_module(word)[0]


def load_with_module(word: str | None) -> tuple[Project, ModuleType]:
    """As `load`, with the module that the word names."""
    if word is not None or not Path(_SETTINGS_FILE).is_file():
        return _found(word or _default())
    named = _default()
    try:
        return _found(named)
    except ProjectNotFound as error:
        raise ProjectNotFound(
            f'{error.message} It is named in {_SETTINGS_FILE}: project = "{named}".'
        ) from error


def _found(word: str) -> tuple[Project, ModuleType]:
    path, _, name = word.partition(":")
    if path.endswith(".py") or Path(path).is_file():
        module = _import_file(Path(path))
    elif not name:
        raise ProjectNotFound(
            f'"{path}" names no project: there is no such file. Give a Python file, '
            "or `module:name`."
        )
    else:
        module = _import_module(path)
    return (_named(module, name, path) if name else _only(module, path)), module


def _default() -> str:
    settings = Path(_SETTINGS_FILE)
    if settings.is_file():
        try:
            named = tomllib.loads(settings.read_text("utf-8")).get("project")
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ProjectNotFound(f"{settings} can't be read: {error}.") from error
        if not isinstance(named, str):
            raise ProjectNotFound(f'{settings} names no project. Add: project = "project.py"')
        return named
    if not Path(_DEFAULT).is_file():
        raise ProjectNotFound(
            f"There is no project here: neither {_SETTINGS_FILE} nor {_DEFAULT} is in "
            f"{Path.cwd()}. Name one first, as in `lampwork worker path/to/project.py`."
        )
    return _DEFAULT


def _import_file(path: Path) -> ModuleType:
    """Import a file under the name that its package gives it, from its package's parent."""
    if not path.is_file():
        raise ProjectNotFound(f"There is no file {path}.")
    file = path.resolve()
    folder, parts = file.parent, [] if file.stem == "__init__" else [file.stem]
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    name = ".".join(parts)
    if not all(part.isidentifier() for part in parts):
        raise ProjectNotFound(
            f'{path} can\'t be imported: "{name}" is no Python name. Rename the file or its folder.'
        )
    module = _imported(name, folder)
    if Path(module.__file__ or "").resolve() != file:
        raise ProjectNotFound(
            f"{path} can't be imported: {name} is {module.__file__ or 'a part of Python'}. "
            "Give your file another name."
        )
    return module


def _import_module(name: str) -> ModuleType:
    try:
        return _imported(name, Path.cwd())
    except ModuleNotFoundError as error:
        # A module that the project itself lacks is for its own traceback to show.
        raise ProjectNotFound(
            f'There is no module "{name}" here. Give a Python file, or run from its folder.'
        ) from error


def _imported(name: str, folder: Path) -> ModuleType:
    if str(folder) not in sys.path[:1]:
        sys.path.insert(0, str(folder))
    try:
        # What it prints at import is not our output.
        with contextlib.redirect_stdout(sys.stderr):
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise
        raise _broken(name, error) from error
    except (Exception, SystemExit) as error:
        raise _broken(name, error) from error


def _broken(name: str, error: BaseException) -> Exception:
    from lampwork.errors import LampworkError

    if isinstance(error, LampworkError):
        return error
    frames = error.__traceback__
    while frames is not None and _is_machinery(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    text = "".join(traceback.format_exception(type(error), error, frames))
    return ProjectBroken(
        f"{name} can't be imported: {type(error).__name__}: {error}", traceback=text
    )


def _is_machinery(file: str) -> bool:
    return file == __file__ or "importlib" in file


def _named(module: ModuleType, name: str, path: str) -> Project:
    found = getattr(module, name, None)
    if not isinstance(found, Project):
        raise ProjectNotFound(f'{path} has no project "{name}". It has: {_list(module)}.')
    return found


def _only(module: ModuleType, path: str) -> Project:
    projects = {id(each): each for each in vars(module).values() if isinstance(each, Project)}
    if len(projects) != 1:
        raise ProjectNotFound(
            f"{path} holds {len(projects)} projects. Say which: {_list(module)}."
            if projects
            else f'{path} holds no project. Make one: project = Project("name").'
        )
    return next(iter(projects.values()))


def _list(module: ModuleType) -> str:
    names = [name for name, value in vars(module).items() if isinstance(value, Project)]
    return ", ".join(f"{module.__name__}:{name}" for name in names) or "none"


def load_from(folder: Path, module: str, name: str) -> Project:
    """A project by its name in a module, which is imported from a folder.

    Raises ProjectNotFound, ProjectBroken, or a LampworkError of a wrong definition in it.
    """
    return _named(_imported(module, folder), name, module)
