"""What one types, for the reference of the command line: docs/cli.md."""

from __future__ import annotations

_WAIT = "w01m7wbk1d094e6rx7r.1.2.0"
_JOB = "j01m7wbk1d094e6rx7r"

EXAMPLES: dict[str, tuple[str, ...]] = {
    "init": ("init shop",),
    "check": ("check",),
    "run": (
        """run greet --input '{"name": "Ada"}' --wait""",
        "run shop.py greet --json",
    ),
    "assign": (
        "assign clerk 'Sort this letter.' --file letter.pdf --metadata order=A-17 --wait",
        "assign clerk 'Go on.' --conversation c01m7wbk1d094e6rx7r.1 --budget dollars=0.5",
    ),
    "worker": ("worker", "worker shop.py --home /var/lib/shop"),
    "jobs": ("jobs --status needs_attention",),
    "job": (f"job {_JOB}",),
    "job ID cancel": (f"job {_JOB} cancel",),
    "job ID send": (f"""job {_JOB} send colour '"red"'""",),
    "job ID resolve": (
        f"""job {_JOB} resolve {_WAIT} happened --result '"wired"'""",
        f"job {_JOB} resolve {_WAIT} did_not_happen",
    ),
    "job ID answer": (f"""job {_JOB} answer '{{"decision": "refunded"}}' --by ann""",),
    "job ID go-on": (f"job {_JOB} go-on",),
    "job ID retry": (f"job {_JOB} retry --plan",),
    "job ID rerun": (f"job {_JOB} rerun --yes",),
    "job ID fork": (f"job {_JOB} fork --at 3",),
    "genies": ("genies",),
    "genie": ("genie clerk",),
    "genie NAME pause": ("genie clerk pause --why 'the audit'",),
    "genie NAME start": ("genie clerk start",),
    "triggers": ("triggers",),
    "trigger": ("trigger report",),
    "trigger RECIPE fire": ("trigger report fire",),
    "trigger RECIPE pause": ("trigger report pause --why 'the books are closed'",),
    "trigger RECIPE start": ("trigger report start",),
    "upgrade-check": ("upgrade-check",),
    "conversations": ("conversations --genie clerk",),
    "conversation": ("conversation c01m7wbk1d094e6rx7r.1",),
    "conversation ID artifact": (
        "conversation c01m7wbk1d094e6rx7r.1 artifact receipt.pdf --to receipt.pdf",
    ),
}
