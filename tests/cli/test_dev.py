"""`lampwork dev`: a supervisor, its one worker, and edits while jobs wait."""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.warm import Warm

pytestmark = pytest.mark.timeout(400)

DEADLINE = 90.0
"""Seconds: each reload starts two interpreters, and many tests do so at once."""

CODE = """
from pathlib import Path

from lampwork import Job, Project

project = Project("shop")
text = Path(__file__).with_name("text.md").read_text()


@project.recipe()
async def asks(job: Job) -> str:
    return f"{text}: {await job.wait_for('go', str)}"


@project.recipe()
async def says(job: Job) -> str:
    return text
"""


class Dev:
    """A `lampwork dev` whose output is heard."""

    def __init__(self, warm: Warm, folder: Path, *words: str, on_terminal: bool = False) -> None:
        self._heard: queue.Queue[str | None] = queue.Queue()
        self.said: list[str] = []
        self.terminal: int | None = None
        command = ["-m", "lampwork", "dev", *words]
        if on_terminal:
            self.terminal, theirs = pty.openpty()
            files = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
            self.process = warm.start(command, cwd=folder, **files)
            os.close(theirs)
            hear: Any = self._hear_terminal
        else:
            with (folder / "errors.txt").open("w") as errors:
                command.append("--json")
                self.process = warm.start(command, cwd=folder, stderr=errors.fileno())
            hear = self._hear_pipe
        self._hearing = threading.Thread(target=hear, daemon=True)
        self._hearing.start()

    def _hear_pipe(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._heard.put(line)
        self._heard.put(None)

    def _hear_terminal(self) -> None:
        assert self.terminal is not None
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while part := os.read(self.terminal, 65536):
                self._heard.put(decoder.decode(part).replace("\r\n", "\n"))
        except OSError:
            pass
        self._heard.put(None)

    def _more(self, until: float) -> bool:
        """Hear more; whether there was any."""
        try:
            part = self._heard.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            raise AssertionError(f"never said; but: {''.join(self.said)}") from None
        if part is not None:
            self.said.append(part)
        return part is not None

    def event(self, name: str, **facts: Any) -> dict[str, Any]:
        """The next event of that name with these facts."""
        until = time.monotonic() + DEADLINE
        while True:
            while self.said:
                found = json.loads(self.said.pop(0))
                if found["event"] == name and facts.items() <= found.items():
                    return found
            assert self._more(until), f"it ended without {name}"

    def next(self) -> dict[str, Any]:
        """The next event."""
        while not self.said:
            assert self._more(time.monotonic() + DEADLINE), "it ended"
        return json.loads(self.said.pop(0))

    def job(self, job_id: str, status: str) -> dict[str, Any]:
        """What is said of a job when it gets that status."""
        while True:
            found = self.event("job")["job"]
            if (found["job_id"], found["status"]) == (job_id, status):
                return found

    def shown(self, text: str) -> str:
        """All that was shown up to this text."""
        until = time.monotonic() + DEADLINE
        while text not in (so_far := "".join(self.said)):
            assert self._more(until), f"it ended without {text!r}: {so_far}"
        before, _, after = so_far.partition(text)
        self.said = [after]
        return before + text

    def type(self, text: str) -> None:
        assert self.terminal is not None
        os.write(self.terminal, f"{text}\n".encode())

    def close(self) -> None:
        self._hearing.join(DEADLINE)
        if self.terminal is not None:
            os.close(self.terminal)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def stop(self, number: int = signal.SIGINT) -> int:
        """The exit code, after a signal."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)


@pytest.fixture
def dev(lampwork: Any, warm: Warm) -> Iterator[Callable[..., Dev]]:
    """Starts `lampwork dev` in the folder of the project."""
    folder: Path = lampwork.folder
    (folder / "project.py").write_text(CODE)
    (folder / "text.md").write_text("old")
    started: list[Dev] = []

    def start(*words: str, on_terminal: bool = False) -> Dev:
        started.append(Dev(warm, folder, *words, on_terminal=on_terminal))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.terminate()
        try:
            each.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            each.process.kill()
        each.close()


def edit(lampwork: Any, old: str, new: str) -> None:
    text = (lampwork.folder / "project.py").read_text()
    assert old in text
    save(lampwork, "project.py", text.replace(old, new))


def save(lampwork: Any, name: str, text: str) -> None:
    """Save a file as editors do, whole: nobody reads half of it, or takes it for code before."""
    unsaved = lampwork.folder / f".{name}.unsaved"
    unsaved.write_text(text)
    unsaved.replace(lampwork.folder / name)


def is_gone(pid: int) -> bool:
    """Whether it has ended; not every first process of a container takes notice of it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    return False


def test_an_edit_is_taken_over_while_a_job_waits_and_the_job_goes_on(
    lampwork: Any, dev: Any
) -> None:
    started = dev()
    assert started.event("started")["recipes"] == ["asks", "says"]
    first = started.event("worker")["pid"]
    job_id = lampwork.queue("run", "asks")
    assert started.job(job_id, "suspended")["waiting_on"][0]["what"] == 'event "go"'

    save(lampwork, "text.md", "new")
    loaded = started.event("reloaded")
    assert loaded["edited"] == [str(lampwork.folder / "text.md")]
    assert is_gone(first)

    lampwork("job", job_id, "send", "go", '"on"')
    started.job(job_id, "succeeded")
    assert lampwork.json("job", job_id)["output"] == "new: on"
    assert started.stop() == 0
    assert started.event("closed")["unfinished"] == 0


def test_a_broken_edit_keeps_the_old_code_even_when_its_worker_dies(
    lampwork: Any, dev: Any
) -> None:
    started = dev()
    first = started.event("worker")["pid"]
    job_id = lampwork.queue("run", "asks")
    started.job(job_id, "suspended")

    edit(lampwork, "project = Project", "import nonsense_of_ours\nproject = Project")
    broken = started.event("broken")["error"]
    assert "nonsense_of_ours" in broken["fields"]["traceback"]
    assert not is_gone(first)
    os.kill(first, signal.SIGKILL)
    assert "SIGKILL" in started.event("worker_ended", pid=first)["why"]
    started.event("worker")

    lampwork("job", job_id, "send", "go", '"on"')
    started.job(job_id, "succeeded")
    assert lampwork("job", job_id).out.endswith("old: on\n")

    edit(lampwork, "import nonsense_of_ours\n", "")
    started.event("unchanged")


def test_each_job_that_an_edit_does_not_fit_is_kept_forked_or_discarded(
    lampwork: Any, dev: Any
) -> None:
    started = dev(on_terminal=True)
    started.shown("state: ")
    kept, forked, discarded = jobs = [lampwork.queue("run", "asks") for _ in range(3)]
    for job_id in jobs:
        lampwork.job(job_id, "suspended")

    edit(lampwork, "'go'", "'went'")
    for job_id, letter in ((kept, "k"), (forked, "f"), (discarded, "d")):
        shown = started.shown("as in ka: ")
        assert f'{job_id}  asks  suspended, waits for event "go"' in shown
        assert "call 1 is `wait_for went` now, but was begun as `wait_for go`" in shown
        assert "[k]eep the old code for it, [f]ork it at call 1, [d]iscard it, [w]ait" in shown
        started.type(letter)
    started.shown(f"Job {kept} goes on with the old code")
    started.shown(f"Job {forked} is cancelled; job ")
    started.shown(f"Job {discarded} is cancelled.")
    started.shown("The code of today goes on.")
    save(lampwork, "text.md", "new")
    started.shown("Loaded text.md.")

    lampwork("job", kept, "send", "go", '"on"')
    newer = lampwork.queue("run", "says")
    assert lampwork.job(kept, "succeeded")["output"] == "new: on"  # files are those of today
    assert lampwork.job(newer, "succeeded")["output"] == "new"
    [copy] = lampwork.job(forked, "cancelled")["copies"]
    lampwork("job", copy["job_id"], "send", "went", '"on"')
    assert lampwork.job(copy["job_id"], "succeeded")["output"] == "new: on"
    assert lampwork.job(discarded, "cancelled")["copies"] == []
    copies = lampwork.folder / ".lampwork" / "code"
    lampwork.eventually(lambda: len(list(copies.iterdir())) == 1)
    assert started.stop() == 0
    started.shown("Closing")


def test_waiting_for_another_edit_leaves_the_old_code_at_work(lampwork: Any, dev: Any) -> None:
    started = dev(on_terminal=True)
    started.shown("state: ")
    jobs = [lampwork.queue("run", "asks") for _ in range(2)]
    for job_id in jobs:
        lampwork.job(job_id, "suspended")

    edit(lampwork, "'go'", "'went'")
    started.shown("as in ka: ")
    started.type("nonsense")
    started.shown("as in ka: ")
    started.type("w")
    started.shown("The old code goes on until you edit again.")
    says = lampwork.queue("run", "says")
    assert lampwork.job(says, "succeeded")["output"] == "old"

    # Of other lengths: the bytecode of code of one length and second is taken for that of either.
    edit(lampwork, "'went'", "'parted'")
    started.shown("as in ka: ")
    edit(lampwork, "'parted'", "'gone away'")
    started.shown("Edited again.")
    started.shown("as in ka: ")
    started.type("da")
    for job_id in jobs:
        lampwork.job(job_id, "cancelled")


def test_where_nobody_can_be_asked_old_code_is_kept_and_a_plain_worker_leaves_it_alone(
    lampwork: Any, dev: Any, stop: Any
) -> None:
    started = dev()
    started.event("worker")
    job_id = lampwork.queue("run", "asks")
    started.job(job_id, "suspended")
    started.stop()

    edit(lampwork, "'go'", "'went'")  # while nothing executes: the code of the last time is kept
    again = dev()
    assert again.event("misfit")["misfit"]["job_id"] == job_id
    old = again.event("decided", decision="keep")["code"]
    again.event("turn_over")
    assert again.stop() == 0
    assert again.event("closed")["unfinished"] == 1

    worker = lampwork.worker()
    assert worker.stderr is not None
    assert f"keeps on older code: {job_id}." in worker.stderr.readline()
    assert lampwork.json("job", job_id)["kept_code"] == old
    lampwork("job", job_id, "send", "go", '"on"')
    lampwork.job(lampwork.queue("run", "says"), "succeeded")
    assert lampwork.json("job", job_id)["status"] == "suspended"
    edit(lampwork, "'went'", "'go'")
    stop(worker)
    lampwork.worker()
    lampwork("job", job_id, "go-on")
    assert lampwork.job(job_id, "succeeded")["output"] == "old: on"


def test_a_kept_job_is_the_code_of_then_and_writes_to_the_files_of_today(
    lampwork: Any, dev: Any
) -> None:
    edit(lampwork, "wait_for('go', str)}\"", "wait_for('go', str)}\" + note()")
    edit(
        lampwork,
        "@project.recipe()\nasync def asks",
        "def note():\n"
        "    (Path(__file__).parent / 'rows').open('a').write('row')\n"
        "    return ' noted'\n\n\n"
        "@project.recipe()\nasync def asks",
    )
    (lampwork.folder / "rows").write_text("first ")
    started = dev()
    job_id = lampwork.queue("run", "asks")
    started.job(job_id, "suspended")
    edit(lampwork, "'go'", "'went'")
    started.event("decided", decision="keep")
    started.event("turn_over")  # from now on whoever executes it reads the file anew
    save(lampwork, "text.md", "new")
    started.event("reloaded")

    lampwork("job", job_id, "send", "go", '"on"')
    started.job(job_id, "succeeded")

    assert lampwork.json("job", job_id)["output"] == "new: on noted"
    assert (lampwork.folder / "rows").read_text() == "first row"
    copies = lampwork.folder / ".lampwork" / "code"
    assert {path.name for path in copies.glob("*/*/*")} == {"project.py"}


def test_what_was_typed_before_the_question_was_there_is_no_answer_to_it(
    lampwork: Any, dev: Any
) -> None:
    started = dev(on_terminal=True)
    started.shown("state: ")
    jobs = [lampwork.queue("run", "asks") for _ in range(2)]
    for job_id in jobs:
        lampwork.job(job_id, "suspended")

    started.type("da")
    edit(lampwork, "'go'", "'went'")
    started.shown("as in ka: ")
    started.type("k\nda\nda")
    started.shown("as in ka: ")
    started.type("w")
    started.shown("The old code goes on until you edit again.")


def test_while_it_asks_at_its_start_it_has_the_folder_and_what_it_only_looked_at_is_not_loaded(
    lampwork: Any, dev: Any
) -> None:
    started = dev()
    old = started.event("worker")["code"]
    job_id = lampwork.queue("run", "asks")
    started.job(job_id, "suspended")
    started.stop()
    edit(lampwork, "'go'", "'went'")

    asking = dev(on_terminal=True)
    asking.shown("Nothing is executed until you answer: 1 job ")
    asking.shown("as in ka: ")
    has = f"`lampwork dev` (process {asking.process.pid}) has"
    queued = lampwork("run", "says")
    assert (has in queued.out, "lampwork worker" in queued.out) == (True, False)
    assert has in lampwork("job", job_id, "send", "other", "1").out
    assert has in lampwork("doctor").out
    for verb in ("worker", "dev"):
        refused = lampwork(verb, "--json")
        assert refused.json["error"]["code"] == "folder_in_use"
        assert refused.json["error"]["fields"]["pid"] == str(asking.process.pid)
    asking.stop()

    again = dev()
    assert again.event("decided", job_id=job_id, decision="keep")["code"] == old


def test_code_is_not_loaded_before_its_worker_has_the_folder(lampwork: Any, dev: Any) -> None:
    started = dev()
    started.event("worker")
    file = lampwork.folder / ".lampwork" / "lock"
    file.rename(file.with_name("lock of the old worker"))
    with file.open("w") as lock:  # the new worker's: we have it before there is one
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        save(lampwork, "text.md", "new")
        assert f"Process {os.getpid()} executes" in started.event("worker_ended")["why"]

    told = [started.next()]
    while told[-1]["event"] == "worker_ended":
        told.append(started.next())
    assert told[-1]["event"] == "worker"


def test_when_the_supervisor_is_killed_its_worker_ends_and_nothing_is_lost(
    lampwork: Any, dev: Any
) -> None:
    started = dev()
    worker = started.event("worker")["pid"]
    job_id = lampwork.queue("run", "asks")
    started.job(job_id, "suspended")
    in_use = lampwork("dev", "--json")
    assert (in_use.code, in_use.json["error"]["code"]) == (1, "folder_in_use")
    assert in_use.json["error"]["fields"]["pid"] == str(worker)

    started.process.kill()
    started.process.wait()

    lampwork.eventually(lambda: is_gone(worker))
    lampwork("job", job_id, "send", "go", '"on"')
    again = dev()
    again.job(job_id, "succeeded")


def test_a_project_that_is_not_there_or_cannot_be_imported_says_why(
    lampwork: Any, dev: Any
) -> None:
    assert lampwork("dev", "nowhere.py").code == 2
    edit(lampwork, "project = Project", "other = Project('other')\nproject = Project")
    two = lampwork("dev")
    assert (two.code, "holds 2 projects" in two.err) == (2, True)
    edit(lampwork, "other = Project('other')", "import nonsense_of_ours")
    broken = lampwork("dev")
    assert (broken.code, "import nonsense_of_ours" in broken.err) == (1, True)
    assert lampwork("dev", "--on-misfit", "ask").code == 2

    # A person is there to mend it.
    started = dev(on_terminal=True)
    started.shown("Nothing is executed until you mend it.")
    edit(lampwork, "import nonsense_of_ours\n", "")
    started.shown("state: ")
    assert lampwork.job(lampwork.queue("run", "says"), "succeeded")["output"] == "old"
