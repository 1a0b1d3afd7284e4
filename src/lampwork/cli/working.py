"""Who executes the jobs of a folder, what is said when nobody does, and why jobs were stopped."""

from __future__ import annotations

from lampwork.cli import output
from lampwork.cli.options import Options
from lampwork.errors import LampworkError
from lampwork.lock import BETWEEN
from lampwork.views import Executor


def code_changed(attention: str | None) -> bool:
    """Whether a job was stopped because its code had changed under it."""
    return (attention or "").startswith("code changed")


def job_lacking(executor: Executor | None, project: str, options: Options) -> str | None:
    """As `executor_lacking`, of a job whose project nobody has named."""
    if executor is not None and executor.executes_all_of(project):
        return None
    at_server = options.at_server is not None
    named = () if at_server or _is_here(project) else ("PROJECT",)
    return executor_lacking(executor, project, options.worker_to_type(*named))


def _is_here(project: str) -> bool:
    """Whether that is the project which nobody has to name."""
    from lampwork.cli.project import is_named, load

    try:
        return is_named() and load(None).name == project
    except LampworkError:
        return False


def executor_lacking(executor: Executor | None, project: str, worker: str | None) -> str | None:
    """What has to be done for a project's jobs to be executed; None when they are.

    `worker` is how one types to start one; None if one can't, because a server is asked.
    """
    if worker is None:
        lacks = executor is None or not executor.executes_all_of(project)
        return f"No worker of the server executes the jobs of {project} now." if lacks else None
    if executor is None:
        return f"No worker executes the jobs of {project} now. Start one: {worker}"
    if executor.project is None:
        return f"`lampwork dev` (process {executor.pid}) has the folder: {BETWEEN}"
    if executor.project != project:
        return (
            f"Process {executor.pid} executes the jobs of {executor.project} here, none of "
            f"{project}. When it has ended, start a worker of {project}: {worker}"
        )
    if executor.limited:
        return (
            f"Process {executor.pid} executes what it was started for, and nothing else. When it "
            f"has ended, start a worker: {worker}"
        )
    return None


def warn_if_lacking(executor: Executor | None, project: str, options: Options) -> None:
    """Print, beside what is shown of jobs that have not ended, what they lack to be executed."""
    if (lacking := executor_lacking(executor, project, options.worker_to_type())) is not None:
        output.warn(lacking)
