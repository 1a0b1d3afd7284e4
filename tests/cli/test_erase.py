"""`lampwork erase`: who is meant is asked for, what would go is said, and tombstones stay."""

from __future__ import annotations

from typing import Any

INVOICE = '{"invoice": "I-1"}'
WHO = ("erase", "--metadata", "invoice_id=I-1")


def reviewed(lampwork: Any) -> str:
    done = lampwork("run", "review", "--input", INVOICE, "--wait", "--json")
    return str(done.json["job_id"])


def test_what_would_go_is_said_and_nothing_is_erased(lampwork: Any) -> None:
    job = reviewed(lampwork)

    look = lampwork(*WHO, "--dry-run")
    unsure = lampwork(*WHO)

    assert look.out.startswith("Would be erased: 1 job in 1 tree, 1 task, 1 conversation of ")
    assert (unsure.code, unsure.out) == (2, "")
    assert "Nothing was erased. Add --yes to do it, --dry-run to look." in unsure.err
    assert lampwork.json(*WHO, "--dry-run")["would_erase"]["jobs"] == [job]
    assert lampwork.json("conversations")["items"] != []


def test_it_is_asked_for_on_a_terminal(lampwork: Any) -> None:
    job = reviewed(lampwork)

    assert "Nothing was erased." in lampwork.terminal(*WHO, typed="n\n", code=1)
    assert lampwork.json("conversations")["items"] != []
    assert "Erased 1 job in 1 tree" in lampwork.terminal(*WHO, typed="y\n")
    assert lampwork.json("conversations")["items"] == []
    assert "erased" in lampwork("job", job).out


def test_where_nothing_was_ever_written_there_is_nothing_to_erase(lampwork: Any) -> None:
    assert lampwork(*WHO, "--dry-run").out == "There is nothing to erase.\n"
    assert lampwork.json(*WHO, "--dry-run")["would_erase"]["jobs"] == []
    assert lampwork(*WHO, "--yes").out == "There was nothing to erase.\n"


def test_nobody_in_particular_is_bad_usage(lampwork: Any) -> None:
    done = lampwork("erase", "--yes")

    assert done.code == 2
    assert "Say who: --user USER, --metadata KEY=VALUE, or both." in done.err


def test_a_server_frees_its_space_by_itself(lampwork: Any, server: str) -> None:
    lampwork("run", "review", "--input", INVOICE, "--wait", LAMPWORK_DB=server)

    done = lampwork(*WHO, "--yes", LAMPWORK_DB=server)

    assert done.out.startswith("Erased 1 job in 1 tree, 1 task, 1 conversation of "), done
    assert "The server frees its space by itself" in done.out
    assert "lampwork prune" not in done.out
