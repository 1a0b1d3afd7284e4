"""A chat over each provider's own wire format: the words of the user, and nothing of who it is."""

from __future__ import annotations

import json

from lampwork import Metadata, Project

from .wires import EACH_WIRE, asks, model_at, says

project = Project("wire chat")


@project.skill(effect="read")
async def balance(customer: Metadata[str]) -> int:
    """Look the balance up."""
    return 12


@EACH_WIRE
async def test_the_request_of_a_chat_says_whose_words_are_whose(aimock, tmp_path, wire):
    server = aimock(asks(0, ("balance", {})), says("It is 12.", 1), says("Any time.", 2), wire=wire)
    teller = project.genie(
        f"teller {wire}",
        model=model_at(server.url, wire),
        job_description="You serve.",
        skills=[balance],
    )
    known = {"user": "ann@example.com", "metadata": {"customer": "C-4711"}}

    async with project.open(tmp_path / "home") as app:
        first = await app.chat(teller, "Check <what> is left.", **known)
        second = await app.chat(
            teller, "Check it again!", conversation=first.conversation_id, **known
        )

    assert (first.response, second.response) == ("It is 12.", "Any time.")
    assert len(server.sent) == 3
    for request in server.sent:
        text = json.dumps(request.body, ensure_ascii=False)
        assert "You serve.\\n\\nYou are in a chat." in text
        assert '"Check <what> is left."' in text  # as it was typed, with nothing around it
        assert "cannot_complete" not in text
        assert "ann@example.com" not in text
        assert "C-4711" not in text
    assert '"Check it again!"' in json.dumps(server.sent[2].body)
    assert str(second.proof).startswith("1 call: 1 clean")
