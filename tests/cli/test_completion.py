"""What a shell completes: the script it takes, and what it is told then."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lampwork.cli import _VERBS


def completed(lampwork: Any, *words: str, **environment: str) -> list[str]:
    """What is offered for the last of these words, as bash asks for it."""
    done = lampwork(
        **environment,
        _LAMPWORK_COMPLETE="bash_complete",
        COMP_WORDS=" ".join(("lampwork", *words)),
        COMP_CWORD=str(len(words)),
    )
    assert (done.code, done.err) == (0, "")
    return [line.partition(",")[2] for line in done.out.splitlines() if line]


def test_verbs_options_and_values_are_completed(lampwork: Any) -> None:
    assert completed(lampwork, "") == list(_VERBS)
    assert completed(lampwork, "conv") == ["conversations", "conversation"]
    assert completed(lampwork, "jobs", "--st") == ["--status"]
    assert completed(lampwork, "jobs", "--status", "s") == ["suspended", "succeeded"]
    assert completed(lampwork, "genie", "finance", "pause", "--w") == ["--why"]


def test_names_of_the_project_are_completed(lampwork: Any) -> None:
    (lampwork.folder / "other.py").write_text(
        "from lampwork import Job, Project\n"
        "other = Project('other')\n"
        "print('printed at import')\n"
        "@other.recipe()\n"
        "async def greet(job: Job) -> None: ...\n"
    )

    assert completed(lampwork, "run", "a") == ["add", "asks"]
    assert completed(lampwork, "run", "other.py", "") == ["greet"]
    assert completed(lampwork, "genie", "c") == ["cashier", "carrier"]
    assert completed(lampwork, "assign", "finance", "Hi.", "--metadata", "") == ["invoice_id="]


def test_ids_of_the_folder_and_what_can_be_done_are_completed(lampwork: Any) -> None:
    job_id = lampwork.queue("run", "asks", "--home", "state")

    assert completed(lampwork, "--home", "state", "job", "j") == [job_id]
    assert completed(lampwork, "job", "--home", "state", "j") == [job_id]
    assert completed(lampwork, "job", "j", LAMPWORK_HOME="state") == [job_id]
    assert completed(lampwork, "job", job_id, "re") == ["resolve", "reject", "retry", "rerun"]
    assert completed(lampwork, "job", "j") == []
    assert not (lampwork.folder / ".lampwork").exists()


def test_what_goes_wrong_completes_nothing_and_says_nothing(lampwork: Any) -> None:
    (lampwork.folder / "project.py").write_text("raise SystemExit('no')")
    assert completed(lampwork, "genie", "") == []
    assert completed(lampwork, "frob", "") == []
    (lampwork.folder / "project.py").write_text("import time\ntime.sleep(100)")
    assert completed(lampwork, "genie", "") == []
    (lampwork.folder / "junk").mkdir()
    (lampwork.folder / "junk" / "lampwork.db").write_text("junk")
    assert completed(lampwork, "job", "", LAMPWORK_HOME="junk") == []


def test_bash_takes_the_script(lampwork: Any, tmp_path: Path) -> None:
    (shim := tmp_path / "lampwork").write_text(f'#!/bin/sh\nexec {sys.executable} -m lampwork "$@"')
    shim.chmod(0o755)
    program = (
        """eval "$(lampwork completion bash)"; COMP_WORDS=(lampwork conv); COMP_CWORD=1; """
        """_lampwork_completion lampwork; echo "${COMPREPLY[@]}" """
    )

    said = subprocess.run(
        ["bash", "-c", program],
        cwd=lampwork.folder,
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert (said.stdout, said.stderr) == ("conversations conversation\n", "")


@pytest.mark.parametrize(("shell", "line"), [("zsh", "#compdef lampwork"), ("fish", "complete ")])
def test_other_shells_have_theirs(lampwork: Any, shell: str, line: str) -> None:
    assert line in lampwork("completion", shell).out
