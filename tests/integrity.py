"""Whether every row of a place belongs to something that is there."""

from __future__ import annotations

from pathlib import Path

from tests.behind import rows

from lampwork.place import Place

BELONGS = (
    ("jobs.root_id", "jobs.id"),
    ("jobs.parent_id", "jobs.id"),
    ("jobs.copy_of", "jobs.id"),
    ("jobs.executor", "executors.id"),
    ("calls.job_id", "jobs.id"),
    ("calls.kept_from", "jobs.id"),
    ("waits.job_id", "jobs.id"),
    ("inbox.wait_id", "waits.id"),
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

TO_NOBODY = """
    select topic from inbox where topic is not null and not exists
    (select 1 from jobs where substr(topic, 1, length(jobs.id) + 1) = jobs.id || ':')
"""

# A task goes with the later of the two.
OF_NOTHING = """
    select id from tasks where job_id not in (select id from jobs)
    and conversation_id not in (select id from conversations)
"""


def dangling(place: Path | Place) -> dict[str, list[object]]:
    """What rows of a place name and is not there, and what is left to prune."""
    queries = {
        "owners of blobs": OWNERLESS,
        "messages to nobody": TO_NOBODY,
        "tasks of nothing": OF_NOTHING,
        "left to prune": "select id from pruned",
    }
    for named, where in BELONGS:
        (table, _, column), (parent, _, key) = named.partition("."), where.partition(".")
        queries[named] = (
            f"select {column} from {table} where {column} is not null"
            f" and {column} not in (select {key} from {parent})"
        )
    found = {what: [first for first, *_ in rows(place, query)] for what, query in queries.items()}
    return {what: named for what, named in found.items() if named}


def stray_records(place: Path | Place) -> set[str]:
    """The engine's records of jobs that there are not."""
    recorded = rows(place, "select workflow_uuid from workflow_status", "dbos")
    return {each for (each,) in recorded} - {each for (each,) in rows(place, "select id from jobs")}
