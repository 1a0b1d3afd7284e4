"""The scripts that stand in for models: an auditor and a collector of evidence."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from lampwork import Answer, Call, Calls, CannotComplete, Turn, playbook

Row = dict[str, str]

BREAKS: dict[str, Callable[[Row], str | None]] = {
    "accounts": lambda row: (row["left_on"] and row["account"] == "active" and row["user"]) or None,
    "changes": lambda row: row["change"] if row["author"] == row["approved_by"] else None,
    "backups": lambda row: row["system"] if int(row["days_since_restore_test"]) > 90 else None,
}
"""What in a record breaks the control that its system is asked for."""


@playbook
def auditor(turn: Turn) -> Call | Calls | Answer | CannotComplete:
    if failed := [each.error for each in turn.results if each.error]:
        return CannotComplete(failed[0])
    if not turn.results:
        return Call("request_evidence", systems=turn.data["systems"])
    collected = turn.results[0].value
    if len(turn.results) == 1:
        return Calls(
            *(
                Call("file_evidence", url=each["url"], note=_note(each["exceptions"]))
                for each in collected
            )
        )
    exceptions = [name for each in collected for name in each["exceptions"]]
    status = "exceptions" if exceptions else "effective"
    return Answer({"status": status, "exceptions": exceptions})


def _note(exceptions: list[str]) -> str:
    return f"exceptions: {', '.join(exceptions)}" if exceptions else "no exceptions"


@playbook
def collector(turn: Turn) -> Call | Calls | Answer | CannotComplete:
    if failed := [each.error for each in turn.results if each.error]:
        return CannotComplete(failed[0])
    if not turn.results:
        return Calls(*(Call("export_records", system=each) for each in turn.data["systems"]))
    evidence = [
        {"system": each["system"], "url": each["url"], "exceptions": _exceptions(**each)}
        for each in (result.value for result in turn.results)
    ]
    return Answer({"evidence": evidence})


def _exceptions(system: str, url: str, records: str) -> list[str]:
    rows = csv.DictReader(io.StringIO(records))
    return [name for row in rows if (name := BREAKS[system](row))]
