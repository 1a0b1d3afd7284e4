"""A Postgres cluster of the tests' own: in memory if it can be, on loopback, gone at the end."""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from lampwork.place import Server
from lampwork.store.store import Store

_DEADLINE = 60.0
"""Seconds within which the server must take connections."""

_ROOM = 2 * 1024**3
"""Bytes that a cluster in memory may come to."""

_SETTINGS = {
    "fsync": "off",  # the machine does not fail in a test, only processes do
    "full_page_writes": "off",
    "max_connections": "200",
    "max_wal_size": "256MB",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
}


class Cluster:
    """One server; each test has a database of its own, made as a copy of one with our tables."""

    def __init__(self, **settings: str) -> None:
        """Make the cluster and start it. Raises RuntimeError when Postgres is not installed."""
        self._settings = _SETTINGS | settings
        self._programs = _programs()
        self._user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
        memory = in_memory()
        # Measured in either place, this one is less than half of the other.
        self._strategy = "wal_log" if memory is None else "file_copy"
        self.folder = Path(tempfile.mkdtemp(prefix="lampwork-postgres-", dir=memory))
        if self._user is not None:
            account = pwd.getpwnam(self._user)
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        self.superuser = self._user or pwd.getpwuid(os.geteuid()).pw_name
        # As most installations have it: text is sorted by a language, not by its bytes.
        self._run(
            "initdb",
            *("--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8"),
            *("--encoding=UTF8", "--auth=trust", "--no-sync", f"--username={self.superuser}"),
            *("--pgdata", str(self.folder / "data")),
        )
        self._claim = _claim_port()
        self.port: int = self._claim.getsockname()[1]
        self.start()
        self._template = self._make_template()

    # --- the server ---

    def start(self) -> None:
        """Start the server; returns when it takes connections."""
        settings = [word for each in self._settings.items() for word in ("-c", "=".join(each))]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [
                    *(self._programs / "postgres", "-D", self.folder / "data"),
                    *("-p", str(self.port), *settings),
                ],
                cwd="/",
                stdout=log,
                stderr=log,
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
            )
        until = time.monotonic() + _DEADLINE
        while True:
            try:
                self.connect("postgres").close()
                return
            except psycopg.OperationalError:
                assert self._server.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < until, "Postgres took too long to start"
                time.sleep(0.02)

    def stop(self) -> None:
        """End the server's sessions, and the server: `pg_ctl stop -m fast`."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End the server on the spot, as a crash does: `pg_ctl stop -m immediate`."""
        self._end(signal.SIGQUIT)

    def pause(self) -> None:
        """Let the server's main process and all its sessions hang."""
        self._server.send_signal(signal.SIGSTOP)  # first: it begins no session any more
        self._signal_sessions(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a paused server go on."""
        self._signal_sessions(signal.SIGCONT)
        self._server.send_signal(signal.SIGCONT)

    def end_sessions(self) -> None:
        """End all sessions of ours, as a failing over does; the server takes new ones."""
        with self.connect("postgres") as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'lamp'"
            )

    def remove(self) -> None:
        """End the server and delete what it has written."""
        if self._server.poll() is None:
            self.kill()
        self._claim.close()
        shutil.rmtree(self.folder)

    def _end(self, how: signal.Signals) -> None:
        self._server.send_signal(how)
        self._server.wait(_DEADLINE)

    def _signal_sessions(self, which: signal.Signals) -> None:
        with_parent = ["ps", "-o", "pid=", "--ppid", str(self._server.pid)]
        children = subprocess.run(with_parent, capture_output=True, text=True, check=False)
        for pid in map(int, children.stdout.split()):
            with contextlib.suppress(ProcessLookupError):  # some end by themselves
                os.kill(pid, which)

    # --- databases ---

    @contextmanager
    def database(self, *, empty: bool = False, like: str | None = None) -> Iterator[str]:
        """The URL of a new database, with our tables unless it is to be empty; dropped in the end.

        Its owner is no superuser. `like` is the URL of one to copy, which nobody is in.
        """
        name = f"t{uuid.uuid4().hex}"
        template = "template1" if empty else self._template
        with self.connect("postgres") as connection:
            if like is not None:
                template = like.rpartition("/")[2]
                # Their processes have ended, and the server may not have noticed yet.
                ended = "select pg_terminate_backend(pid, 10000) from pg_stat_activity"
                connection.execute(f"{ended} where datname = %s", [template])
            made = f"create database {name} template {template} owner lamp"
            _when_nobody_is_in_it(connection, f"{made} strategy {self._strategy}")
        try:
            yield self.url(name)
        finally:
            with self.connect("postgres") as connection:
                _when_nobody_is_in_it(connection, f"drop database {name} with (force)")

    def url(self, database: str, user: str = "lamp") -> str:
        """Where a database is."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        """As the superuser; each statement is a transaction."""
        return psycopg.connect(self.url(database, self.superuser), autocommit=True)

    def client(self, program: str, *words: str) -> None:
        """One of Postgres's own programs: pg_dump, pg_restore."""
        subprocess.run([self._programs / program, *words], check=True, stdout=subprocess.DEVNULL)

    def _make_template(self) -> str:
        from lampwork.engine import migrate_tables

        name = "lampwork_template"
        with self.connect("postgres") as connection:
            connection.execute("create role lamp login")
            connection.execute(f"create database {name} owner lamp")
        # Without it every test of this process would fail.
        place = Server(f"{self.url(name)}?connect_timeout=60")
        Store(place).close()
        migrate_tables(place)
        return name

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(
            [self._programs / program, *words],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
        )


def _when_nobody_is_in_it(connection: psycopg.Connection[Any], statement: str) -> None:
    """The server waits 5 s for those that it ends, on a busy machine too short a time."""
    until = time.monotonic() + _DEADLINE
    while True:
        try:
            connection.execute(statement)
            return
        except psycopg.errors.ObjectInUse:
            if time.monotonic() > until:
                raise


def in_memory() -> Path | None:
    """A folder in memory with room for a cluster, if there is one.

    There a database is made and dropped in 30 ms, on a disk in 290, and most of that is CPU.
    """
    folder = Path("/dev/shm")
    roomy = folder.is_dir() and shutil.disk_usage(folder).free >= _ROOM
    return folder if roomy and os.access(folder, os.W_OK) else None


def _programs() -> Path:
    """Where Postgres's programs are; Debian keeps them off the PATH."""
    if (found := shutil.which("postgres")) is not None:
        return Path(found).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = max(versions, key=lambda each: float(each.parts[-3]), default=None)
    if newest is None:
        raise RuntimeError("The tests need PostgreSQL: apt-get install postgresql")
    return newest.parent


def _claim_port() -> socket.socket:
    """One that the system gives to nobody who does not ask for it, also while the server is away:
    those from 32768 on are the near ends of connections.

    Nobody else who looks for one like this gets it either, though the server is yet to take it:
    until it is closed, what is returned holds the port of this number that is UDP's.
    """
    for port in random.SystemRandom().sample(range(20_000, 32_000), 1_000):
        claim = socket.socket(type=socket.SOCK_DGRAM)
        with contextlib.suppress(OSError), socket.socket() as found:
            claim.bind(("127.0.0.1", port))
            found.bind(("127.0.0.1", port))
            return claim
        claim.close()
    raise RuntimeError("No port is free for the tests' PostgreSQL.")
