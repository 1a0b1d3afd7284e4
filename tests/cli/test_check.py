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
    first, second, last = done.out.splitlines()
    assert first.startswith('faulty.py:4: error: What skill "give" returns can\'t be written down')
    assert second == (
        'faulty.py:4: warning: Skill "give" has no docstring, so a model can\'t know its use. '
        "Write one that says when to use it."
    )
    assert last == "Project faulty (0 recipes, 0 genies, 1 skill): 1 error, 1 warning."
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


def test_a_definition_that_python_can_not_import_is_an_error_too(lampwork: Any) -> None:
    (lampwork.folder / "broken.py").write_text(
        "from lampwork import Project\n"
        "project = Project('broken')\n"
        "@project.skill()\n"
        "def give(anything): ...\n"
    )

    done = lampwork("check", "broken.py")

    assert done.code == 1
    assert "parameter anything has no annotation" in done.err
