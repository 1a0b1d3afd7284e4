"""A chat, or a wait, whose executing process goes away; and effects nobody is sure of, asked."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from typing import Any

import pytest

PROJECT = '''
import os
from pathlib import Path

from lampwork import Answer, Call, Job, Metadata, Project, Turn, playbook

project = Project("shop")


def note(effect: str) -> None:
    with Path("effects.txt").open("a") as file:
        file.write(effect + "\\n")


def hold_on() -> str:
    note(f"held by {os.getpid()}")
    return Path("pipe").read_text()


@project.skill(effect="idempotent")
def hold() -> str:
    """Works until the test writes into the pipe."""
    return hold_on()


@project.skill()
def book(room: int, guest: Metadata[str] = "nobody") -> str:
    """Book a room."""
    note(f"booked {room}")
    if Path("broken").exists():
        raise ConnectionError("the hotel hung up")
    return "booked"


@project.skill(effect="read")
def margin(customer: Metadata[str]) -> int:
    """What a customer is worth."""
    return 1


@playbook
def clerk(turn: Turn) -> Call | Answer:
    if turn.results:
        return Answer(f"It came to: {turn.results[-1].error or turn.results[-1].value}")
    if "hold" in turn.instructions:
        return Call("hold")
    if "book" in turn.instructions:
        return Call("book", room=7)
    return Answer(f"Heard: {turn.instructions}")


desk = project.genie(
    "desk", model=clerk, job_description="You help.", skills=[hold, book, margin]
)


@playbook
def broken(turn: Turn) -> Answer:
    raise ValueError("no idea")


mute = project.genie("mute", model=broken, job_description="You say nothing.")


@project.recipe()
async def holds(job: Job) -> str:
    return await job.step(hold_on)
'''

Open = Callable[..., Any]
CTRL_C, CTRL_D = "\x03", "\x04"


@pytest.fixture(autouse=True)
def _shop(lampwork: Any) -> None:
    (lampwork.folder / "project.py").write_text(PROJECT)
    os.mkfifo(lampwork.folder / "pipe")


def held(lampwork: Any, times: int) -> list[str]:
    """Which processes have worked, once so many have."""
    lampwork.eventually(lambda: len(lampwork.effects()) == times)
    return lampwork.effects()


def go_on(shown: str) -> list[str]:
    [command] = re.findall(r"Go on with it: lampwork chat (.*)", shown)
    return command.split()


# --- taking over ---


def test_a_chat_takes_over_from_a_worker_that_was_killed(terminal: Open, lampwork: Any) -> None:
    worker = lampwork.worker()
    chat = terminal("desk")
    chat.until("you: ")
    chat.type("hold on\n")
    assert held(lampwork, 1) == [f"held by {worker.pid}"]
    worker.kill()
    worker.wait(30)

    chat.until("The process that executed here is gone: this one goes on.\n")
    held(lampwork, 2)
    (lampwork.folder / "pipe").write_text("got it")
    chat.until("desk: It came to: got it\n")


@pytest.mark.parametrize("killed", [True, False])
def test_a_chat_that_waits_for_another_takes_over(terminal: Open, killed: bool) -> None:
    first = terminal("desk")
    first.until("you: ")
    second = terminal("desk")
    second.until("you: ")
    second.type("hello\n")
    second.until("worked on when that has ended.\n")
    if killed:
        first.kill()
    else:
        first.type(CTRL_D)
        assert first.ended() == 0
    second.until("The process that executed here is gone: this one goes on.\n")
    second.until("desk: Heard: hello\n")


def test_a_chat_executes_what_is_said_after_the_other_was_left(terminal: Open) -> None:
    first = terminal("desk")
    first.until("you: ")
    second = terminal("desk")
    second.until("you: ")
    first.type(CTRL_D)
    assert first.ended() == 0

    second.type("hello\n")
    assert "No worker" not in second.until("desk: Heard: hello\n")


def test_a_wait_takes_over_from_a_worker_that_was_killed(lampwork: Any, ended: Any) -> None:
    worker = lampwork.worker()
    waiting = lampwork.start("run", "holds", "--wait")
    held(lampwork, 1)
    worker.kill()
    worker.wait(30)

    assert held(lampwork, 2)[1] == f"held by {waiting.pid}"
    (lampwork.folder / "pipe").write_text("got it")
    done = ended(waiting)
    assert (done.code, "got it" in done.out) == (0, True)
    assert "The process that executed here is gone: this one goes on.\n" in done.err


def test_ctrl_d_leaves_a_message_that_is_worked_on(terminal: Open, lampwork: Any) -> None:
    lampwork.worker()
    chat = terminal("desk")
    chat.until("you: ")
    chat.type("hold on\n")
    held(lampwork, 1)
    chat.type(CTRL_D)
    chat.until("The message is kept, and is worked on in the process that executes it.\n")
    assert chat.ended() == 130
    assert go_on(chat.shown)[0] == "desk"


# --- effects nobody is sure of ---


@pytest.fixture
def unsure(terminal: Open, lampwork: Any) -> Any:
    """A chat that asks what became of a booking."""
    (lampwork.folder / "broken").touch()
    chat = terminal("desk", "--metadata", "guest=ann", "--metadata", "customer=C-1")
    chat.until("you: ")
    chat.type("book it\n")
    chat.until("\nIt is not known whether book(room=7) for guest='ann', customer='C-1' happened: ")
    chat.until("Did it happen? y, n (it is done then), or fail: ")
    (lampwork.folder / "broken").unlink()
    return chat


def test_that_it_happened_is_said_with_its_result(unsure: Any, lampwork: Any) -> None:
    unsure.type("maybe\n")
    unsure.until("That says nothing of it. Type y if it happened")
    unsure.until("or fail: ")
    unsure.type("Y\n")
    unsure.until("What did it return? JSON; null if nothing: ")
    unsure.type("room 7\n")
    unsure.until("That is not JSON.")
    unsure.until("nothing: ")
    unsure.type("7\n")  # no text, as `book` returns
    unsure.until("Error: That is no result of book")
    unsure.until("or fail: ")
    unsure.type("yes\n")
    unsure.until("nothing: ")
    unsure.type('"room 7"\n')
    unsure.until("  ✓ book(room=7)  ok")
    unsure.until("desk: It came to: room 7\n")
    assert lampwork.effects() == ["booked 7"]


def test_what_did_not_happen_is_done(unsure: Any, lampwork: Any) -> None:
    unsure.type("n\n")
    unsure.until("desk: It came to: booked\n")
    assert lampwork.effects() == ["booked 7", "booked 7"]


def test_it_is_given_up(unsure: Any, lampwork: Any) -> None:
    unsure.type("fail\n")
    unsure.until("  ✗ book(room=7)")
    unsure.until("you: ")
    assert lampwork.effects() == ["booked 7"]


def test_ctrl_d_leaves_it_unsaid_with_what_to_type(unsure: Any, terminal: Open) -> None:
    unsure.type(CTRL_D)
    assert unsure.ended() == 1
    assert "It is not known whether book(room=7)" in unsure.shown
    assert re.search(r"\n  lampwork job \w+ resolve [\w.]+ did_not_happen\n", unsure.shown)

    again = terminal(*go_on(unsure.shown))
    again.until("Did it happen? ")
    again.type("n\n")
    again.until("desk: It came to: booked\n")


# --- what is said beside ---


def test_skills_that_are_withheld_are_said_at_the_beginning(terminal: Open) -> None:
    chat = terminal("desk")
    chat.until("You talk with desk. Ctrl-D ends.\n")
    chat.until('withheld: margin (the task has no metadata "customer")\n')
    chat.until("you: ")


def test_a_playbook_that_raises_takes_a_line(lampwork: Any) -> None:
    done = lampwork("assign", "mute", "Say something.", "--wait")
    assert (done.code, "Traceback" in done.err) == (1, False)
    [error] = [line for line in done.err.splitlines() if "no idea" in line]
    assert error.startswith("Error: job j")

    [job] = lampwork.json("jobs")["items"]
    assert 'raise ValueError("no idea")' in lampwork("job", job["job_id"]).out


def test_the_worker_to_start_is_of_the_project_of_the_job(lampwork: Any) -> None:
    lampwork.other_project()
    queued = {
        "lampwork worker": lampwork.queue("run", "holds"),
        "lampwork worker PROJECT": lampwork.queue("run", "other.py", "greet"),
    }
    for worker, job in queued.items():
        done = lampwork("job", job, "cancel")
        lacking = [line for line in done.out.splitlines() if "Start one:" in line]
        assert [line.partition("Start one: ")[2] for line in lacking] == [worker], done


def test_lines_behind_an_end_are_said_to_be_unsent(lampwork: Any) -> None:
    (lampwork.folder / "broken").touch()
    done = lampwork(
        *("chat", "desk", "--message", "book it"),
        *("--message", "first of two", "--message", "second"),
    )
    assert (done.code, done.out) == (1, "")
    assert '2 messages were not sent, from "first of two" on.\n' in done.err


def test_a_signal_to_a_chat_leaves_the_rest_unsent(lampwork: Any) -> None:
    process = lampwork.start("chat", "desk", "--message", "hold on", "--message", "and then?")
    held(lampwork, 1)
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    until = [process.stderr.readline() for _ in range(4)]
    assert '1 message was not sent, from "and then?" on.\n' in until
