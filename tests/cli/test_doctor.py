"""`lampwork doctor`: what keeps things from working, found without changing anything."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest

KEY = "sk-the-value-of-the-key"


def examined(lampwork: Any, *words: str, code: int = 0, **environment: str) -> dict[str, Any]:
    """What it says about each thing; where it says several, the worst."""
    done = lampwork("doctor", "--json", *words, **environment)
    assert done.code == code, done
    assert "Traceback" not in done.err
    order = ("ok", "warning", "problem")
    found: dict[str, Any] = {}
    for item in sorted(done.json["items"], key=lambda item: order.index(item["state"])):
        assert (item["mend"] is None) == (item["state"] == "ok"), item
        found[item["about"]] = item
    return found


def contents(folder: Path) -> dict[str, str]:
    """Each file below a folder, by a digest of what is in it.

    The index of a log that a killed process has left is made anew by whoever reads it.
    """
    files = sorted(each for each in folder.rglob("*") if each.suffix != ".db-shm")
    return {str(each): hashlib.sha256(each.read_bytes()).hexdigest() for each in files}


def sql(lampwork: Any, statement: str) -> None:
    """Change the database behind everyone's back."""
    with closing(sqlite3.connect(lampwork.folder / ".lampwork" / "lampwork.db")) as connection:
        connection.execute(statement)
        connection.commit()


# --- the whole ---


def test_where_nothing_is_wrong_it_says_so_and_makes_nothing(lampwork: Any) -> None:
    (lampwork.folder / "project.py").unlink()

    done = lampwork("doctor")

    assert done.code == 0
    *lines, last = done.out.splitlines()
    assert all(line[:2] in ("✓ ", "! ", "  ") for line in lines), done.out
    assert "warning" in last
    assert f"! project   None is in {lampwork.folder}: no code and no model looked at." in done.out
    assert "is not there yet; the first job makes it." in done.out
    assert list(lampwork.folder.iterdir()) == []


def test_a_project_that_has_run_is_well(lampwork: Any) -> None:
    lampwork.json("run", "add", "--input", '{"a": 1}', "--wait")
    state = lampwork.folder / ".lampwork"
    before = contents(state)

    found = examined(lampwork)

    assert found["worker"]["message"] == "Nobody executes, and no job waits for it."
    assert found["folder"]["message"] == f"{state} can be written."
    assert "as they should be." in found["database"]["message"]
    assert found["model"]["state"] == "ok"
    assert {"python", "packages", "clock", "files", "disk", "project"} < found.keys()
    assert contents(state) == before


# --- the folder ---


def test_who_executes_is_said_and_that_jobs_wait_when_nobody_does(lampwork: Any) -> None:
    lampwork.other_project()
    worker = lampwork.worker()
    waits = lampwork.queue("run", "asks")
    lampwork.job(waits, "suspended")
    lampwork.queue("run", "other.py", "greet")

    said = lampwork("doctor").out

    assert f"Process {worker.pid} (project shop, since 2" in said
    assert "executes. 1 job to be executed, 1 waiting." in said
    assert "It leaves the jobs of other projects alone: 1 of other." in said

    worker.kill()
    worker.wait()
    before = contents(lampwork.folder / ".lampwork")
    found = examined(lampwork)["worker"]

    assert found == {
        "about": "worker",
        "state": "warning",
        "message": "1 job to be executed, 1 waiting, and nobody executes: nothing goes on, "
        "timers neither.",
        "mend": "Type: lampwork worker",
    }
    assert contents(lampwork.folder / ".lampwork") == before


def test_jobs_that_need_a_person_are_named(lampwork: Any) -> None:
    (lampwork.folder / "broken").touch()
    job = lampwork.queue("run", "pays")
    worker = lampwork.worker()
    lampwork.job(job, "needs_attention")
    worker.kill()
    worker.wait()

    found = examined(lampwork)["attention"]

    assert found["message"] == f"1 job in need of a person: {job}"
    assert found["mend"] == f"Type: lampwork job {job}"


