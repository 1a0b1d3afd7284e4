"""What a project says of retention, and what the docs say of each table."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lampwork import Retention
from lampwork.errors import RetentionInvalid
from lampwork.store import schema

DAY = 86400.0


def test_every_table_says_in_the_docs_who_deletes_its_rows_and_when() -> None:
    page = Path(__file__).parents[2] / "docs" / "retention.md"
    _, _, told_of = page.read_text().partition("## Which rows go when")
    section = told_of.partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    told = [name.strip("` ") for row in rows for name in row.split(",")]

    assert sorted(told) == sorted(schema.metadata.tables)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"jobs": "soon"}, "no length of time"),
        ({"jobs": 90}, "no length of time"),
        ({"jobs": "1s"}, "less than a minute"),
        ({"jobs": "30d", "conversations": "4w"}, "shorter than jobs="),
        ({"jobs": "30d", "every": "1s"}, "less than a minute"),
    ],
)
def test_a_retention_that_makes_no_sense_is_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(RetentionInvalid, match=why):
        Retention(**given)


def test_lengths_of_time_are_texts_or_timedeltas() -> None:
    kept = Retention(jobs="2w", conversations=timedelta(days=365), every="12h")

    assert (kept.of_jobs, kept.of_conversations, kept.interval) == (14 * DAY, 365 * DAY, DAY / 2)
    assert Retention(jobs="1y").of_conversations == 365 * DAY
