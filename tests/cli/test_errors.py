"""Whatever goes wrong: one line that says what to do, no traceback, and an exit code."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("run", "nope"), "recipe_not_found", 'has no recipe "nope"'),
        (("run", "add"), "input_invalid", "a: missing"),
        (("run", "add", "--input", '{"a": "x"}'), "input_invalid", "a: Input should be a valid"),
        (("run", "add", "--input", '{"a": 1, "c": 1}'), "input_invalid", "c: there is no such"),
        (("run", "add", "--input", "[1]"), "input_invalid", "must be a JSON object"),
        (("run", "add", "--input", "{"), "input_invalid", """as in '{"name": "Ada"}'."""),
        (("run", "add", "--input", '{"a": NaN}'), "input_invalid", "NaN is not in JSON"),
        (("run", "nosuch.py", "add"), "project_not_found", "There is no file nosuch.py"),
        (("run", "add", "a.json"), "project_not_found", """lampwork run add --input '{"name"""),
        (("run", "nosuch", "add"), "project_not_found", '"nosuch" names no project'),
        (("run", "nosuch:project", "add"), "project_not_found", 'no module "nosuch"'),
        (("run", "project.py:other", "add"), "project_not_found", "It has: project:project"),
        (("assign", "nobody", "Hi."), "genie_not_found", 'has no genie "nobody"'),
        (("assign", "finance", " "), "instructions_missing", "no instructions"),
        (
            ("assign", "finance", "Hi.", "--metadata", "invoce_id=1"),
            "metadata_unknown",
            'Did you mean "invoice_id"?',
        ),
        (("assign", "finance", "Hi.", "--data", "{"), "input_invalid", "as in '\"text\"'."),
        (
            ("assign", "finance", "Hi.", "--conversation", "c0"),
            "conversation_not_found",
            "no conversation c0",
        ),
        (("run", "add", "--input", '{"first": "\\ud800", "second": 1}'), "input_invalid", "first"),
        (("assign", "finance", "Hi.", "--data", '"\\ud800"'), "input_invalid", "surrogates"),
        (("job", "j0"), "job_not_found", "There is no job j0"),
        (("job", "j0", "cancel"), "job_not_found", "There is no job j0"),
        (("job", "j0", "send", "go", "{"), "input_invalid", "The value is not JSON"),
        (("job", "j0", "send", "go", "yes"), "input_invalid", "as in '\"text\"'."),
        (("conversation", "c0"), "conversation_not_found", "There is no conversation c0"),
    ],
)
def test_what_does_not_fit_is_refused_with_2(
    lampwork: Any, words: tuple[str, ...], code: str, message: str
) -> None:
    refused = lampwork(*words, "--json")

    assert refused.code == 2
    assert refused.err == ""
    assert list(refused.json) == ["error"]
    assert list(refused.json["error"]) == ["code", "message", "fields"]
    assert refused.json["error"]["code"] == code
    assert message in refused.json["error"]["message"]


def test_people_read_one_line_and_nothing_was_queued(lampwork: Any) -> None:
    refused = lampwork("run", "add", "--input", '{"a": "x"}')

    assert (refused.code, refused.out) == (2, "")
    [line] = refused.err.splitlines()
    assert line.startswith("Error: The input of add does not fit: a: Input should be a valid int")
    assert lampwork.json("jobs")["items"] == []


@pytest.mark.parametrize(
    "words",
    [
        ("frob",),
        ("run",),
        ("run", "project.py"),
        ("run", "add", "--frob"),
        ("run", "project.py", "add", "more"),
        ("assign", "finance"),
        ("assign", "finance", "Hi.", "--metadata", "invoice_id"),
        ("assign", "finance", "Hi.", "--output", "nosuch.json"),
        ("jobs", "--status", "sleeping"),
        ("job", "j0", "frob"),
        ("job", "j0", "resolve", "w0", "perhaps"),
    ],
)
def test_bad_usage_is_refused_with_2(lampwork: Any, words: tuple[str, ...]) -> None:
    text = lampwork(*words)
    assert (text.code, text.out) == (2, "")
    assert "Usage: lampwork" in text.err