def test_tables_of_an_older_version_are_only_told_of(lampwork: Any) -> None:
    lampwork.queue("run", "asks")
    sql(lampwork, "UPDATE alembic_version SET version_num = '0001'")
    before = contents(lampwork.folder / ".lampwork")

    found = examined(lampwork)["database"]

    assert found["state"] == "warning"
    assert "older Lampwork (revision 0001)" in found["message"]
    assert "brings them up to date" in found["mend"]
    assert contents(lampwork.folder / ".lampwork") == before


def _newer(lampwork: Any) -> None:
    sql(lampwork, "UPDATE alembic_version SET version_num = '0999'")


def _garbage(lampwork: Any) -> None:
    (lampwork.folder / ".lampwork" / "lampwork.db").write_bytes(b"no database" * 1000)


def _garbage_of_the_engine(lampwork: Any) -> None:
    (lampwork.folder / ".lampwork" / "engine.db").write_bytes(b"no database" * 1000)


def _lost(lampwork: Any) -> None:
    (lampwork.folder / ".lampwork" / "engine.db").unlink()


@pytest.mark.parametrize(
    ("damage", "said", "mend"),
    [
        (_newer, "a newer Lampwork has written the tables (revision 0999)", "Install that version"),
        (_garbage, "lampwork.db can't be read: file is not a database.", "Bring a backup"),
        (_garbage_of_the_engine, "engine.db can't be read: file is not", "Bring a backup"),
        (_lost, "engine.db is gone, and with it what jobs have done", "Bring a backup"),
    ],
)
def test_databases_that_can_not_be_used_are_problems(
    lampwork: Any, damage: Any, said: str, mend: str
) -> None:
    lampwork.json("run", "add", "--input", '{"a": 1}', "--wait")
    damage(lampwork)

    found = examined(lampwork, code=1)["database"]

    assert said in found["message"]
    assert found["mend"].startswith(mend)


# --- the project ---


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nowhere_to_be_found", "No module named 'nowhere_to_be_found'"),
        ("from lampwork import Project", "holds no project"),
        (
            "from lampwork import Project\nproject = Project('x')\n"
            "@project.skill()\ndef give(anything): ...\n",
            "parameter anything has no annotation",
        ),
        (
            "from lampwork import Project\nproject = Project('x')\nclass Opaque: ...\n"
            "@project.skill()\ndef give() -> Opaque: ...\n",
            "x has 1 error: ",
        ),
    ],
)
def test_a_project_that_will_not_work_is_a_problem(lampwork: Any, code: str, said: str) -> None:
    (lampwork.folder / "project.py").write_text(code)

    found = examined(lampwork, code=1)["project"]

    assert said in found["message"]


def test_a_project_that_is_named_and_not_there_is_bad_usage(lampwork: Any) -> None:
    assert lampwork("doctor", "absent.py").code == 2


# --- the models ---


