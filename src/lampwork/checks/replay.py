"""What goes wrong because a recipe runs again from its beginning, and is dropped when it parks."""

from __future__ import annotations

import ast
import asyncio
import builtins
import contextlib
import datetime
import os
import pathlib
import random
import secrets
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lampwork.checks.bodies import Body
from lampwork.checks.finding import Finding
from lampwork.checks.names import UNKNOWN, own_nodes

__all__ = ["in_body"]

_CLOCK: tuple[Any, ...] = (
    time.time,
    time.time_ns,
    time.monotonic,
    time.monotonic_ns,
    time.perf_counter,
    time.perf_counter_ns,
    time.localtime,
    time.gmtime,
    datetime.datetime.now,
    datetime.datetime.utcnow,  # pyright: ignore[reportDeprecated]
    datetime.datetime.today,
    datetime.date.today,
)
_CHANCE: tuple[Any, ...] = (
    uuid.uuid1,
    uuid.uuid4,
    os.urandom,
    *(getattr(secrets, name) for name in secrets.__all__),
    *(each for each in vars(random).values() if isinstance(each, type(random.random))),
    *(each for each in vars(random).values() if isinstance(each, type(random.shuffle))),
)
_SLEEP: tuple[Any, ...] = (time.sleep, asyncio.sleep)
_READS = (
    "open",
    "read_text",
    "read_bytes",
    "write_text",
    "write_bytes",
    "iterdir",
    "glob",
    "rglob",
)
_IO: tuple[Any, ...] = (
    builtins.open,
    builtins.input,
    os.system,  # pyright: ignore[reportDeprecated]
    os.listdir,
    urllib.request.urlopen,
    subprocess.run,
    subprocess.call,
    subprocess.check_call,
    subprocess.check_output,
    subprocess.Popen,
    asyncio.create_subprocess_exec,
    asyncio.create_subprocess_shell,
    asyncio.open_connection,
    *(getattr(pathlib.Path, name) for name in _READS),
)
_CLIENTS = frozenset({"httpx", "requests", "aiohttp", "urllib3", "boto3", "smtplib"})
"""Packages that speak to services."""

_RELEASES = frozenset(
    {"close", "aclose", "release", "cancel", "clear", "reset", "set", "shutdown", "terminate"}
)
"""Methods that a `finally` may well call each time: they let go of what only this run has."""


def in_body(body: Body) -> Iterator[Finding]:
    """Findings in one function that recipes run."""
    prints = [each for each in body.calls if body.scope.value(each.func) is builtins.print]
    for call in prints[:1]:
        yield _printing(body, call)
    for call in body.calls:
        yield from _unrecorded_call(body, call)
    for node in body.nodes:
        match node:
            case ast.Try() | ast.TryStar():
                yield from _in_finally(body, node)
                yield from _in_except(body, node)
            case ast.With() | ast.AsyncWith() if body.works_in(*node.body):
                for item in node.items:
                    if _suppresses_all(body, item.context_expr):
                        yield _swallowed(body, node)
            case _:
                pass


# --- calls that are not recorded ---


def _printing(body: Body, call: ast.Call) -> Finding:
    return Finding(
        code="print_in_recipe",
        severity="note",
        message=f"{_named(body)} prints, and prints again whenever the recipe runs again.",
        mend="job.log(…) keeps a line on the job's record, once.",
        **body.at(call),
    )


def _unrecorded_call(body: Body, call: ast.Call) -> Iterator[Finding]:
    meant = body.scope.value(call.func)
    if meant is UNKNOWN or body.method(call) is not None or (mend := _unrecorded(meant)) is None:
        return
    yield Finding(
        code="unrecorded_call",
        severity="warning",
        message=f"{_named(body)} calls {ast.unparse(call.func)}() in the recipe's own flow. It is "
        "called again whenever the recipe runs again, and may give something else then.",
        mend=mend,
        **body.at(call),
    )


def _unrecorded(meant: Any) -> str | None:
    """The mend, if what is called gives something else each time, or does something outside."""
    if _is_one_of(meant, _CLOCK):
        return "`await job.now()` is recorded."
    if _is_one_of(meant, _CHANCE):
        return "`await job.random()` and `await job.uuid()` are recorded."
    if _is_one_of(meant, _SLEEP):
        return "`await job.sleep(…)` waits over restarts, and takes no memory."
    if _is_one_of(meant, _IO) or _is_of_client(meant):
        return "Do it in a function of its own: `await job.step(fn, …)` is recorded."
    return None


def _is_one_of(meant: Any, known: Iterable[Any]) -> bool:
    # By equality: each look at a bound method makes another object.
    return callable(meant) and any(meant == each for each in known)


def _is_of_client(meant: Any) -> bool:
    """Whether it is a function, or the client, of a package that speaks to services."""
    package = str(getattr(meant, "__module__", "")).partition(".")[0]
    if package not in _CLIENTS:
        return False
    return not isinstance(meant, type) or meant.__name__.endswith(("Client", "Session"))


# --- what stands around job calls ---


def _in_finally(body: Body, node: ast.Try | ast.TryStar) -> Iterator[Finding]:
    if not (node.finalbody and body.works_in(*node.body, *node.handlers, *node.orelse)):
        return
    inside = [each for part in node.finalbody for each in (part, *own_nodes(part))]
    calls = [each for each in inside if isinstance(each, ast.Call)]
    acting = next(filter(lambda call: not _lets_go(body, call), calls), None)
    if acting is not None:
        yield Finding(
            code="finally_around_job_call",
            severity="warning",
            message=f"The `finally` in {_named(body)} also runs when the job is parked or its "
            f"process closes, before the job has ended: {ast.unparse(acting.func)}() is called "
            "too early then, and again later; a call of the job is refused.",
            mend="`job.on_end(fn, …)` runs once, when the job has ended, however it ended.",
            **body.at(acting),
        )


def _lets_go(body: Body, call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(attr=name):
            return body.method(call) == "log" or (body.method(call) is None and name in _RELEASES)
        case _:
            return False


def _in_except(body: Body, node: ast.Try | ast.TryStar) -> Iterator[Finding]:
    if not body.works_in(*node.body):
        return
    for handler in node.handlers:
        raises = any(isinstance(each, ast.Raise) for each in own_nodes(handler))
        if _is_broad(body, handler.type) and not raises:
            yield _swallowed(body, handler)


def _is_broad(body: Body, caught: ast.expr | None) -> bool:
    match caught:
        case None:
            return True
        case ast.Tuple(elts=each):
            return any(_is_broad(body, one) for one in each)
        case _:
            return body.scope.value(caught) is BaseException


def _suppresses_all(body: Body, context: ast.expr) -> bool:
    match context:
        case ast.Call(func=func, args=caught):
            meant: Callable[..., Any] = body.scope.value(func)
            return meant is contextlib.suppress and any(_is_broad(body, each) for each in caught)
        case _:
            return False


def _swallowed(body: Body, node: ast.stmt | ast.ExceptHandler) -> Finding:
    return Finding(
        code="broad_except",
        severity="warning",
        message=f"{_named(body)} catches everything around calls of the job, also that this run "
        "is over because the job is parked or cancelled.",
        mend="Catch `Exception`, or what you expect, such as StepFailed; or `raise` it again.",
        **body.at(node),
    )


def _named(body: Body) -> str:
    return f"{body.node.name}()"
