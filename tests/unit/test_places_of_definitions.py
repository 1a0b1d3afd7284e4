"""What is wrong with a project's code is said with the file and line where that stands."""

from __future__ import annotations

import pytest

from lampwork import faults
from lampwork.errors import ProjectError

FILE = "/srv/shop/project.py"
BEGINNING = """\
from lampwork import *
project = Project("shop")
"""

WRONG = {
    "a recipe's name twice": (
        "@project.recipe()\nasync def a(job: Job): ...\n"
        "@project.recipe()\nasync def a(job: Job): ...\n",
        [5, 3],
    ),
    "a genie's name twice": (
        'project.genie("a", model="openai:x", job_description="You.")\n\n'
        'project.genie("a", model="openai:x", job_description="You.")\n',
        [5, 3],
    ),
    "a skill's name twice": (
        '@project.skill\ndef a(): "Do."\n\n@project.skill\ndef a(): "Do."\n',
        [6, 3],
    ),
    "an endpoint's path twice": (
        '@project.recipe(triggers=[Endpoint("GET", "{a}")])\nasync def a(job: Job, a: int): ...\n'
        '@project.recipe(triggers=[Endpoint("GET", "{b}")])\nasync def b(job: Job, b: int): ...\n',
        [5, 3],
    ),
    "a cron that never fires": (
        '\n@project.recipe(triggers=[Cron("0 0 30 2 *")])\nasync def a(job: Job): ...\n',
        [4],
    ),
    "a webhook without a secret": (
        '@project.recipe(triggers=[Webhook("x")])\nasync def a(job: Job, x: dict): ...\n',
        [3],
    ),
    "a recipe without its job": ("@project.recipe()\nasync def a(x: int): ...\n", [3]),
    "what is no skill": (
        'project.genie("a", model="openai:x", job_description="You.", skills=[print])\n',
        [3],
    ),
    "a model that is none": ('project.genie("a", model=3, job_description="You.")\n', [3]),
    "a model of an orchestrator that is none": (
        'worker = project.genie("a", model="openai:x", job_description="You.")\n'
        'project.orchestrator("b", model=3, job_description="You.", agents=[worker])\n',
        [4],
    ),
    "a subtask": ('\nSubtask(id="a", title="A", agent="b", brief="Do.", seconds="10")\n', [4]),
    "an input of a subtask": ('\n\nSubtaskInput(nme="x")\n', [5]),
    "a plan of nothing": ("Plan(subtasks=[])\n", [3]),
    "a name of nothing": ('\n\nProject(" ")\n', [5]),
    "no length of time": ('\nRetention(jobs="3x")\n', [4]),
    "a limit that lets nothing be asked": ("\n\nRateLimit(requests_per_minute=0)\n", [5]),
    "limits that are none": ('\nOrchestrationLimits(parallel="2")\n', [4]),
    "what is no host": ('\n\nProject("b", allow_hosts=["http://b/"])\n', [5]),
}


@pytest.mark.parametrize("what", WRONG)
def test_check_keeps_it_with_its_place_and_reads_the_code_behind_it(what: str) -> None:
    code, lines = WRONG[what]
    behind = '\nproject.genie("behind", model=3, job_description="You.")\n'
    with faults.kept() as kept:
        exec(compile(BEGINNING + code + behind, FILE, "exec"), {"__name__": "project"})

    last = (BEGINNING + code + behind).count("\n")
    assert [(each.file, each.line) for each in kept] == [(FILE, lines[0]), (FILE, last)]


@pytest.mark.parametrize("what", WRONG)
def test_it_names_its_place_and_that_of_the_other_one(what: str) -> None:
    code, lines = WRONG[what]
    with pytest.raises(ProjectError) as raised:
        exec(compile(BEGINNING + code, FILE, "exec"), {"__name__": "project"})

    said = raised.value.message
    assert str(raised.value) == said
    assert [said.count(f"{FILE}:{line}") for line in lines] == [1] * len(lines), said
