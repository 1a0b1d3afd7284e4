"""The ticket story: each ticket is one job, rightly sorted, and a P1 pages its engineer once."""

from __future__ import annotations

import base64
from pathlib import Path

import httpx
import pytest
from tests.warm import Warm

from ticket_triage import send

from .conftest import ended, service, serving

SECRET = "whsec_" + base64.b64encode(b"a secret of a test, of 32 bytes.").decode()
ANOTHER = "whsec_" + base64.b64encode(b"another one, of 32 bytes as well").decode()

SORTED = {
    "TCK-20418": ("P1", "payments", "tomas@support.example"),
    "TCK-20419": ("P4", "payments", None),
    "TCK-20420": ("P2", "login", None),
    "TCK-20421": ("P1", "privacy", "ines@support.example"),
    "TCK-20422": ("P3", "delivery", None),
    "TCK-20423": ("P4", "other", None),
}


def test_each_ticket_is_sorted_and_a_p1_pages_its_engineer_once(
    warm: Warm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKETS_SECRET", SECRET)
    with service("ticket_triage.pager", PAGER_URL=monkeypatch) as pager:
        with serving(warm, "ticket_triage/project.py", tmp_path) as api:
            url = str(api.base_url)
            with pytest.raises(httpx.HTTPStatusError, match="401"):
                send.send(url, ANOTHER)
            first, again = send.send(url, SECRET), send.send(url, SECRET)
            found = {each: ended(api, first[each]["job_id"])["output"] for each in SORTED}
        pages = pager.get("/pages").json()

    assert {each: again[each]["job_id"] for each in SORTED} == {
        each: first[each]["job_id"] for each in SORTED
    }
    shown = {each: (job["priority"], job["area"], job["paged"]) for each, job in found.items()}
    assert shown == SORTED
    assert sorted((each["to"], each["repeats"]) for each in pages) == [
        ("ines@support.example", 0),
        ("tomas@support.example", 0),
    ]