def test_bad_usage_is_json_for_programs(lampwork: Any) -> None:
    refused = lampwork("run", "--json")

    assert (refused.code, refused.json["error"]["code"]) == (2, "usage")


def test_without_a_project_it_says_where_one_is_looked_for(lampwork: Any) -> None:
    (lampwork.folder / "project.py").unlink()

    refused = lampwork("worker")

    assert refused.code == 2
    assert "neither lampwork.toml nor project.py" in refused.err


def test_a_file_with_two_projects_asks_which(lampwork: Any) -> None:
    code = "from lampwork import Project\nnorth = Project('n')\nsouth = Project('s')\n"
    (lampwork.folder / "both.py").write_text(code)

    refused = lampwork("run", "both.py", "add")

    assert refused.code == 2
    assert "Say which: both:north, both:south" in refused.err


def test_a_file_without_a_project_is_told_so(lampwork: Any) -> None:
    (lampwork.folder / "none.py").touch()

    refused = lampwork("run", "none.py", "add")

    assert refused.code == 2
    assert refused.err == (
        'Error: none.py holds no project. Make one: project = Project("name").\n'
    )


@pytest.mark.parametrize(
    "words",
    [("jobs",), ("job", "j0"), ("job", "j0", "cancel"), ("conversations",), ("conversation", "c0")],
)
def test_a_home_that_does_not_exist_is_said(lampwork: Any, words: tuple[str, ...]) -> None:
    named = lampwork(*words, "--home", "nosuch")
    set_ = lampwork(*words, LAMPWORK_HOME="nosuch")

    for refused, by in ((named, "--home"), (set_, "LAMPWORK_HOME")):
        assert (refused.code, refused.out) == (2, "")
        assert f"{by}: there is no folder " in refused.err
    assert not (lampwork.folder / "nosuch").exists()


def test_it_says_its_version(lampwork: Any) -> None:
    assert lampwork("--version").out == f"lampwork {version('lampwork')}\n"


def test_a_project_that_does_not_import_shows_its_own_traceback(lampwork: Any) -> None:
    (lampwork.folder / "broken.py").write_text("def load():\n    {}['key']\n\nload()\n")

    broken = lampwork("run", "broken.py", "add")
    assert broken.code == 1
    said, first, *lines, last = broken.err.splitlines()
    assert said == "Error: broken can't be imported: KeyError: 'key'"
    assert (first, last) == ("Traceback (most recent call last):", "KeyError: 'key'")
    assert [line for line in lines if line.startswith("  File")] == [
        f'  File "{lampwork.folder}/broken.py", line 4, in <module>',
        f'  File "{lampwork.folder}/broken.py", line 2, in load',
    ]

    broken = lampwork("run", "broken.py", "add", "--json")
    assert (broken.code, broken.json["error"]["code"]) == (1, "project_broken")


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("import nosuch\n", "No module named 'nosuch'"),
        ("def f(:\n", "SyntaxError: invalid syntax"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
    ],
)
def test_whatever_keeps_a_project_from_being_imported_is_shown(
    lampwork: Any, code: str, shown: str
) -> None:
    (lampwork.folder / "broken.py").write_text(code)

    broken = lampwork("run", "broken.py", "add")

    assert (broken.code, broken.out) == (1, "")
    assert broken.err.startswith("Error: broken can't be imported: ")
    assert shown in broken.err.splitlines()[-1]
    files = [line for line in broken.err.splitlines() if line.startswith("  File")]
    assert [line.partition(",")[0] for line in files] == [f'  File "{lampwork.folder}/broken.py"']


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ("{", "character 2, at its end"),
        ("{a: 1}", 'character 2, at "a: 1}"'),
        ('{"a": 1,\n "b" 2}', 'line 2, character 6, at "2}"'),
        ("", "character 1, at its end"),
    ],
)
def test_json_that_does_not_parse_shows_where(lampwork: Any, given: str, where: str) -> None:
    refused = lampwork("run", "add", "--input", given)

    assert refused.code == 2
    assert f"{where}. Give it in quotes" in refused.err


