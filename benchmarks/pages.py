"""The payload of a long conversation: pages of 2 KB that no compression helps with."""

from __future__ import annotations

import random
import string

PAGE_BYTES = 2048
LETTERS = string.ascii_letters + string.digits
INSTRUCTIONS = "Read the ledger page by page and say when you are done."


def page(number: int) -> str:
    return "".join(random.Random(number).choices(LETTERS, k=PAGE_BYTES))
