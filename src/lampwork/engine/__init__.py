"""The durable engine: DBOS Transact behind one class. Nothing outside this package imports it."""

from lampwork.engine.engine import NEVER_STARTED, Engine, EngineStatus, Standing
from lampwork.engine.ownership import Deposed, prove_ownership
from lampwork.engine.pruning import compact, delete_records, used
from lampwork.engine.tables import migrate_tables

__all__ = [
    "NEVER_STARTED",
    "Deposed",
    "Engine",
    "EngineStatus",
    "Standing",
    "compact",
    "delete_records",
    "migrate_tables",
    "prove_ownership",
    "used",
]