@dataclass
class Service:
    """A provider: what it answers is in the name of the model that is asked for."""

    port: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Each request's path and key."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service()
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            names = ("authorization", "x-api-key", "x-goog-api-key")
            key = next(filter(None, map(self.headers.get, names)), "")
            found.asked.append((self.path, key))
            asked_for = self.path.partition("?")[0].rpartition("/")[2]
            if asked_for == "silent":
                over.wait(30)
                return
            self.answer({"denied": 401, "absent": 404, "busy": 503}.get(asked_for, 200))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            message = {"role": "assistant", "content": "yes"}
            self.answer(
                200,
                id="c1",
                object="chat.completion",
                created=1,
                model="good",
                choices=[{"index": 0, "message": message, "finish_reason": "stop"}],
                usage={"prompt_tokens": 11, "completion_tokens": 1, "total_tokens": 12},
            )

        def answer(self, status: int, **body: Any) -> None:
            text = json.dumps({"id": "good", "name": "models/good"} | body).encode()
            self.send_response_only(status)
            ahead = 3600 if "skewed" in self.path else 0
            self.send_header("date", formatdate(time.time() + ahead, usegmt=True))
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def of_models(lampwork: Any, models: dict[str, str], *words: str) -> dict[str, Any]:
    """What it says about the models of genies of these names."""
    genies = "".join(
        f"project.genie({name!r}, model={model}, job_description='You help.')\n"
        for name, model in models.items()
    )
    (lampwork.folder / "project.py").write_text(
        "from pydantic_ai.models.test import TestModel\n"
        f"from lampwork import Model, Project\nproject = Project('models')\n{genies}"
    )
    done = lampwork("doctor", "--json", *words, TEAM_KEY=KEY, OPENAI_API_KEY="")
    assert KEY not in done.out + done.err
    assert "Traceback" not in done.err
    return {
        name: next(
            item
            for item in done.json["items"]
            if item["about"] == "model" and f"(genie {name})" in item["message"]
        )
        for name in models
    } | {"clock": [each for each in done.json["items"] if each["about"] == "clock"][1:]}


def test_each_models_service_is_asked_with_the_key_and_at_no_cost(
    lampwork: Any, service: Service
) -> None:
    def model(name: str, path: str = "/v1", key: str = ", key_env='TEAM_KEY'") -> str:
        return f"Model({name!r}, base_url={service.url(path)!r}{key})"

    found = of_models(
        lampwork,
        {
            "one": model("openai-chat:good"),
            "two": model("anthropic:good", "/"),
            "three": model("google:good", "/"),
            "four": model("openai:denied"),
            "five": model("openai:denied", key=""),
            "six": model("openai-chat:absent"),
            "seven": model("openai-chat:busy"),
            "eight": "'openai:gpt-5.2'",
            "nine": "'nobody:gpt-5.2'",
            "ten": "TestModel()",
        },
    )

    states = [found[name]["state"] for name in list(found)[:10]]
    assert states == ["ok"] * 3 + ["problem"] * 2 + ["warning"] * 2 + ["problem"] * 2 + ["ok"]
    for name in ("one", "two", "three"):
        assert f"127.0.0.1:{service.port} answers in " in found[name]["message"]
        assert found[name]["message"].endswith(", with TEAM_KEY.")
    assert "refuses the key in TEAM_KEY (HTTP 401)" in found["four"]["message"]
    assert "wants a key (HTTP 401)" in found["five"]["message"]
    assert "key_env" in found["five"]["mend"]
    assert "HTTP 404" in found["six"]["message"]
    assert "HTTP 503" in found["seven"]["message"]
    assert found["eight"]["message"].endswith("OPENAI_API_KEY is not set.")
    assert "is unknown" in found["nine"]["message"]
    assert "no address" in found["ten"]["message"]
    assert found["clock"] == []
    assert [key.removeprefix("Bearer ") for _, key in service.asked].count(KEY) == 6


def test_a_service_that_is_away_or_silent_is_told_of_in_a_few_seconds(
    lampwork: Any, service: Service
) -> None:
    found = of_models(
        lampwork,
        {
            "away": "Model('openai-chat:x', base_url='http://127.0.0.1:9/v1')",
            "nowhere": "Model('openai-chat:x', base_url='http://nowhere.invalid/v1')",
            "silent": f"Model('openai-chat:silent', base_url={service.url('/v1')!r})",
            "skewed": f"Model('openai-chat:x', base_url={service.url('/skewed')!r})",
        },
    )

    assert "127.0.0.1:9 can't be reached: " in found["away"]["message"]
    assert "nowhere.invalid can't be reached: " in found["nowhere"]["message"]
    assert found["silent"]["message"].endswith("can't be reached: no answer within 5 s.")
    assert found["skewed"]["state"] == "ok"
    assert "s behind that of 127.0.0.1" in found["clock"][0]["message"]


