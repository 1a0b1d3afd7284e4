"""What the pages about budgets share: genies that delegate or answer, and what was spent."""

from __future__ import annotations

from tests.support import rows

from lampwork import (
    Answer,
    App,
    Call,
    Turn,
    playbook,
)


@playbook
def delegator(turn: Turn) -> Call | Answer:
    return Answer("all settled") if turn.results else Call(turn.skills[0])


def answering(turn: Turn) -> Answer:
    return Answer("done")


async def spent(app: App) -> dict[str, int]:
    columns = ("tokens", "nanodollars", "model_calls", "skill_calls")
    [row] = await rows(app, f"select {', '.join(f'spent_{each}' for each in columns)} from budgets")
    reserved = ("tokens", "nanodollars", "model_calls")
    sums = " + ".join(f"reserved_{each}" for each in reserved)
    assert await rows(app, f"select {sums} from budgets") == [(0,)]
    return dict(zip(columns, row, strict=True))
