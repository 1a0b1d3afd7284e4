"""The scripted dispatcher that stands in for a model. It looks for words."""

from __future__ import annotations

from lampwork import Answer, Turn, playbook

PRIORITIES = {
    "P1": ("nobody can", "data leak", "for all our customers"),
    "P2": ("can't log in", "account locked"),
    "P3": ("late", "not moved", "wrong"),
}
AREAS = {
    "privacy": ("data leak", "personal data"),
    "payments": ("payment", "invoice"),
    "login": ("log in", "password"),
    "delivery": ("parcel", "delivered"),
}


@playbook
def dispatcher(turn: Turn) -> Answer:
    ticket = turn.data
    text = f"{ticket['subject']} {ticket['body']}".lower()
    return Answer(
        {
            "priority": _first(PRIORITIES, text) or "P4",
            "area": _first(AREAS, text) or "other",
            "summary": ticket["subject"],
        }
    )


def _first(words: dict[str, tuple[str, ...]], text: str) -> str | None:
    return next((name for name, some in words.items() if any(word in text for word in some)), None)
