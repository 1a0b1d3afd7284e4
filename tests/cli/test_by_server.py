"""Verbs with `--server URL`: they show and do through the API what they do at the folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.shell import Done, Shell
from tests.cli.test_serve import served

pytestmark = pytest.mark.folder

Typed = Callable[..., Done]


@pytest.fixture
def url(lampwork: Shell, stop: Any) -> Iterator[str]:
    """The address of a server, in the folder whose jobs it executes."""
    server, said = served(lampwork)
    yield said["url"]
    assert stop(server).code == 0


@pytest.fixture
def asked(lampwork: Shell, url: str, tmp_path: Path) -> Typed:
    """`asked(…)`: a command that has the server's address in its environment."""

    def asked(*words: str, **environment: str) -> Done:
        return lampwork(*words, LAMPWORK_SERVER=url, **environment)

    return asked


def test_what_a_server_shows_is_what_the_folder_shows(lampwork: Shell, asked: Typed) -> None:
    given = '{"invoice": "I-7"}'
    job = asked("run", "review", "--input", given, "--wait", "--json").json
    waits = asked("run", "asks", "--json").json["job_id"]
    lampwork.job(waits, "suspended")
    conversation = lampwork.json("conversations")["items"][0]["conversation_id"]

    for words in (
        ("jobs",),
        ("jobs", "--waiting-on", "event"),
        ("jobs", "--genie", "finance", "--metadata", "invoice_id", "--since", "1d"),
        ("job", job["job_id"]),
        ("job", waits),
        ("conversations",),
        ("conversations", "--recipe", "review", "--status", "answered", "--since", "1d"),
        ("conversations", "--waiting-on", "event", "--text", "customs", "--until", "1d"),
        ("conversation", conversation),
        ("conversation", conversation, "--as-model"),
        ("conversation", conversation, "recording"),
        ("workers",),
        ("genies",),
        ("genie", "finance"),
        ("triggers",),
        ("trigger", "review"),
    ):
        by_server, here = asked(*words, "--json"), lampwork(*words, "--json")
        assert (by_server.code, by_server.json) == (0, here.json), words
        assert (asked(*words).code, asked(*words).err) == (0, ""), words

    [listed] = asked("jobs", "--waiting-on", "event", "--json").json["items"]
    assert listed["job_id"] == waits
    assert not asked("jobs", "--until", "1d", "--json").json["items"]


def test_work_is_handed_in_and_seen_through(lampwork: Shell, asked: Typed) -> None:
    added = asked("run", "add", "--input", '{"a": 1}', "--wait")
    failed = asked("run", "fails", "--wait")
    task = asked("assign", "finance", "Check it.", "--metadata", "invoice_id=I-7", "--wait")
    queued = asked("run", "where")

    assert (added.code, added.out.splitlines()[-1]) == (0, "3")
    assert "the shop is closed" in failed.err
    assert failed.code == 1
    assert '"approved I-7: fine"' in task.out
    assert "approved I-7" in lampwork.effects()
    assert "Look at it: lampwork job j" in queued.out
    assert "--server" not in queued.out  # it is in the environment of whoever types it


def test_a_job_is_decided_on(lampwork: Shell, asked: Typed) -> None:
    job = asked("run", "asks", "--json").json["job_id"]
    lampwork.job(job, "suspended")
    sent = asked("job", job, "send", "go", '"yes"')
    lampwork.job(job, "succeeded")

    failed = asked("run", "fails", "--wait", "--json").json["job_id"]
    planned = asked("job", failed, "retry", "--plan")
    retried = asked("job", failed, "retry", "--yes", "--json").json
    other = asked("run", "asks", "--json").json["job_id"]
    cancelled = asked("job", other, "cancel")

    assert sent.out.startswith(f"Sent go to job {job}.")
    assert planned.out.startswith(f"A retry of job {failed}")
    assert retried["retry_of"] == failed
    assert cancelled.out == f"Job {other} is being cancelled.\n"
    paused = asked("genie", "finance", "pause", "--why", "audit", "--json").json
    assert (paused["paused"]["by"], paused["paused"]["why"]) == ("local", "audit")
    assert asked("genie", "finance", "start").out == "Started finance.\n"


def test_what_is_not_there_is_told_as_anywhere(asked: Typed) -> None:
    for words, code in (
        (("job", "j01m7wbx3ejz021kz99"), "job_not_found"),
        (("genie", "nobody"), "genie_not_found"),
        (("run", "nothing"), "recipe_not_found"),
        (("run", "add", "--input", "{}"), "input_invalid"),
    ):
        refused = asked(*words, "--json")
        assert (refused.code, refused.json["error"]["code"]) == (2, code), words

    assert "A server has its own project" in asked("genies", "project.py").err
    assert "who has the key" in asked("job", "j0", "answer", "1", "--by", "ann").err


@pytest.mark.parametrize(
    "words",
    [("backup", "there"), ("prune",), ("worker",), ("serve",), ("verify",), ("migrate",)],
    ids=lambda words: words[0],
)
def test_a_verb_of_the_place_itself_says_so(lampwork: Shell, words: tuple[str, ...]) -> None:
    refused = lampwork(*words, "--server", "http://127.0.0.1:9", "--json")

    assert (refused.code, refused.json["error"]["code"]) == (2, "not_by_server")
    assert f"`lampwork {words[0]}` works at the folder" in refused.json["error"]["message"]


