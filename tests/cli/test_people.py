"""`lampwork account`, `key`, `audit` and `verify`: who may do what, and who has done what."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

ANN, WORD = "ann@example.org", "correct horse battery\n"


def add(lampwork: Any, *words: str) -> Any:
    return lampwork("account", ANN, "add", *words, "--password-stdin", "--json", input=WORD)


def test_an_account_is_made_listed_changed_and_disabled(lampwork: Any) -> None:
    assert lampwork.json("accounts") == {"items": [], "next": None}

    made = add(lampwork, "--role", "viewer").json
    lampwork.json("account", ANN, "role", "admin", "--project", "shop")
    lampwork.json("account", ANN, "disable")

    [listed] = lampwork.json("accounts")["items"]
    assert made == listed | {"roles": {"*": "viewer"}, "status": "active"}
    assert listed["roles"] == {"*": "viewer", "shop": "admin"}
    assert listed["status"] == "disabled"
    assert "shop: admin, viewer everywhere" in lampwork("accounts").out
    assert lampwork.json("account", ANN, "role", "none")["roles"] == {"shop": "admin"}
    assert lampwork.json("account", ANN, "enable") == lampwork.json("account", ANN)


def test_what_is_wrong_with_an_account_is_said(lampwork: Any) -> None:
    nobody = lampwork("account", ANN, "--json")
    assert (nobody.code, nobody.json["error"]["code"]) == (2, "account_not_found")

    add(lampwork)
    assert add(lampwork).json["error"]["code"] == "account_exists"
    weak = lampwork("account", ANN, "password", "--password-stdin", "--json", input="short\n")
    assert (weak.code, weak.json["error"]["fields"]) == (2, {"problems": ["password"]})
    assert "--password-stdin" in lampwork("account", ANN, "password").err
    assert "viewer" in lampwork("account", ANN, "role", "owner").err


def test_a_key_is_shown_once_and_revoked(lampwork: Any) -> None:
    made = lampwork.json(
        "key", "ci", "new", "--project", "shop", "--role", "builder", "--expires", "90d"
    )

    [listed] = lampwork.json("keys", "--project", "shop")["items"]
    assert made.pop("key").startswith(f"lw_{listed['prefix']}_")
    assert listed == made
    assert (listed["role"], listed["status"], listed["used_at"]) == ("builder", "active", None)
    assert lampwork.json("keys", "--project", "bank")["items"] == []

    lampwork.json("key", listed["prefix"], "revoke")
    assert lampwork.json("keys")["items"][0]["status"] == "revoked"
    again = lampwork("key", "ci", "revoke", "--json")
    assert (again.code, again.json["error"]["code"]) == (2, "key_not_found")


def test_who_changed_what_is_on_record_and_tampering_is_found(lampwork: Any) -> None:
    assert "The audit log is empty." in lampwork("verify").out
    add(lampwork, "--role", "admin")
    lampwork.json("account", ANN, "disable")

    page = lampwork.json("audit", "--limit", "1")
    [latest] = page["items"]
    assert (latest["action"], latest["on"], latest["address"]) == ("account.disable", ANN, "cli")
    [first] = lampwork.json("audit", "--after", page["next"])["items"]
    assert first["details"] == {"role": "admin", "project": "*"}
    assert "account.disable" in lampwork("audit").out
    assert "The audit log is whole: 2 entries" in lampwork("verify", "--anchor", "anchor").out
    assert "agrees up to entry 2" in lampwork("verify", "--anchor", "anchor").out

    with closing(sqlite3.connect(lampwork.folder / ".lampwork" / "lampwork.db")) as database:
        database.execute("delete from audit where seq = 1")
        database.commit()
    broken = lampwork("verify", "--anchor", "anchor", "--json")
    assert (broken.code, broken.json["broken"]["number"]) == (1, 1)
    assert "broken at entry 1: entry 1 is missing: deleted" in lampwork("verify").out


def test_a_project_that_is_not_there_is_not_given_a_role_or_a_key(
    lampwork: Any, tmp_path: Path
) -> None:
    key = ("key", "ci", "new", "--role", "viewer", "--json", "--project")
    mistyped = lampwork(*key, "shpo")
    add(lampwork)
    role = lampwork("account", ANN, "role", "viewer", "--project", "shpo", "--json")
    other = add(lampwork, "--role", "viewer", "--project", "shpo")
    (lampwork.folder / "bank.py").write_text('import lampwork\nbank = lampwork.Project("bank")\n')
    by_code = lampwork(*key, "bank.py")
    (lampwork.folder / "project.py").rename(lampwork.folder / "elsewhere.py")
    unknown = lampwork(*key, "anything")
    lampwork("run", "elsewhere.py", "add", "--input", '{"a": 1, "b": 2}')
    known = [lampwork(*key, each) for each in ("shop", "anything", "other")]

    for refused in (mistyped, role, other):
        assert (refused.code, refused.json["error"]["code"]) == (2, "project_not_found")
        assert 'Did you mean "shop"?' in refused.json["error"]["message"]
    assert by_code.json["project"] == "bank"
    assert unknown.json["project"] == "anything", "where nothing ran, nothing is known"
    assert [each.code for each in known] == [0, 0, 2]
    assert "There are: shop." in known[2].json["error"]["message"]
    assert lampwork("account", ANN, "role", "none", "--project", "gone").code == 0
