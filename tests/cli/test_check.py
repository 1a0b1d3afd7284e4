"""`lampwork check`: findings for people and programs, and an exit code for builds."""

from __future__ import annotations

from typing import Any


def test_a_project_without_faults_is_said_to_have_none(lampwork: Any) -> None:
    done = lampwork("check")

    assert done.code == 0
    assert "error" not in done.out
    assert done.out.splitlines()[-1].startswith("Project shop (")


def test_what_will_fail_is_an_error_with_its_place_and_exit_code_1(lampwork: Any) -> None:
    (lampwork.folder / "faulty.py").write_text(
        "from lampwork import Project\n"
        "project = Project('faulty')\n"
        "class Opaque: ...\n"
        "@project.skill()\n"
        "def give() -> Opaque: ...\n"
    )

    done = lampwork("check", "faulty.py")
    shown = lampwork("check", "faulty.py", "--json")

    assert (done.code, shown.code) == (1, 1)
    assert done.out.splitlines() == [
        "1 error (will fail)",
        "  faulty.py:4: output_not_recordable",
        f"    {shown.json['items'][0]['message']}",
        "    Annotate a type that has a JSON form.",
        "",
        "1 warning (likely a mistake)",
        "  faulty.py:4: skill_without_docstring",
        '    Skill "give" has no docstring, so a model can\'t know its use.',
        "    Write one that says when to use it.",
        "",
        "Project faulty (0 recipes, 0 genies, 1 skill): 1 error, 1 warning.",
    ]
    assert shown.json["items"][0]["message"].startswith('What skill "give" returns can\'t be')
    assert [item["code"] for item in shown.json["items"]] == [
        "output_not_recordable",
        "skill_without_docstring",
    ]
    assert list(shown.json["items"][0]) == [
        "code",
        "severity",
        "message",
        "mend",
        "file",
        "line",
    ]


BROKEN = """
from lampwork import Answer, Cron, Job, Poll, Project, playbook

project = Project("broken")

@project.skill()
def give(anything): ...

@project.recipe(triggers=[Cron("@daily")])
async def daily(job: Job, day: str) -> None:
    job.sleep(1)

@project.recipe()
def plain(job: Job) -> None: ...

clerk = project.genie(
    "clerk", model=playbook(lambda turn: Answer("")), job_description="", skills=[give]
)
project.genie("other", model=clerk.model, job_description="", skills=[len])

@project.recipe()
async def weekly(job: Job) -> str:
    return (await job.assign_task(clerk, "Do it.")).output
"""


def test_all_definitions_that_are_wrong_are_found_with_their_places(lampwork: Any) -> None:
    (lampwork.folder / "broken.py").write_text(BROKEN)

    done = lampwork("check", "broken.py", "--json")

    assert done.code == 1
    file = str(lampwork.folder / "broken.py")
    assert [(item["code"], item["line"]) for item in done.json["items"]] == [
        ("skill_invalid", 6),
        ("trigger_invalid", 9),
        ("call_not_awaited", 11),
        ("project_error", 13),
        ("skill_invalid", 19),
    ]
    assert {item["file"] for item in done.json["items"]} == {file}
    assert {item["severity"] for item in done.json["items"]} == {"error"}
    assert done.json["items"][1] == {
        "code": "trigger_invalid",
        "severity": "error",
        "message": 'recipe "daily": Cron gives a recipe nothing, and this one needs day.',
        "mend": "Give them defaults, or use another recipe.",
        "file": file,
        "line": 9,
    }


def test_a_wrong_definition_stops_every_other_verb(lampwork: Any) -> None:
    (lampwork.folder / "broken.py").write_text(BROKEN)

    done = lampwork("run", "broken.py", "weekly")

    assert done.code == 1
    assert "parameter anything has no annotation" in done.err


def test_what_was_wrong_is_shown_also_when_the_import_breaks_off_behind_it(lampwork: Any) -> None:
    (lampwork.folder / "broken.py").write_text(f"{BROKEN}\nfrom nowhere import nothing\n")

    done = lampwork("check", "broken.py")

    assert done.code == 1
    assert "broken.py:9: trigger_invalid" in done.err
    assert "No module named 'nowhere'" in done.err


def test_a_paused_genie_is_noted_where_it_is_defined(lampwork: Any) -> None:
    lampwork("genie", "finance", "pause", "--why", "audit")

    items = lampwork("check", "--json").json["items"]
    [note] = [item for item in items if item["code"] == "genie_paused"]

    assert note["severity"] == "note"
    line = (lampwork.folder / "project.py").read_text().splitlines()[note["line"] - 1]
    assert line == "finance = project.genie("
