"""What the screen has of a message: what the genie says, while it says it, and what it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lampwork.cli import output
from lampwork.cli.screen import tree
from lampwork.models import TextDelta
from lampwork.views import JobTree, SkillCard

__all__ = ["Shown"]

Place = tuple[int, int]
"""Where in its conversation something stands: the number of a response, and 0 for its text or the
number of one of its calls, from 1 on."""


@dataclass(slots=True)
class Shown:
    """What is on the screen of the message under way."""

    silent: bool = False
    """Whether only replies are to be shown."""
    genie: str = ""
    _heard: list[TextDelta] = field(default_factory=list[TextDelta])
    """What was said since the last look, by whomever."""
    _ready: list[TextDelta] = field(default_factory=list[TextDelta])
    """Of this, what was said before the job was looked at."""
    _cards: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """By task and call, the status that is shown."""
    _of: tuple[str, int, int] = ("", 0, 0)
    """The task, the response and its attempt that are being said."""
    _text: str = ""
    """What was said of it."""
    _in_line: bool = False

    def take(self, delta: TextDelta) -> None:
        """Hear a piece of text. It is shown at the next look, behind what was done before it."""
        self._heard.append(delta)

    def look(self) -> None:
        """The job is going to be looked at: it will hold all that was done before what is heard."""
        self._ready += self._heard
        self._heard = []

    def show(self, job: JobTree) -> None:
        """Show what was said and done up to this look at the job, in its order."""
        heard, self._ready = self._ready, []
        tasks = [call.task for call in job.calls if call.task is not None]
        own = {task.task_id for task in tasks}
        found: list[tuple[Place, TextDelta | SkillCard]] = [
            ((delta.number, 0), delta) for delta in heard if delta.task_id in own
        ]
        if not self.silent:
            found += [
                (_place(card), card) for task in tasks for card in self._news(task.skill_calls)
            ]
        for _, each in sorted(found, key=lambda it: it[0]):
            if isinstance(each, TextDelta):
                self._say(each)
            else:
                self._card(each)

    def _news(self, cards: tuple[SkillCard, ...]) -> Iterator[SkillCard]:
        """Those that have begun or ended since; the user is asked about what is proposed."""
        for card in cards:
            known = self._cards.get((card.task, card.call))
            if card.status not in ("proposed", known):
                yield card

    def _say(self, delta: TextDelta) -> None:
        of = delta.task_id, delta.number, delta.attempt
        if of != self._of:
            self.fresh_line()
            self._of, self._text = of, ""
            output.say_on(f"\n{self.genie}: ")
        self._text += delta.text
        self._in_line = True
        output.say_on(delta.text)

    def _card(self, card: SkillCard) -> None:
        self._cards[card.task, card.call] = card.status
        self.fresh_line()
        line = tree.of_card(card, {})
        output.say(f"  {line.mark} {line.text}")

    def reply(self, text: str) -> None:
        """Show the reply as a whole, unless it was said already."""
        said = self._text.strip() == text.strip()
        self._text = ""
        self.fresh_line()
        if self.silent:
            output.say(text)
        elif not said:
            output.say(f"\n{self.genie}: {text}")

    def fresh_line(self) -> None:
        """End the line that is being said."""
        if self._in_line:
            output.say()
            self._in_line = False


def _place(card: SkillCard) -> Place:
    number, _, position = card.call.partition(".")
    return int(number), int(position) + 1
