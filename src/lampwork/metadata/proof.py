"""The proof of a task: what its requests to the model carried of its metadata, and who read it.

It is computed from what the conversation holds, so it is the same during the task, after it and
after any crash: the record of each scan is in the `said` entry that answers the request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_jsonable_python

from lampwork.errors import MetadataLeaked
from lampwork.metadata.needles import named, needles
from lampwork.types import Json

_IN_WORDS = 8
"""Sources that a sentence names."""

__all__ = ["Carried", "Evidence", "Hit", "Proof", "Read"]


@dataclass(frozen=True, slots=True, order=True)
class Hit:
    """A part of a request that carries a metadata value."""

    key: str
    """`invoice_id`, or `customer.id` for a value inside another."""
    form: str
    """`plain`, `case`, `json`, `url`, `base64`, or several with `+`, the outermost first."""
    source: str
    """`instructions`, `file po.pdf`, `result of skill look_up`, …"""


@dataclass(frozen=True, slots=True)
class Carried:
    """A metadata value that requests carried from one source."""

    key: str
    source: str
    requests: int
    """How many; once it is in the conversation, each further request carries it too."""
    forms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """A skill call that was handed a metadata value."""

    skill: str
    call: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Proof:
    """What a task's requests carried of its metadata, and which skills read it."""

    requests: int
    """How often the model was asked, tries that failed included."""
    clean: int
    """How many of these carried none of the values."""
    cut_off: int
    """How many more may have been sent and were cut off by a crash; each was the same as the next
    one on record."""
    stopped: str | None
    """Of a request that was not sent, the sealed key that it would have carried, and its source."""
    carried: tuple[Carried, ...]
    keys: dict[str, tuple[Read, ...]]
    """Each key, and who read it."""
    not_scanned: dict[str, str]
    """Values that are not looked for and parts of requests that can't be read, each with why."""
    sealed: tuple[str, ...]
    withheld: dict[str, str]
    """Skills that the task can't use, and why."""

    def __str__(self) -> str:
        calls = "1 call" if self.requests == 1 else f"{self.requests} calls"
        if not self.keys:
            return f"{calls}, no metadata"
        found = [] if self._looked_for_nothing else [f"{self.clean} clean"]
        found += [self._told(each) for each in self.carried[:_IN_WORDS]]
        if more := len(self.carried[_IN_WORDS:]):
            found.append(f"and {more} more")
        text = f"{calls}: {', '.join(found)}" if found and self.requests else calls
        if self.cut_off:
            text += f"; {self.cut_off} more may have been cut off by a crash"
        if self.stopped:
            text += f"; one was not sent, it would have carried {self.stopped}"
        if self.not_scanned:
            text += f"; not scanned: {', '.join(self.not_scanned)}"
        return text

    @property
    def _looked_for_nothing(self) -> bool:
        return self.requests > 0 and not self.clean and not self.carried

    def _told(self, each: Carried) -> str:
        what = "it" if tuple(self.keys) == (each.key,) else each.key
        return f"{each.requests} carried {what} from {each.source}"

    def to_json(self) -> dict[str, Json]:
        """The proof as JSON."""
        return to_jsonable_python(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Proof:
        """The proof that `to_json` wrote."""
        typed: dict[str, Any] = {
            "carried": tuple(
                Carried(**each | {"forms": tuple(each["forms"])}) for each in record["carried"]
            ),
            "keys": {
                key: tuple(
                    Read(each["skill"], each["call"], datetime.fromisoformat(each["at"]))
                    for each in reads
                )
                for key, reads in record["keys"].items()
            },
            "sealed": tuple(record["sealed"]),
        }
        return cls(**record | typed)


@dataclass(slots=True)
class Evidence:
    """What the entries of one task say for its proof, taken in one by one."""

    carrying: set[Hit] = field(default_factory=set[Hit])
    """What the last request on record carried."""
    _requests: int = 0
    _scanned: int = 0
    _with_hits: int = 0
    _counts: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    _forms: dict[tuple[str, str], set[str]] = field(default_factory=dict[tuple[str, str], set[str]])
    _unread: dict[str, str] = field(default_factory=dict[str, str])
    _reads: list[tuple[str, Read]] = field(default_factory=list[tuple[str, Read]])
    _withheld: dict[str, str] = field(default_factory=dict[str, str])
    _open: set[str] = field(default_factory=set[str])
    """Skill calls without a result: while there are any, the model is not asked."""
    _epoch: int | None = None
    """Of the last entry."""
    _run_is_over: bool = False
    """Whether that entry says that its run asks the model no more."""
    _cut_off: int = 0
    _stopped: str | None = None
    _ended: bool = False

    @classmethod
    def of(cls, unscanned: int) -> Evidence:
        """That of requests of which nothing is known."""
        return cls(_requests=unscanned)

    def take(self, kind: str, body: dict[str, Json], at: float, epoch: int | None) -> None:
        """Take in an entry of the task."""
        self._cut_off += self._lost_before(epoch)
        self._epoch, self._run_is_over = epoch, False
        match kind:
            case "told":
                self._withheld = body["withheld"]
            case "said" | "summarised":
                self._count(body["usage"].get("requests", 1), body.get("scan"))
            case "unanswered":
                self._run_is_over = True
                self._count(body["usage"].get("requests", 1), body["scan"])
            case "proposal":
                self._open.add(body["call"])
            case "intent":
                self._open.add(body["call"])
                moment = datetime.fromtimestamp(at, UTC)
                for key in body.get("metadata", ()):
                    self._reads.append((key, Read(body["skill"], body["call"], moment)))
            case "result":
                self._open.discard(body["call"])
            case "failed":
                self._ended = True
                code, fields = body["error"]["code"], body["error"]["fields"]
                if code == MetadataLeaked.code:
                    self._stopped = f"{fields['key']} from {fields['source']}"
                if "scan" in body:
                    self._count(fields.get("attempts", 1), body["scan"])
            case "answered" | "not_completed":
                self._ended = True
            case _:
                pass

    def _lost_before(self, epoch: int | None) -> int:
        """Requests that may have been under way when the runs ended that came to this epoch.

        Each run has an epoch of its own. A run that wrote nothing ended before it asked the model
        or while it did, unless skill calls were open: then it was at those. What a run knows of a
        request without a response, it wrote.
        """
        if epoch is None or self._epoch is None or self._open:
            return 0
        return max(0, epoch - self._epoch - self._run_is_over)

    def _count(self, requests: int, scan: Mapping[str, Json] | None) -> None:
        """Requests of the same content, and what the scan of it found."""
        self._requests += requests
        if scan is None:
            return
        self._scanned += requests
        self.carrying -= {_hit(each) for each in scan.get("gone", ())}
        self.carrying |= {_hit(each) for each in scan.get("hits", ())}
        if self.carrying:
            self._with_hits += requests
        places: dict[tuple[str, str], None] = {}
        for hit in sorted(self.carrying):  # a set's own order differs from run to run
            places[hit.key, hit.source] = None
            self._forms.setdefault((hit.key, hit.source), set()).add(hit.form)
        for place in places:
            self._counts[place] = self._counts.get(place, 0) + requests
        self._unread |= dict.fromkeys(scan.get("unread", ()), "it can't be read")

    def proof(
        self,
        metadata: Mapping[str, Json],
        sealed: Collection[Sequence[str | int]],
        *,
        stopped_at: int | None = None,
    ) -> Proof:
        """The proof so far of a task with this metadata, sealed at those paths.

        `stopped_at` is the epoch of a task whose run was stopped from outside.
        """
        wanted, others = needles(metadata, [tuple(path) for path in sealed])
        not_scanned = {named(path): why for path, why in others.items()} | self._unread
        clean = 0 if metadata else self._requests
        if wanted:
            clean = self._scanned - self._with_hits
            if missed := self._requests - self._scanned:
                not_scanned[f"{missed} of the calls"] = "they were made before there were scans"
        cut_off = self._cut_off
        if stopped_at is not None and not self._ended and not self._open:
            cut_off += self._lost_before(stopped_at + 1)
        return Proof(
            requests=self._requests,
            clean=clean,
            cut_off=cut_off,
            stopped=self._stopped,
            carried=tuple(self._carried()),
            keys={
                key: tuple(read for name, read in self._reads if name == key) for key in metadata
            },
            not_scanned=not_scanned,
            sealed=tuple(named(tuple(path)) for path in sealed),
            withheld=self._withheld,
        )

    def _carried(self) -> Iterator[Carried]:
        for (key, source), requests in self._counts.items():
            yield Carried(key, source, requests, tuple(sorted(self._forms[key, source])))


def _hit(record: Mapping[str, str]) -> Hit:
    return Hit(record["key"], record["form"], record["source"])
