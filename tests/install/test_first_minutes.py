"""From a wheel to a tested project: installed into an empty environment, then init, run, test."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

_CHECKOUT = Path(__file__).parents[2]

_OFFLINE = re.compile("connection broken by|name resolution|Network is unreachable")
"""What pip says when there is no index to be asked."""

_OF_THIS_CHECKOUT = ("PYTHON", "LAMPWORK_", "COVERAGE_", "PYTEST_", "VIRTUAL_ENV")


class Machine:
    """A machine of somebody who has the wheel and a Python, and none of this checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder / "venv", with_pip=False)
        mine = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_OF_THIS_CHECKOUT)
        }
        programs = f"{folder / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        self.environment = mine | {"PATH": programs}

    def types(self, words: str, *, code: int = 0) -> str:
        """What a line typed into a shell prints."""
        done = self.typed(words)
        assert done.returncode == code, done
        return done.stdout

    def typed(self, words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-ec", words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def install(self, wheel: Path) -> None:
        """`pip install` the wheel, with the versions that everything else is tested with."""
        versions = re.findall(r"^[\w.-]+==\S+", (_CHECKOUT / "requirements.lock").read_text(), re.M)
        (self.folder / "versions.txt").write_text("\n".join(versions))
        # Our pip, for their Python: to give them one of their own takes as long as all the rest.
        pip = f"{sys.executable} -m pip --python venv install --quiet --no-compile"
        done = self.typed(f"{pip} --constraint versions.txt {wheel}")
        if done.returncode != 0 and _OFFLINE.search(done.stdout + done.stderr):
            pytest.skip("pip can't reach its index")
        assert done.returncode == 0, done


@pytest.mark.timeout(600)
def test_a_wheel_is_installed_and_init_run_and_test_need_no_other_step(
    wheel: Path, tmp_path: Path
) -> None:
    machine = Machine(tmp_path)
    machine.install(wheel)

    assert machine.types("lampwork --version") == f"lampwork {wheel.name.split('-')[1]}\n"
    where = machine.types("python -c 'import lampwork; print(lampwork.__file__)'")
    assert where.startswith(str(tmp_path / "venv"))

    made = json.loads(machine.types("lampwork init x --json"))
    assert made["next"][0] == "cd x"
    machine.folder = tmp_path / "x"
    run, *others = made["next"][1:]
    first = json.loads(machine.types(f"{run} --json"))
    assert (first["status"], first["output"]["voucher"]) == ("succeeded", 5)
    for words in others:
        machine.types(words)
    examined = json.loads(machine.types("lampwork doctor --json"))["items"]
    assert "problem" not in [each["state"] for each in examined], examined
    # The last of them was the test: it can be believed only if it can fail.
    project = machine.folder / "project.py"
    project.write_text(project.read_text().replace("(order, euros)", '("A-1", euros)'))
    assert others[-1].endswith("test_project.py")
    machine.types(others[-1], code=1)
