"""The tables of `lampwork.db`. A job's finished steps are in the engine's own file, not here.

A file for what belongs together; what uses a table imports it from here.
"""

from lampwork.store.schema.base import metadata
from lampwork.store.schema.of_contents import artifacts, blob_owners, blobs, readings
from lampwork.store.schema.of_jobs import (
    calls,
    ends,
    inbox,
    jobs,
    limits,
    logs,
    restorations,
    waits,
)
from lampwork.store.schema.of_people import (
    accounts,
    api_keys,
    attempts,
    audit,
    audit_head,
    links,
    roles,
    sessions,
)
from lampwork.store.schema.of_processes import executors, leases, pruned, writers
from lampwork.store.schema.of_tasks import (
    briefings,
    budgets,
    conversations,
    entries,
    line,
    pauses,
    places,
    rates,
    reservations,
    tasks,
)
from lampwork.store.schema.of_triggers import firings, polled, triggers

__all__ = [
    "accounts",
    "api_keys",
    "artifacts",
    "attempts",
    "audit",
    "audit_head",
    "blob_owners",
    "blobs",
    "briefings",
    "budgets",
    "calls",
    "conversations",
    "ends",
    "entries",
    "executors",
    "firings",
    "inbox",
    "jobs",
    "leases",
    "limits",
    "line",
    "links",
    "logs",
    "metadata",
    "pauses",
    "places",
    "polled",
    "pruned",
    "rates",
    "readings",
    "reservations",
    "restorations",
    "roles",
    "sessions",
    "tasks",
    "triggers",
    "waits",
    "writers",
]
