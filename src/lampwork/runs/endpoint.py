"""A call of an endpoint: a job is started over HTTP, and waited for, as long as it takes.

It is asked with the key of the call, so that it starts one job however often it is asked. What
takes longer than the endpoint waits is answered with 202 and where the job is (docs/triggers.md).
Where that is stands in the wait that is opened then; between two looks at it nothing of the call
is in memory, and no process asks while nobody executes it.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload
from urllib.parse import urljoin, urlsplit

from typing_extensions import TypeForm

from lampwork import clock, values
from lampwork.errors import (
    EndpointFailed,
    InputInvalid,
    OutboundTooSlow,
    ResultNotRecordable,
    WaitTimedOut,
)
from lampwork.outbound.hosts import shown
from lampwork.runs.gather import MakesCalls
from lampwork.runs.wait import Wait
from lampwork.store.jobs import inbox
from lampwork.types import ENDED, Json, wait_id

if TYPE_CHECKING:
    import httpx

    from lampwork.runs.gather import JobCall
    from lampwork.runs.run import Run

__all__ = ["EndpointCall", "Endpoints"]

T = TypeVar("T")

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

_HELD = 330.0
"""Seconds for an answer: an endpoint may hold it back for five minutes."""

_CONNECTING = 10.0

_UNREACHED = 600.0
"""Seconds for which it is tried to start the job; one that is there is asked about for ever."""

_FIRST_PAUSE, _SHARE, _LONGEST_PAUSE = 1.0, 0.1, 300.0
"""Seconds between two looks: a tenth of the time that it has taken so far."""

_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers after which it may be otherwise."""