def test_a_real_request_is_made_only_when_it_is_asked_for(lampwork: Any, service: Service) -> None:
    models = {"one": f"Model('openai-chat:good', base_url={service.url('/v1')!r})"}

    assert "answers in" in of_models(lampwork, models)["one"]["message"]
    found = of_models(lampwork, models, "--ask")

    assert found["one"]["message"].startswith("openai-chat:good (genie one): has answered in ")
    assert found["one"]["message"].endswith("for 12 tokens.")


def test_a_paused_genie_is_told_of(lampwork: Any) -> None:
    lampwork("genie", "finance", "pause", "--why", "audit", LOGNAME="ann")

    assert examined(lampwork)["genie"] == {
        "about": "genie",
        "state": "warning",
        "message": 'Genie "finance" of shop is paused by ann (audit): it takes no new tasks.',
        "mend": "Type: lampwork genie finance start",
    }
    lampwork("genie", "finance", "start")
    assert "genie" not in examined(lampwork)


@pytest.mark.parametrize(
    ("change", "state", "said", "mend"),
    [
        (None, "ok", "as they should be", None),
        (
            "version_num = '0001'",
            "problem",
            "an older Lampwork (revision 0001)",
            "lampwork migrate",
        ),
        ("version_num = '0999'", "problem", "a newer Lampwork has written", "Install that version"),
    ],
)
def test_a_database_on_a_server_is_looked_at(
    lampwork: Any, server: str, change: str | None, state: str, said: str, mend: str | None
) -> None:
    if change is not None:
        with psycopg.connect(server) as connection:
            connection.execute(f"update lampwork.alembic_version set {change}")

    found = lampwork("doctor", "--json", "--db", server).json["items"]

    [database] = [each for each in found if each["about"] == "database"]
    assert database["state"] == state
    assert said in database["message"]
    assert mend is None or mend in database["mend"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("revoke update on lampwork.jobs from lamp", "may not write to the table lampwork.jobs"),
        ("alter role lamp in database {} set default_transaction_read_only = on", "read only"),
    ],
)
def test_a_server_that_takes_no_changes_is_a_problem(
    lampwork: Any, server: str, change: str, said: str
) -> None:
    with psycopg.connect(server) as connection:
        connection.execute(change.format(server.rpartition("/")[2]))

    found = lampwork("doctor", "--json", "--db", server).json["items"]

    [database] = [each for each in found if each["about"] == "database"]
    assert database["state"] == "problem"
    assert said in database["message"]


def test_a_server_that_can_not_be_reached_is_a_problem(lampwork: Any) -> None:
    looked = lampwork("doctor", "--json", "--db", "postgresql://lamp@127.0.0.1:1/shop")

    [database] = [each for each in looked.json["items"] if each["about"] == "database"]
    assert (looked.code, database["state"]) == (1, "problem")
    assert "can't be reached" in database["message"]


def test_a_folder_that_was_left_for_a_database_is_told_of(lampwork: Any, server: str) -> None:
    lampwork("migrate", "--db", server)
    lampwork.json("run", "add", "--input", '{"a": 1}', "--wait")
    assert "folder" not in {each["about"] for each in looked_at(lampwork, server)}
    lampwork.queue("run", "add", "--input", '{"a": 1}')

    [left] = [each for each in looked_at(lampwork, server) if each["about"] == "folder"]

    home = lampwork.folder / ".lampwork"
    assert left == {
        "about": "folder",
        "state": "warning",
        "message": f"{home} holds jobs that have not ended, 1: they do not move by themselves.",
        "mend": f"Let a worker finish them there: lampwork worker --home {home}",
    }


def looked_at(lampwork: Any, server: str) -> list[dict[str, Any]]:
    return lampwork("doctor", "--json", "--db", server).json["items"]