def test_an_output_that_is_closed_ends_no_verb_with_a_traceback(lampwork: Any) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m lampwork jobs >&-"],
        cwd=lampwork.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_a_wrong_definition_is_an_error_of_ours(lampwork: Any) -> None:
    code = "from lampwork import Project\np = Project('p')\n@p.recipe()\ndef f(job): ...\n"
    (lampwork.folder / "wrong.py").write_text(code)

    refused = lampwork("run", "wrong.py", "f")

    assert refused.code == 1
    assert refused.err.startswith("Error: ")
    assert "async def" in refused.err


def test_a_folder_that_cannot_be_written_is_refused(lampwork: Any) -> None:
    (lampwork.folder / "file").touch()

    for verb in (("run", "asks"), ("run", "asks", "--wait"), ("worker",)):
        refused = lampwork(*verb, "--json", LAMPWORK_HOME="file/state")
        assert (refused.code, refused.json["error"]["code"]) == (1, "folder_not_writable")


def test_a_database_of_a_newer_lampwork_is_left_alone(lampwork: Any) -> None:
    lampwork.queue("run", "asks")
    with closing(sqlite3.connect(lampwork.folder / ".lampwork" / "lampwork.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()

    for verb in (("jobs",), ("run", "asks"), ("worker",)):
        refused = lampwork(*verb, "--json")
        assert (refused.code, refused.json["error"]["code"]) == (1, "database_too_new")


@pytest.mark.parametrize("words", [["--help"], ["jobs", "--help"]])
def test_help_waits_for_no_engine_and_no_model(words: list[str]) -> None:
    program = (
        "import sys, lampwork.cli\n"
        f"sys.argv = ['lampwork', *{words!r}]\n"
        "try:\n    lampwork.cli.main()\n"
        "except SystemExit as exit:\n    assert exit.code == 0, exit.code\n"
        "slow = {'dbos', 'pydantic_ai', 'rich'} & sys.modules.keys()\n"
        "assert not slow, slow\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: lampwork")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "ad"), 'has no recipe "ad". Did you mean "add"?'),
        (("run", "finance"), '"finance" is a genie. Give it a task: lampwork assign finance TEXT'),
        (("genie", "finanse"), 'has no genie "finanse". Did you mean "finance"?'),
        (("jobs", "--limt", "3"), "Did you mean '--limit'?"),
        (("jobz",), 'No verb "jobz". Did you mean "job" or "jobs"?'),
        (("frobnicate",), 'No verb "frobnicate". There are: init, '),
        (("job", "j0", "cancl"), 'No verb "cancl". Did you mean "cancel"?'),
    ],
)
def test_a_name_that_there_is_not_leads_to_one_that_there_is(
    lampwork: Any, words: tuple[str, ...], said: str
) -> None:
    refused = lampwork(*words)

    assert refused.code == 2
    assert said in refused.err


C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize(
    ("words", "environment", "message"),
    [
        (("run", "add", "--input", '{"a": "\udcfc"}'), {}, "Argument 4 is no valid UTF-8, in "),
        (("jobs", "--recipe", "\udcfc"), {}, "Argument 3 is no valid UTF-8, in '\\udcfc'."),
        (("job", "\udcfc"), {}, "Argument 2 is no valid UTF-8"),
        (("jobs", "--recipe", "ü"), C_LOCALE, "set PYTHONUTF8=1, or a UTF-8 locale."),
    ],
)
def test_an_argument_that_is_no_text_is_refused_with_its_place(
    lampwork: Any, words: tuple[str, ...], environment: dict[str, str], message: str
) -> None:
    done = lampwork(*words, "--json", **environment)

    assert (done.code, done.err) == (2, "")
    assert done.json["error"]["code"] == "usage"
    assert message in done.json["error"]["message"]


@pytest.mark.parametrize("words", [("jobs",), ("jobs", "--json"), ("--help",)])
def test_output_that_nobody_can_take_is_said_in_a_line(
    lampwork: Any, ended: Any, words: tuple[str, ...]
) -> None:
    with open("/dev/full", "w") as full:
        done = ended(lampwork.start(*words, stdout=full.fileno()))

    assert done.code == 1
    [line] = done.err.splitlines()
    assert line.startswith("Error: the output could not be written: No space left on device.")