class Endpoints(MakesCalls):
    """What a job has for calling endpoints."""

    @overload
    def call_endpoint(
        self,
        url: str,
        json: Json = None,
        *,
        output: None = None,
        method: Method = "POST",
        key_env: str | None = None,
        timeout: float | None = None,
    ) -> JobCall[Any]: ...

    @overload
    def call_endpoint(
        self,
        url: str,
        json: Json = None,
        *,
        output: TypeForm[T],
        method: Method = "POST",
        key_env: str | None = None,
        timeout: float | None = None,
    ) -> JobCall[T]: ...

    def call_endpoint(
        self,
        url: str,
        json: Json = None,
        *,
        output: Any = None,
        method: Method = "POST",
        key_env: str | None = None,
        timeout: float | None = None,
    ) -> JobCall[Any]:
        """Call an endpoint, here or elsewhere, and wait until its job has ended; what it returned.

        `urls = await job.call_endpoint(url, {"control": "AC-2"}, output=list[str])`

        It starts one job, however often this process or the other one dies: each try has the same
        Idempotency-Key. What takes longer than the endpoint waits is parked here, and looked at
        from time to time. `output` is the type of what it returned; `key_env` names the variable
        with the API key. Hosts that are not public are for the project to allow (`allow_hosts`).
        Raises EndpointFailed, OutboundRefused, InputInvalid, and WaitTimedOut after `timeout`
        seconds.
        """
        kind = Any if output is None else output
        call = EndpointCall(method, url, json, kind, key_env, timeout).checked()
        return self._call(
            "endpoint", call.name, call.outcome, annotation=kind, digest=call.digest, opens=True
        )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the job is that was started: the path of all of it, and of how it stands, if there is
    one for those who look often."""

    job: str
    summary: str | None = None

    @classmethod
    def of(cls, subject: dict[str, Json]) -> _Place | None:
        """What a wait says of it."""
        return None if subject["at"] is None else cls(subject["at"], subject.get("summary"))


@dataclass(frozen=True, slots=True)
class _Later:
    """It has not ended."""

    at: _Place | None
    """Once that is known."""
    why: str | None = None
    """What keeps it, if it could not be asked."""
    pause: float = 0.0
    """Seconds for which it asks not to be asked."""


@dataclass(frozen=True, slots=True)
class _Done:
    value: Json


@dataclass(frozen=True, slots=True)
class EndpointCall:
    """A call that a recipe makes."""

    method: Method
    url: str
    body: Json
    annotation: Any
    key_env: str | None
    """The variable with the API key."""
    timeout: float | None

    @property
    def name(self) -> str:
        """How it is on record: an endpoint may move to another host."""
        return f"{self.method} {urlsplit(self.url).path or '/'}"

    @property
    def digest(self) -> str:
        """What another call of that name would not have."""
        text = values.encode(self.body, values.UNTYPED, f"the body of {self.name}")
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def checked(self) -> EndpointCall:
        """This call, if it can be made. Raises InputInvalid."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputInvalid(f"{self.url!r} is no address. Give one such as https://host/run/….")
        if self.timeout is not None and self.timeout <= 0:
            raise InputInvalid(f"timeout={self.timeout} is not a positive number of seconds.")
        return self

    async def outcome(self, run: Run, number: int) -> values.Value:
        """What the endpoint's job returned.

        Raises EndpointFailed, WaitTimedOut, OutboundRefused, OutboundTooLarge, InputInvalid.
        """
        began = run.begun_at(number)
        until = None if self.timeout is None else began + self.timeout
        before = await run.store.read(inbox.newest_of_call, run.job_id, number)
        looks, at = (0, None) if before is None else (before["looks"], _Place.of(before))
        if before is not None:
            await run.until(self._wait(run, number, before, clock.now()))
        while True:
            heard = await self._ask(run, number, at)
            if isinstance(heard, _Done):
                return values.Value(self._fitting(heard.value))
            looks, at, now = looks + 1, heard.at, clock.now()
            self._check_patience(heard, began, until, now)
            pause = min(max(_FIRST_PAUSE, _SHARE * (now - began), heard.pause), _LONGEST_PAUSE)
            due_at = now + pause if until is None else min(now + pause, until)
            subject: dict[str, Json] = {"url": shown(self.url), "looks": looks, "why": heard.why}
            subject |= {"at": at and at.job, "summary": at and at.summary}
            await run.until(self._wait(run, number, subject, due_at))

    def _wait(self, run: Run, number: int, subject: dict[str, Json], due_at: float) -> Wait:
        return Wait(
            id=wait_id(run.job_id, number, str(subject["looks"])),
            job_id=run.job_id,
            call=number,
            kind="endpoint",
            subject=subject,
            due_at=due_at,
        )

    def _check_patience(self, heard: _Later, began: float, until: float | None, now: float) -> None:
        if until is not None and now >= until:
            raise WaitTimedOut(
                f"{self.name} has not ended within {self.timeout:g} s.",
                name=self.name,
                timeout=self.timeout,
            )
        if heard.at is None and now >= began + _UNREACHED:
            raise self._failed(f"was not reached for {_UNREACHED / 60:.0f} minutes: {heard.why}")

    def _fitting(self, value: Json) -> str:
        try:
            return values.given(value, self.annotation, f"what {self.name} answers")
        except ResultNotRecordable as error:
            raise self._failed(f"answers with something else: {error.message}") from error

    def _failed(self, why: str, answered: int | None = None, problem: str | None = None) -> Any:
        return EndpointFailed(
            f"{self.name} at {urlsplit(self.url).netloc.rpartition('@')[2]} {why}",
            url=shown(self.url),
            answered=answered,
            problem=problem,
        )

    # --- one look ---

    async def _ask(self, run: Run, number: int, at: _Place | None) -> _Later | _Done:
        """Start the job, which is done once; or look at it where it is, and fetch all of it when
        it has ended."""
        import httpx  # 0.1 s, with what follows, for those alone who call something

        from lampwork.outbound.http import client

        run.check()
        headers = self._headers(run.effect_key(number))
        try:
            async with client(run.project.allowed_hosts, seconds=_HELD) as http:

                async def ask(method: str, path: str, **given: Any) -> httpx.Response:
                    return await http.request(
                        method,
                        urljoin(self.url, path),
                        headers=headers,
                        follow_redirects=False,
                        timeout=httpx.Timeout(_HELD, connect=_CONNECTING),
                        **given,
                    )

                if at is None:
                    given = {} if self.body is None else {"json": self.body}
                    return self._heard(await ask(self.method, "", **given), at)
                if at.summary is not None:
                    answered = await ask("GET", at.summary)
                    if not answered.is_success or _goes_on(answered):
                        return self._heard(answered, at)
                return self._heard(await ask("GET", at.job), at)
        except (httpx.TransportError, OutboundTooSlow) as error:
            return _Later(at, f"it can't be reached: {error or type(error).__name__}")

    def _headers(self, key: str) -> dict[str, str]:
        headers = {"Idempotency-Key": key, "Accept": "application/json"}
        if self.key_env is not None:
            if not (api_key := os.environ.get(self.key_env, "")):
                raise InputInvalid(f"{self.key_env}, with the key of {self.name}, is not set.")
            headers["Authorization"] = f"Bearer {api_key}"
        return headers

    def _heard(self, answered: httpx.Response, at: _Place | None) -> _Later | _Done:
        """What an answer means. Raises EndpointFailed."""
        status = answered.status_code
        if status == 202:
            return _Later(at or self._place(answered))
        body = _json(answered)
        if answered.is_success:
            if body is _NO_JSON:
                raise self._failed("answers with something that is no JSON", status)
            return _Done(body) if at is None else self._of_job(body, at)
        problem = cast(dict[str, Any], body) if isinstance(body, dict) else {}
        code = problem.get("code")
        if status in _BUSY and code != "job_failed":
            return _Later(at, f"it answers {status}", _seconds(answered))
        detail = problem.get("detail") or f"it answers {status}"
        raise self._failed(f"fails: {detail}", status, code)

    def _place(self, answered: httpx.Response) -> _Place:
        """Where the job is, which is where the endpoint is. Raises EndpointFailed."""
        location = answered.headers.get("location")
        job = None if location is None else self._path(location)
        if job is None:
            raise self._failed(f"answers 202 with its job at {location or 'no address'}", 202)
        status = answered.links.get("status", {}).get("url")
        return _Place(job, None if status is None else self._path(status))

    def _path(self, given: str) -> str | None:
        """An address as a path, if it is where the endpoint is."""
        found, ours = urlsplit(urljoin(self.url, given)), urlsplit(self.url)
        if (found.scheme, found.netloc) != (ours.scheme, ours.netloc):
            return None
        return found._replace(scheme="", netloc="", fragment="").geturl()

    def _of_job(self, job: Json, at: _Place) -> _Later | _Done:
        """What a job says of itself. Raises EndpointFailed if it has not succeeded."""
        shown = cast(dict[str, Any], job) if isinstance(job, dict) else {"output": job}
        match shown.get("status", "succeeded"):
            case "succeeded":
                return _Done(shown.get("output"))
            case "failed" | "cancelled" as ended:
                error: dict[str, Any] = shown.get("error") or {}
                why = error.get("message", at.job)
                raise self._failed(f"{ended}: {why}", 200, error.get("code"))
            case _:
                return _Later(at)


_NO_JSON = object()


def _goes_on(answered: httpx.Response) -> bool:
    """Whether a summary says of a job that it has not ended."""
    body = _json(answered)
    shown = cast(dict[str, Any], body) if isinstance(body, dict) else {}
    return shown.get("status", "succeeded") not in ENDED


def _json(answered: httpx.Response) -> Json:
    try:
        return json.loads(answered.content) if answered.content else None
    except ValueError:
        return _NO_JSON


def _seconds(answered: httpx.Response) -> float:
    said = answered.headers.get("retry-after", "")
    return float(said) if said.isdecimal() and len(said) < 6 else 0.0
