"""Who executes the jobs of a folder, and what is said when nobody executes those of a project."""

from __future__ import annotations

from lampwork.insights import Executor


def executor_lacking(executor: Executor | None, project: str, worker: str) -> str | None:
    """What has to be done for a project's jobs to be executed; None when they are."""
    if executor is None:
        return f"No worker executes the jobs of {project} now. Start one: {worker}"
    if executor.project != project:
        return (
            f"Process {executor.pid} executes the jobs of {executor.project} here, none of "
            f"{project}. When it has ended, start a worker of {project}: {worker}"
        )
    return None
