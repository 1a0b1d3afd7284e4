"""Webhooks: what others send when something has happened there, each delivery signed.

The signatures are those of Standard Webhooks (standardwebhooks.com, spec 1.0): HMAC-SHA256, in
base64, over `{id}.{timestamp}.{body}`. It is computed here and not by its library, because that
goes by the machine's clock and takes one secret.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from lampwork.errors import DeliveryRefused
from lampwork.types import Json, TriggerKind

__all__ = ["TOLERANCE", "Verify", "Webhook"]

TOLERANCE = 300.0
"""Seconds by which the time of a delivery may differ from ours, either way."""

Verify = Callable[[Mapping[str, str], bytes], "str | Awaitable[str | None] | None"]
"""Of a scheme of one's own: headers, by their names in lower case, and the body as it came; gives
the delivery's id, by which it is known again, or None for one that is not genuine."""

_PREFIX = "whsec_"
_SHORTEST = 16
"""Bytes of a secret; the spec asks for 24."""

_PART = r"(?!\.{1,2}(/|$))[\w.~-]+"
_PATH = re.compile(rf"{_PART}(/{_PART})*", re.ASCII)
_LONGEST_ID = 200


@dataclass(frozen=True, slots=True)
class Webhook:
    """Start a job for each delivery to `/hooks/{project}/{path}`:
    `Webhook("tickets", secret_env="TICKETS_SECRET")`.

    Deliveries are signed as Standard Webhooks says, with `secret` (`whsec_…`), or with one of two
    while it is changed; `secret_env` names the variable that holds it, or both with a space
    between. For any other scheme `verify` is a function of headers and body that gives the
    delivery's id, or None if it is not genuine. A delivery starts one job, however often it comes.

    The body is JSON: the recipe's only parameter, or an object of several. `schema`, a type or a
    JSON Schema, is what it must be beyond that.
    """

    kind: ClassVar[TriggerKind] = "webhook"

    path: str
    secret: str | Sequence[str] | None = field(default=None, repr=False)
    secret_env: str | None = None
    verify: Verify | None = None
    schema: Any = None

    @property
    def place(self) -> str:
        """The path, without slashes around it."""
        return self.path.strip("/")

    @property
    def identity(self) -> str:
        """What it is known by in its recipe, over restarts."""
        return f"webhook {self.place}"

    @property
    def short_name(self) -> str:
        """What people call it: no shell needs quotes for it."""
        return "webhook-" + self.place.replace("/", "-")

    @property
    def described(self) -> dict[str, Json]:
        """The definition as JSON, without its secrets."""
        by = "a function" if self.verify is not None else "Standard Webhooks"
        return {"path": self.place, "signed_by": by}

    def problem(self) -> str | None:
        """What is wrong with the definition, if anything is."""
        if not _PATH.fullmatch(self.place):
            return f"{self.path!r} is no path of a webhook. Give one such as Webhook('tickets')"
        ways = (self.secret, self.secret_env, self.verify)
        if sum(each is not None for each in ways) != 1:
            return f"Webhook({self.path!r}) takes one of secret=, secret_env= and verify="
        if self.verify is not None and not callable(self.verify):
            return f"verify={self.verify!r} is no function"
        try:
            keys = [] if self.secret is None else _keys(_several(self.secret))
        except ValueError as error:
            return f"the secret of Webhook({self.path!r}) {error}"
        if len(keys) > 2:
            return f"Webhook({self.path!r}) has {len(keys)} secrets. Two are enough to change one"
        return None

    def lacks(self) -> str | None:
        """Why no delivery could be genuine now, if none could."""
        if self.verify is not None:
            return None
        try:
            self._keys_now()
        except DeliveryRefused as error:
            return f"Webhook({self.path!r}) would refuse all that comes: {error.reason}"
        return None

    def check_signature(self, headers: Mapping[str, str], body: bytes, now: float) -> str:
        """The id of a delivery that is signed as Standard Webhooks says, and is of now.

        Raises DeliveryRefused.
        """
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        lacking = [name for name in names if not headers.get(name)]
        if lacking:
            raise _refused(f"it has no {' and no '.join(lacking)}")
        delivery, at, signatures = (headers[name] for name in names)
        if len(delivery) > _LONGEST_ID:
            raise _refused("its id is too long")
        # Only what is written as the spec says: an int() would also take " 1_7".
        if not re.fullmatch(r"[0-9]{1,12}", at):
            raise _refused("webhook-timestamp is no number of seconds")
        signed = f"{delivery}.{at}.".encode() + body
        expected = [hmac.digest(key, signed, "sha256") for key in self._keys_now()]
        # All of them, so that the time does not tell which one it was.
        genuine = sum(hmac.compare_digest(*pair) for pair in _pairs(expected, signatures))
        if not genuine:
            raise _refused("no signature of it is by a secret of this webhook")
        if abs(now - int(at)) > TOLERANCE:
            when = "older" if int(at) < now else "of a time further ahead"
            raise _refused(f"it is {when} than {TOLERANCE / 60:.0f} minutes")
        return delivery

    def _keys_now(self) -> list[bytes]:
        secrets = self.secret
        if secrets is None:
            secrets = os.environ.get(self.secret_env or "", "").split()
        try:
            return _keys(_several(secrets))
        except ValueError as error:
            raise _refused(f"the secret in {self.secret_env} {error}") from error


def _refused(why: str) -> DeliveryRefused:
    return DeliveryRefused(f"The delivery is refused: {why}.", reason=why)


def _several(secret: str | Sequence[str]) -> Sequence[str]:
    return [secret] if isinstance(secret, str) else secret


def _keys(secrets: Sequence[str]) -> list[bytes]:
    """The keys that secrets stand for. Raises ValueError."""
    if not secrets:
        raise ValueError("is not there")
    return [_key(each) for each in secrets]


def _key(secret: str) -> bytes:
    encoded = secret.removeprefix(_PREFIX)
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is no base64 after whsec_") from None
    if len(key) < _SHORTEST:
        raise ValueError(f"has {len(key)} bytes. Take {_SHORTEST} at least, better 32")
    return key


def _pairs(expected: Sequence[bytes], signatures: str) -> list[tuple[bytes, bytes]]:
    """What is to be compared: each of ours with each that was sent, `v1,BASE64 v1,BASE64 …`."""
    sent: list[bytes] = []
    for each in signatures.split(" ")[:10]:
        version, _, text = each.partition(",")
        if version == "v1":
            try:
                sent.append(base64.b64decode(text, validate=True))
            except (binascii.Error, ValueError):
                continue
    return [(ours, theirs) for ours in expected for theirs in sent]
