"""People and programs that use a project from outside: who calls, and what they may do."""

from lampwork.people.caller import Caller, may

__all__ = ["Caller", "may"]