def test_an_admin_says_who_may_use_the_servers_project(lampwork: Shell, asked: Typed) -> None:
    word = "correct horse battery\n"
    lampwork("account", "cy@example.org", "add", "--password-stdin", input=word)
    key = lampwork.json("key", "boss", "new", "--project", "shop", "--role", "admin")["key"]

    def admin(*words: str, **given: Any) -> Any:
        return asked(*words, "--json", LAMPWORK_KEY=key, **given).json

    made = admin(
        "account", "ann@example.org", "add", "--role", "viewer", "--password-stdin", input=word
    )
    changed = admin("account", "ann@example.org", "role", "builder", "--project", "shop")
    disabled = admin("account", "ann@example.org", "disable")
    everywhere = admin("account", "ann@example.org", "role", "admin", "--project", "*")
    other = admin("key", "ci", "new", "--project", "bank", "--role", "viewer")
    new = admin("key", "ci", "new", "--role", "viewer", "--expires", "90d")
    listed = admin("keys")["items"]

    assert made["roles"] == {"shop": "viewer"}
    assert changed["roles"] == {"shop": "builder"}
    assert disabled == lampwork.json("account", "ann@example.org") == admin("accounts")["items"][0]
    assert len(admin("accounts")["items"]) == 1, "the other one has no role in the project"
    assert "in its own project" in everywhere["error"]["message"]
    assert 'no "bank"' in other["error"]["message"]
    assert new.pop("key").startswith(f"lw_{new['prefix']}_")
    assert new == admin("key", "ci") == next(each for each in listed if each["name"] == "ci")
    assert admin("key", new["prefix"], "revoke")["status"] == "revoked"
    assert admin("key", "ci")["error"]["code"] == "key_not_found"
    assert admin("account", "ann@example.org", "role", "none")["roles"] == {}
    assert admin("account", "ann@example.org")["error"]["code"] == "account_not_found"
    newest = admin("audit", "--limit", "2", "--project", "shop")
    assert newest == lampwork.json("audit", "--limit", "2", "--project", "shop")
    [last, _] = newest["items"]
    assert (last["action"], last["who"]) == ("account.role", f"key boss ({key[3:13]})")
    rest = admin("audit", "--after", newest["next"])["items"]
    assert [each["number"] for each in rest] == [
        each["number"] for each in lampwork.json("audit", "--project", "shop")["items"][2:]
    ]
    assert admin("audit", "--after", "x")["error"]["code"] == "input_invalid"
    assert "account.role" in asked("audit", LAMPWORK_KEY=key).out
    assert (
        asked("accounts", "--json", LAMPWORK_KEY="lw_0").json["error"]["code"] == "sign_in_needed"
    )


def test_by_a_server_the_last_admin_stays_one_and_at_the_place_not(
    lampwork: Shell, asked: Typed
) -> None:
    ann, word = "ann@example.org", "correct horse battery\n"
    of_shop = ("--project", "shop", "--role", "admin")
    lampwork("account", ann, "add", *of_shop, "--password-stdin", input=word)
    key = lampwork.json("key", "boss", "new", *of_shop)["key"]

    refused = asked("account", ann, "disable", LAMPWORK_KEY=key)
    there = lampwork.json("account", ann, "disable")

    assert refused.code == 1
    assert "last active admin of project shop" in refused.err
    assert there["status"] == "disabled"


def test_what_is_typed_comes_before_the_environment(lampwork: Shell) -> None:
    away = {"LAMPWORK_SERVER": "http://127.0.0.1:9"}
    assert lampwork("jobs", "--home", ".", **away).out.startswith("No jobs in")
    both = lampwork("jobs", "--home", ".", "--server", "http://127.0.0.1:9")
    assert "name one of them" in both.err
    none = lampwork("jobs", "--json", **away)
    assert (none.code, none.json["error"]["code"]) == (1, "server_unreachable")
    assert "is it running" in none.json["error"]["message"]


def test_the_key_comes_from_the_environment_or_a_file(
    lampwork: Shell, asked: Typed, tmp_path: Path
) -> None:
    made = lampwork.json("key", "ci", "new", "--project", "shop", "--role", "viewer")
    (tmp_path / "key").write_text(made["key"] + "\n")

    assert asked("jobs", LAMPWORK_KEY=made["key"]).code == 0
    assert asked("jobs", "--key-file", str(tmp_path / "key")).code == 0
    refused = asked("run", "add", "--json", LAMPWORK_KEY_FILE=str(tmp_path / "key"))
    assert (refused.code, refused.json["error"]["code"]) == (2, "role_lacking")
    wrong = asked("jobs", "--json", LAMPWORK_KEY="lw_0")
    assert (wrong.code, wrong.json["error"]["code"]) == (1, "sign_in_needed")
    assert "--key-file" in asked("jobs", LAMPWORK_KEY="lw_0").err
    missing = asked("jobs", "--key-file", str(tmp_path / "none"))
    assert "can't be read" in missing.err
