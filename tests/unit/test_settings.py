"""What a process can be told about how it executes jobs, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lampwork import Project, RateLimit, Settings
from lampwork.errors import InputInvalid, ProjectError


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"max_live": -1}, "max_live=-1 can't be. Give a whole number of jobs, from 0 on."),
        ({"max_live": "5"}, "max_live='5' can't be."),
        ({"max_live": 2.5}, "max_live=2.5 can't be."),
        ({"max_live": True}, "max_live=True can't be."),
        ({"grace": -1}, "grace=-1 can't be. Give seconds, from 0 on."),
        ({"grace": "10"}, "grace='10' can't be."),
        ({"park_after": float("nan")}, "park_after=nan can't be."),
        ({"heartbeat": 0}, "heartbeat=0 can't be. Give seconds, from 0.001 on."),
        ({"sweep_interval": None}, "sweep_interval=None can't be."),
        ({"home": "state"}, "home='state' is no folder. Give a pathlib.Path."),
    ],
)
def test_a_setting_of_a_wrong_type_or_size_is_refused(
    tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputInvalid) as raised:
        Settings(**({"home": tmp_path} | given))

    assert raised.value.message.startswith(said)


def test_what_is_at_the_bounds_is_taken(tmp_path: Path) -> None:
    settings = Settings(tmp_path, max_live=0, grace=0, park_after=0.0, heartbeat=0.001)

    assert (settings.max_live, settings.grace) == (0, 0)


def test_a_rate_limit_is_given_as_one() -> None:
    limits: Any = {"openai": RateLimit(requests_per_minute=1), "mistral": 500}

    with pytest.raises(
        ProjectError, match=r'rate_limits\["mistral"\]=500 is no rate limit'
    ) as raised:
        Project("shop", rate_limits=limits)

    assert "test_settings.py:" in raised.value.message
