"""`lampwork chat`: talking with a genie in a terminal, and through a pipe."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from typing import Any

import pytest

DEADLINE = 60.0

PROJECT = '''
from pathlib import Path

from lampwork import Answer, Call, Calls, Metadata, Project, SkillCall, Turn, playbook

project = Project("shop")


def note(effect: str) -> None:
    with Path("effects.txt").open("a") as file:
        file.write(effect + "\\n")


@project.skill(effect="read")
def look_up(order: str) -> int:
    """Look an order up."""
    return 1200


@project.skill(confirm=True)
def refund(order: str, why: str, customer: Metadata[str] = "nobody") -> str:
    """Refund an order. Use it when the user asks for it."""
    note(f"refunded {order} to {customer}")
    return f"{order} is refunded"


@project.skill(effect="idempotent")
def hold() -> str:
    """Works until the test writes into the pipe."""
    note("held")
    return Path("pipe").read_text()


@playbook
def clerk(turn: Turn) -> Call | Answer:
    so_far = len(turn.results)
    if "hold" in turn.instructions:
        return Answer(turn.results[0].value) if so_far else Call("hold")
    if "refund" not in turn.instructions:
        return Answer(f"Message {1 + len(turn.history) // 2}: {turn.instructions}")
    if so_far == 0:
        return Call("look_up", order="A1")
    if so_far == 1:
        return Call("refund", order="A1", why="late\\nby a week")
    return Answer(turn.results[-1].error or f"Done: {turn.results[-1].value}.")


@playbook
def broken(turn: Turn) -> Answer:
    raise ValueError("no idea")


desk = project.genie(
    "desk", model=clerk, job_description="You help.", skills=[look_up, refund, hold]
)
mute = project.genie("mute", model=broken, job_description="You say nothing.")


@project.skill(approval="legal")
def sign() -> str:
    """Sign."""
    return ""


lawyer = project.genie("lawyer", model=clerk, job_description="You sign.", skills=[sign])
'''


@pytest.fixture(autouse=True)
def _shop(lampwork: Any) -> None:
    (lampwork.folder / "project.py").write_text(PROJECT)


Open = Callable[..., Any]


def go_on(shown: str) -> list[str]:
    """The words after `lampwork chat` of the command that the end names."""
    [command] = re.findall(r"Go on with it: lampwork chat (.*)", shown)
    return command.split()


CTRL_C, CTRL_D = "\x03", "\x04"

# --- in a terminal ---


def test_a_line_is_a_message_and_the_end_says_how_to_go_on(terminal: Open) -> None:
    chat = terminal("desk")
    chat.until("You talk with desk. Ctrl-D ends.\n\nyou: ")
    chat.type("good morning\n\n")
    chat.until("\n\ndesk: Message 1: good morning\n\nyou: ")
    chat.until("you: ")  # the empty line said nothing
    chat.type("and again\n")
    chat.until("desk: Message 2: and again\n\nyou: ")
    chat.type(CTRL_D)
    assert chat.ended() == 0

    again = terminal(*go_on(chat.shown))
    again.until("You talk with desk. Ctrl-D ends.\n")
    again.until("\nyou: and again\n\ndesk: Message 2: and again\n")
    again.until("you: ")
    again.type("still there?\n")
    again.until("desk: Message 3: still there?\n")
    again.until("you: ")
    again.type(CTRL_D)
    assert again.ended() == 0


def test_a_confirmation_is_asked_right_there(terminal: Open, lampwork: Any) -> None:
    chat = terminal("desk", "--user", "ann", "--metadata", "customer=C-1")
    chat.until("you: ")
    chat.type("refund it\n")
    chat.until('  ✓ look_up(order="A1")  ok')
    assert chat.until("Do it? y, n, or n because …: ").endswith(
        "\n\ndesk wants to call refund: Refund an order. Use it when the user asks for it.\n"
        "  order     A1\n"
        "  why       late\n"
        "            by a week\n"
        "  customer  C-1  (metadata)\n"
    )
    assert lampwork.effects() == []
    chat.type("y\n")
    chat.until("  ✓ refund(")
    chat.until("desk: Done: A1 is refunded.\n")
    chat.until("you: ")
    chat.type(CTRL_D)
    assert chat.ended() == 0
    assert lampwork.effects() == ["refunded A1 to C-1"]
    assert go_on(chat.shown)[3:] == ["--user", "ann", "--metadata", "customer=C-1"]


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("n", "none was given"),
        ("No", "none was given"),
        ("n because it is late", "it is late"),
        ("No, because: it is late", "it is late"),
    ],
)
def test_a_no_rejects_with_its_reason(
    terminal: Open, lampwork: Any, typed: str, reason: str
) -> None:
    chat = terminal("desk")
    chat.until("you: ")
    chat.type("refund it\n")
    chat.until("because …: ")
    chat.type("\n")  # says nothing: it is asked again
    chat.until("because …: ")
    chat.type(f"{typed}\n")
    chat.until("  ✗ refund(")
    chat.until(f"desk: The user rejected this call, and it was not run. Reason: {reason}\n")
    chat.until("you: ")
    chat.type(CTRL_D)
    assert chat.ended() == 0
    assert lampwork.effects() == []


@pytest.mark.parametrize("typed", ["ok", "sure", "YES please do", "what would it cost?", "no idea"])
def test_neither_a_yes_nor_a_no_is_asked_again(terminal: Open, lampwork: Any, typed: str) -> None:
    chat = terminal("desk")
    chat.until("you: ")
    chat.type("refund it\n")
    chat.until("because …: ")
    chat.type(f"{typed}\n")
    chat.until("That decides nothing. Type y to do it, n not to, or: n because of …\n")
    chat.until("because …: ")
    chat.type("YES\n")
    chat.until("desk: Done: A1 is refunded.\n")
    assert lampwork.effects() == ["refunded A1 to nobody"]


def test_what_was_typed_before_the_question_was_there_is_no_answer_to_it(
    terminal: Open, lampwork: Any
) -> None:
    chat = terminal("desk", "--metadata", "customer=C-7")
    chat.until("you: ")
    chat.type("refund it\ny\ny\n")
    chat.until("Do it? y, n, or n because …: ")

    chat.type("n because I wait\n")
    assert "Reason: I wait" in chat.until("you: ")
    chat.type("\x04")
    assert chat.ended() == 0
    assert not (lampwork.folder / "effects.txt").exists()


def test_a_question_that_nobody_answered_is_taken_up_later(terminal: Open, lampwork: Any) -> None:
    chat = terminal("desk")
    chat.until("you: ")
    chat.type("refund it\n")
    chat.until("because …: ")
    chat.type(CTRL_D)
    assert chat.ended() == 1
    assert re.search(r"\n  lampwork job \w+ confirm [\w.]+ --by \w+\n", chat.shown)

    killed = terminal(*go_on(chat.shown))
    killed.until("you: refund it\n")
    killed.until("because …: ")
    killed.kill()

    again = terminal(*go_on(chat.shown))
    again.until("because …: ")
    again.type("yes\n")
    again.until("desk: Done: A1 is refunded.\n")
    again.until("you: ")
    again.type(CTRL_D)
    assert again.ended() == 0
    assert lampwork.effects() == ["refunded A1 to nobody"]


def test_ctrl_c_while_the_genie_works_keeps_the_message(terminal: Open, lampwork: Any) -> None:
    os.mkfifo(lampwork.folder / "pipe")
    chat = terminal("desk")
    chat.until("you: ")
    chat.type("hold on\n")
    lampwork.eventually(lambda: lampwork.effects() == ["held"])
    chat.type(CTRL_C)
    chat.until("The message is kept: go on with the chat for its reply.\n")
    chat.until("Go on with it: ")
    chat.until("\n")
    chat.type(CTRL_C)  # what executes does not end by itself
    assert chat.ended() == 130

    again = terminal(*go_on(chat.shown))
    again.until("you: hold on\n")
    lampwork.eventually(lambda: lampwork.effects() == ["held", "held"])
    (lampwork.folder / "pipe").write_text("got it")
    again.until("desk: got it\n")
    again.until("you: ")
    again.type(CTRL_D)
    assert again.ended() == 0


def test_ctrl_c_at_the_prompt_ends_nothing(terminal: Open) -> None:
    chat = terminal("desk")
    chat.until("you: ")
    chat.press(CTRL_C, "Ctrl-D ends.\n")
    chat.until("you: ")
    chat.type("hello\n")
    chat.until("desk: Message 1: hello\n")
    chat.until("you: ")
    chat.type(CTRL_D)
    assert chat.ended() == 0


def test_a_message_without_a_reply_says_why_and_the_chat_goes_on(
    terminal: Open, lampwork: Any
) -> None:
    chat = terminal("mute")
    chat.until("you: ")
    chat.type("hello\n")
    chat.until("Error: no reply, the message has failed")
    chat.until("no idea")
    chat.until("you: ")
    chat.type(CTRL_D)
    assert chat.ended() == 1
    assert "Traceback" not in chat.shown
    [job] = lampwork.json("jobs")["items"]
    assert "in broken\n" in lampwork("job", job["job_id"]).out  # where it was raised


def test_a_worker_that_executes_does_the_work(terminal: Open, lampwork: Any) -> None:
    lampwork.worker()
    chat = terminal("desk")
    chat.until("you: ")
    chat.type("refund it\n")
    chat.until("because …: ")
    chat.type("y\n")
    chat.until("desk: Done: A1 is refunded.\n")
    chat.until("you: ")
    chat.type(CTRL_D)
    assert chat.ended() == 0


def test_what_was_decided_elsewhere_is_said(terminal: Open, lampwork: Any) -> None:
    lampwork.worker()
    chat = terminal("desk", "--user", "ann")
    chat.until("you: ")
    chat.type("refund it\n")
    chat.until("because …: ")
    # That it waits can be seen before the job is shown as suspended.
    [job] = lampwork.eventually(lambda: lampwork.json("jobs", "--status", "suspended")["items"])
    [wait] = job["waiting_on"]
    done = lampwork("job", job["job_id"], "reject", wait["wait_id"], "--by", "ann")
    assert done.out.startswith('Rejected: refund(order="A1", why="late\\nby a week")\n')
    chat.type("y\n")
    chat.until("It was decided elsewhere, by ann.\n")
    chat.until("desk: The user rejected this call")
    assert lampwork.effects() == []


# --- through a pipe ---


def piped(lampwork: Any, lines: str, *words: str) -> Any:
    return lampwork("chat", *words, input=lines)


def test_each_line_of_a_pipe_is_a_message(lampwork: Any) -> None:
    done = piped(lampwork, "good morning\n\nand again\n", "project.py", "desk")

    assert (done.code, done.out) == (
        0,
        "Message 1: good morning\nMessage 2: and again\n",
    )
    assert go_on(done.err)[:2] == ["project.py", "desk"]


def test_replies_are_json_one_on_a_line(lampwork: Any) -> None:
    done = piped(lampwork, "", "desk", "--message", "one", "--message", "two", "--json")

    assert (done.code, done.err) == (0, "")
    first, second = map(json.loads, done.out.splitlines())
    assert [each["response"] for each in (first, second)] == ["Message 1: one", "Message 2: two"]
    assert first["conversation_id"] == second["conversation_id"]


def test_a_pipe_confirms_nothing(lampwork: Any) -> None:
    done = piped(lampwork, "refund it\ny\n", "desk", "--user", "ann")

    assert (done.code, done.out) == (1, "")
    assert '1 message was not sent, from "y" on.\n' in done.err
    assert "It waits for ann to confirm refund(order='A1'" in done.err
    assert "It is left waiting, and nothing more is said here.\n" in done.err
    assert lampwork.effects() == []
    [conversation] = lampwork.json("conversations")["items"]
    assert (conversation["kind"], conversation["user"]) == ("chat", "ann")
    assert (conversation["tasks"], conversation["status"]) == (1, "waiting")

    again = piped(lampwork, "", *go_on(done.err), "--json")
    assert again.code == 1
    waits = json.loads(again.out)["waiting_on"]
    assert [each["kind"] for each in waits] == ["confirmation"]

    [confirm] = re.findall(r"lampwork (job \w+ confirm .*)", done.err)
    assert lampwork(*confirm.split()).code == 0
    last = piped(lampwork, "", *go_on(done.err))
    assert (last.code, last.out) == (0, "Done: A1 is refunded.\n")
    assert lampwork.effects() == ["refunded A1 to nobody"]


def test_a_decision_by_another_or_twice_is_refused(lampwork: Any) -> None:
    done = piped(lampwork, "refund it\n", "desk", "--user", "ann")
    [job] = re.findall(r"lampwork job (\w+) confirm", done.err)
    [wait] = re.findall(r"confirm (w\S+)", done.err)

    stranger = lampwork("job", job, "confirm", wait)
    assert (stranger.code, "asks the user of its chat" in stranger.err) == (2, True)
    rejected = lampwork("job", job, "reject", wait, "--by", "ann", "--reason", "no")
    assert rejected.code == 0
    late = lampwork("job", job, "confirm", wait, "--by", "ann")
    assert (late.code, "already answered by ann" in late.err) == (1, True)
    other = lampwork("job", job, "confirm", "w0")
    assert (other.code, f"Job {job} has no wait w0" in other.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nobody",), 2, 'no genie "nobody"'),
        (("lawyer",), 2, '"lawyer" can\'t be talked to: skill "sign" needs an approval by legal'),
        (("desk", "--conversation", "c0"), 2, "no conversation"),
        (("desk", "--metadata", "customer"), 2, '"customer" is not KEY=VALUE'),
        (("desk", "--metadata", "order=1"), 2, 'declares metadata "order"'),
        ((), 2, "Missing argument"),
    ],
)
def test_what_can_not_be_is_said_before_anything(
    lampwork: Any, words: tuple[str, ...], code: int, said: str
) -> None:
    done = piped(lampwork, "hello\n", *words)

    assert (done.code, done.out) == (code, "")
    assert said.lower() in done.err.lower()
    assert lampwork.json("jobs")["items"] == []


def test_a_chat_is_shown_with_whose_it_is(lampwork: Any) -> None:
    done = piped(lampwork, "hello\n", "desk", "--user", "ann")
    [_, _, conversation, *_] = go_on(done.err)

    shown = lampwork("conversation", conversation).out
    assert shown.startswith(f"Chat of ann {conversation}: answered\n")
    assert "\nann to desk  " in shown
    assert f"{conversation}  chat of ann  desk" in lampwork("conversations").out


def test_a_signal_ends_a_pipe_too(lampwork: Any) -> None:
    os.mkfifo(lampwork.folder / "pipe")
    process = lampwork.start("chat", "desk", "--message", "hold on")
    lampwork.eventually(lambda: lampwork.effects() == ["held"])
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    assert "The message is kept" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE) in (128 + signal.SIGTERM, -signal.SIGTERM)


SIGNALS = """
import os
import signal
from lampwork.cli.chat.chatting import Chat

send = Chat.send


async def send_and_signal(chat, text):
    job = await send(chat, text)
    os.kill(os.getpid(), signal.SIGTERM)
    return job


Chat.send = send_and_signal
"""


def test_a_signal_as_soon_as_a_message_was_sent_keeps_it_too(lampwork: Any) -> None:
    """*Before it was followed nobody listened: the chat was gone without a word.*"""
    os.mkfifo(lampwork.folder / "pipe")
    (lampwork.folder / "project.py").write_text(PROJECT + SIGNALS)
    process = lampwork.start("chat", "desk", "--message", "hold on")
    assert process.stderr is not None
    assert "The message is kept" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)  # what executes does not end by itself
    assert process.wait(DEADLINE) in (128 + signal.SIGTERM, -signal.SIGTERM)
