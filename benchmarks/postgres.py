"""A Postgres server of one's own: as it comes, in a temporary folder, gone afterwards.

Its settings are Postgres's defaults, so that every commit is synced. It listens on the loopback
interface, asks for a password, and gives each database an owner that is no superuser.
"""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

FOLDERS = "/var/tmp"
"""Where clusters are made: on a disk, and open to the account that a server may run as."""

OWNER = "lampwork"
PATIENCE = 60.0


class NoPostgres(Exception):
    """There are no programs of a Postgres server on this machine."""


class Cluster:
    """One server and its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.password = secrets.token_hex(16)
        self.port = free_port()
        self._bin = binaries()
        self._data = folder / "data"

    @property
    def version(self) -> str:
        """For example `15.18`."""
        said = self._run("postgres", "--version")
        return re.findall(r"\d+(?:\.\d+)+", said)[0]

    @property
    def pid(self) -> int:
        """Of the process that started all others of the server."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    @property
    def runs(self) -> bool:
        return (self._data / "postmaster.pid").exists()

    def make(self) -> None:
        """Make the files, start, and make the role that owns databases."""
        allowed = ("--auth-local=trust", "--auth-host=scram-sha-256")
        self._run("initdb", "-D", self._data, "--no-locale", "--encoding=UTF8", *allowed)
        self.start()
        self.sql(f"CREATE ROLE {OWNER} LOGIN PASSWORD '{self.password}'")

    def start(self) -> None:
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={self.port} "
            f"-c unix_socket_directories={self.folder}"
        )
        log = self.folder / "log"
        self._run("pg_ctl", "-D", self._data, "-l", log, "-w", "-o", options, "start")

    def stop(self, how: Literal["fast", "immediate"] = "fast") -> None:
        """`immediate` is a crash: the next start recovers."""
        self._run("pg_ctl", "-D", self._data, "-w", "-m", how, "stop")

    def database(self, name: str) -> str:
        """Make an empty database; gives its URL."""
        self.sql(f'CREATE DATABASE "{name}" OWNER {OWNER}')
        return f"postgresql://{OWNER}:{self.password}@127.0.0.1:{self.port}/{name}"

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected."""
        self.sql(f'DROP DATABASE "{name}" WITH (FORCE)')

    def dump(self, name: str) -> str:
        """All that is in a database, as SQL."""
        return self._run("pg_dump", "-h", self.folder, "-p", self.port, "-U", self.user, name)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement as the superuser; gives what psql prints, without a frame."""
        where = ("-h", self.folder, "-p", self.port, "-U", self.user, "-d", database)
        return self._run("psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", *where, "-c", statement)

    @property
    def user(self) -> str:
        """Who runs the server, which refuses to be run by root."""
        me = pwd.getpwuid(os.getuid()).pw_name
        return "postgres" if me == "root" else me

    def _run(self, program: str, *arguments: object) -> str:
        with tempfile.TemporaryFile("w+") as said:  # no pipe: a server would keep it open
            done = subprocess.run(
                [self._bin / program, *map(str, arguments)],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                timeout=PATIENCE,
                **_as(self.user),
            )
            said.seek(0)
            text = said.read().strip()
        if done.returncode:
            raise RuntimeError(f"{program}: exit {done.returncode}\n{text}")
        return text


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A server that runs while the block does. Raises NoPostgres."""
    folder = Path(tempfile.mkdtemp(prefix="lampwork-postgres-", dir=FOLDERS))
    made = Cluster(folder)
    try:
        if os.getuid() == 0:
            shutil.chown(folder, made.user, made.user)
        made.make()
        yield made
    finally:
        if made.runs:
            made.stop("immediate")
        shutil.rmtree(folder)


def binaries() -> Path:
    """The folder of the newest server's programs. Raises NoPostgres."""
    on_path = shutil.which("postgres")
    if on_path:
        return Path(on_path).resolve().parent
    debian = Path("/usr/lib/postgresql")
    found = [each for each in debian.glob("*/bin") if (each / "postgres").exists()]
    if not found:
        raise NoPostgres("no Postgres server is installed here: apt-get install postgresql")
    return max(found, key=lambda each: float(each.parent.name))


def _as(user: str) -> dict[str, Any]:
    if os.getuid():
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def free_port() -> int:
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]
