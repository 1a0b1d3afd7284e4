"""Named points at which a test, or `./scripts/bench soak`, can stop the process or raise.

Armed by `LAMPWORK_FAILPOINTS="name=kill@3,other=kill"` (kill with SIGKILL at the third hit) or by
`arm(name, action)` in the process itself. Unarmed, a point costs one look at an empty dict.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

_armed: dict[str, Callable[[], None]] = {}


def hit(name: str) -> None:
    """Do what is armed at this point, if anything."""
    if _armed and (action := _armed.get(name) or _armed.get("*")):
        action()


def arm(name: str, action: Callable[[], None]) -> None:
    """Run `action` at each hit of the point; the name `*` stands for all points."""
    _armed[name] = action


def disarm(name: str) -> None:
    """Forget what was armed."""
    _armed.pop(name, None)


def _kill_at(nth: int) -> Callable[[], None]:
    left = nth

    def count_down() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return count_down


def _arm_from_environment() -> None:
    for setting in filter(None, os.environ.get("LAMPWORK_FAILPOINTS", "").split(",")):
        name, _, action = setting.partition("=")
        _, _, nth = action.partition("@")
        arm(name, _kill_at(int(nth or 1)))


_arm_from_environment()
