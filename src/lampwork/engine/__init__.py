"""The durable engine: DBOS Transact behind one class. Nothing outside this package imports it."""

from lampwork.engine.engine import NEVER_STARTED, Engine, EngineStatus, Standing
from lampwork.engine.history import RecordedCall, recorded_calls
from lampwork.engine.pruning import compact, delete_records, used
from lampwork.engine.steps import (
    CallsDiffer,
    Deposed,
    RecordedElsewhere,
    ReservedCall,
    prove_ownership,
    reserve,
)
from lampwork.engine.tables import migrate_tables

__all__ = [
    "NEVER_STARTED",
    "CallsDiffer",
    "Deposed",
    "Engine",
    "EngineStatus",
    "RecordedCall",
    "RecordedElsewhere",
    "ReservedCall",
    "Standing",
    "compact",
    "delete_records",
    "migrate_tables",
    "prove_ownership",
    "recorded_calls",
    "reserve",
    "used",
]
