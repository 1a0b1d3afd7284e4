"""The machine: Python and the packages, the clock, and what the kernel grants."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from importlib import metadata
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lampwork.doctor.diagnosis import Diagnosis, ok, problem, warning

_PINNED = re.compile(r"^([\w.-]+?)(?:\[[\w,-]+\])?==([\w.]+)$")
"""A requirement that takes one version only."""

_BUILT = 2026
"""The year of this code: a clock that is before it is wrong."""

_LEAVE = "from lampwork.files.sandbox import leave_network; raise SystemExit(not leave_network())"


def on_machine() -> Iterator[Diagnosis]:
    """What concerns all projects on this machine."""
    yield ok("python", f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}")
    yield from _packages()
    yield _clock()
    yield _confinement()


def _packages() -> Iterator[Diagnosis]:
    try:
        own, required = metadata.version("lampwork"), metadata.requires("lampwork") or []
    except metadata.PackageNotFoundError:
        yield warning(
            "packages",
            "lampwork is imported and not installed, so nobody has chosen its packages' versions.",
            "Install the wheel or the checkout: pip install .",
        )
        return
    pins = [found.groups() for each in required if (found := _PINNED.match(each))]
    installed = {name: _version(name) for name, _ in pins}
    wrong = {name: pin for name, pin in pins if installed[name] != pin}
    if not wrong:
        beside = ", ".join(f"{name} {version}" for name, version in installed.items())
        yield ok("packages", f"lampwork {own} with {beside}")
    for name, pin in wrong.items():
        yield problem(
            "packages",
            f"{name} {installed[name] or '(none)'} is installed; lampwork {own} needs {pin}.",
            f'Type: {sys.executable} -m pip install "{name}=={pin}"',
        )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _clock() -> Diagnosis:
    now = datetime.now().astimezone()
    if now.year < _BUILT:
        return problem(
            "clock",
            f"The clock says {now:%Y-%m-%d %H:%M}, before this version of Lampwork was made.",
            "Set it: timers, crons and deadlines go by it.",
        )
    try:
        ZoneInfo("Europe/Berlin")
    except ZoneInfoNotFoundError:
        return warning(
            "clock",
            "Python has no list of time zones, so a Cron can't be in one.",
            f"Type: {sys.executable} -m pip install tzdata",
        )
    return ok("clock", f"{now:%Y-%m-%d %H:%M:%S} ({now.tzname()}, UTC{now:%z})")


def _confinement() -> Diagnosis:
    # In a process of its own: whoever leaves the network does not come back.
    child = subprocess.run([sys.executable, "-c", _LEAVE], check=False, capture_output=True)
    if child.returncode == 0:
        return ok("files", "The kernel keeps whoever reads a task's file from the network.")
    return warning(
        "files",
        "The kernel grants no user namespaces: whoever reads a task's file is kept from the "
        "network by Python's audit hook only, which does not bind native code.",
        "If you take files from strangers, allow unprivileged user namespaces (a container's "
        "seccomp or AppArmor profile, or the sysctl of the distribution, forbids them).",
    )
