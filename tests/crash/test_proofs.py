"""The proof of a task whose process was killed counts every request that was made."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.crash.conftest import Run


@pytest.mark.parametrize(
    ("kills", "cut_off"),
    [
        (("model.after=kill",), 1),
        (("model.after=kill@2",), 1),
        (("model.after=kill@2", "model.after=kill", "model.after=kill"), 3),
        (("said.appended=kill@2",), 0),
        (("skill.after_effect=kill@2",), 0),
        (("skill.after_effect=kill", "model.after=kill", "skill.after_effect=kill"), 1),
        # Nobody can know whether it was sent before the process ended.
        (("model.before=kill@2",), 1),
        (("result.appended=kill", "model.after=kill"), 2),
        (("answer.appended=kill",), 0),
    ],
    ids=lambda each: " then ".join(each) if isinstance(each, tuple) else str(each),
)
def test_a_killed_request_is_counted_as_one_that_may_have_been_made(
    run: Run, tmp_path: Path, kills: tuple[str, ...], cut_off: int
) -> None:
    live = ("-m", "tests.crash.prover", str(tmp_path))
    for kill in kills:
        assert run(*live, home=tmp_path, failpoints=kill).returncode == -signal.SIGKILL
    done = run(*live, home=tmp_path)
    assert done.returncode == 0, done.stderr

    made = len((tmp_path / "asked").read_text())
    result: dict[str, Any] = json.loads(done.stdout)
    proof = result["proof"]
    assert (proof["requests"], proof["cut_off"]) == (3, cut_off)
    unsure = sum(not kill.startswith("model.after") for kill in kills)
    assert made <= 3 + cut_off <= made + unsure
    # What is in it is as it would have been, and what is sealed has stayed so.
    assert result["output"] == "pay to DE-44-7117"
    assert [(each["key"], each["requests"]) for each in proof["carried"]] == [("invoice_id", 2)]
    assert proof["sealed"] == ["account"]
    assert [len(reads) for reads in proof["keys"].values()] == [2, 2]
