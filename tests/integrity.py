"""Whether every row of a folder belongs to something that is there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

BELONGS = (
    ("jobs.root_id", "jobs.id"),
    ("jobs.parent_id", "jobs.id"),
    ("jobs.copy_of", "jobs.id"),
    ("jobs.executor", "executors.id"),
    ("calls.job_id", "jobs.id"),
    ("calls.kept_from", "jobs.id"),
    ("waits.job_id", "jobs.id"),
    ("inbox.wait_id", "waits.id"),
    ("inbox.substr(topic, 1, instr(topic, ':') - 1)", "jobs.id"),
    ("conversations.id", "tasks.conversation_id"),
    ("conversations.copied_from", "conversations.id"),
    ("entries.conversation_id", "conversations.id"),
    ("entries.task_id", "tasks.id"),
    ("line.task_id", "tasks.id"),
    ("budgets.id", "tasks.id"),
    ("reservations.task_id", "tasks.id"),
    ("artifacts.task_id", "tasks.id"),
    ("artifacts.digest", "blobs.digest"),
    ("ends.job_id", "jobs.id"),
    ("logs.job_id", "jobs.id"),
    ("blob_owners.digest", "blobs.digest"),
    ("readings.text", "blobs.digest"),
    ("triggers.job_id", "jobs.id"),
)
"""What rows name, and where that must be. The keys of polls stay when their jobs go."""

OWNERLESS = """
    select owner from blob_owners where owner not in (select id from jobs)
    and owner not in (select id from tasks)
    and owner not in (select task_id || '.' || call || '/' || name from artifacts)
"""

# A task goes with the later of the two.
OF_NOTHING = """
    select id from tasks where job_id not in (select id from jobs)
    and conversation_id not in (select id from conversations)
"""


def dangling(home: Path) -> dict[str, list[object]]:
    """What rows of a folder name and is not there, and what is left to prune."""
    queries = {
        "owners of blobs": OWNERLESS,
        "tasks of nothing": OF_NOTHING,
        "left to prune": "select id from pruned",
    }
    for named, where in BELONGS:
        (table, _, column), (parent, _, key) = named.partition("."), where.partition(".")
        queries[named] = (
            f"select {column} from {table} where {column} is not null"
            f" and {column} not in (select {key} from {parent})"
        )
    with closing(sqlite3.connect(home / "lampwork.db")) as connection:
        found = {what: [row[0] for row in connection.execute(q)] for what, q in queries.items()}
    return {what: rows for what, rows in found.items() if rows}


def stray_records(home: Path) -> set[str]:
    """The engine's records of jobs that there are not."""
    with closing(sqlite3.connect(home / "lampwork.db")) as connection:
        connection.execute("attach ? as engine", (str(home / "engine.db"),))
        query = "select workflow_uuid from engine.workflow_status"
        recorded = {row[0] for row in connection.execute(query)}
        return recorded - {row[0] for row in connection.execute("select id from jobs")}
