"""The sales story: an agent that fails is replaced, and the report says what the database says."""

from __future__ import annotations

import base64
import io
import os
import re
import shlex
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pypdf
import pytest
from tests.orchestration.team import ends_with
from tests.warm import Warm

from lampwork import Answer, OrchestrationLimits, Report, Turn, playbook, testing
from lampwork.errors import OrchestrationPartial
from q2_sales_report import checks, database, make_data
from q2_sales_report import playbook as scripts
from q2_sales_report.database import QueryRefused, QueryTimedOut, QueryTooLarge
from q2_sales_report.project import analyst, archivist, data, project, sales_lead, writer

from .conftest import EXAMPLES

QUARTER = "2026-Q2"
REQUEST = "Create a Q2 sales performance report with charts and an executive summary."

alone = project.orchestrator(
    "alone",
    model=scripts.lead,
    job_description="You deliver reports, and have nobody who takes over.",
    agents=[data, archivist, analyst, writer],
    limits=OrchestrationLimits(retries=0),
)


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sales") / "sales.db"
    make_data.main(path)
    return path


@pytest.fixture
def sales(_made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SALES_DB", str(_made))
    return _made


async def test_an_agent_that_times_out_is_replaced_and_the_report_is_whole(sales: Path) -> None:
    async with project.open() as app:
        task = await app.assign_task(sales_lead, REQUEST, data={"quarter": QUARTER}, output=Report)
        files = {each.name: await app.read_artifact(each) for each in task.artifacts}

    assert {each.subtask: each.agent for each in task.sections} == {
        "sales": "data",
        "returns": "archivist",
        "figures": "analyst",
        "charts": "analyst",
        "summary": "writer",
        "paper": "writer",
    }
    [planned] = task.actions
    assert (planned.skill, planned.arguments["subtasks"]) == ("plan", scripts.PLAN)
    assert Counter((each.genie, each.status) for each in planned.tasks) == {
        ("data", "answered"): 1,
        ("data", "failed"): 2,  # and once more
        ("archivist", "answered"): 1,
        ("analyst", "answered"): 2,
        ("writer", "answered"): 2,
    }
    failed = [each for each in planned.tasks if each.status == "failed"]
    errors = [action.error or "" for each in failed for action in each.actions]
    assert errors
    assert all("QueryTimedOut" in error for error in errors), errors

    page = files["report.html"].decode()
    images = re.findall(r'<img [^>]*src="([^"]*)"', page)
    assert [base64.b64decode(each.removeprefix("data:image/png;base64,")) for each in images] == [
        files["by_region.png"],
        files["by_product.png"],
    ]
    rest = re.sub(r'src="data:[^"]*"', "", page)
    assert [each for each in ("src=", "href", "url(", "://", "@import") if each in rest] == []
    paper = " ".join(
        each.extract_text() for each in pypdf.PdfReader(io.BytesIO(files["report.pdf"])).pages
    )
    said = summarised(page)
    assert said[0] in " ".join(paper.split())
    assert by_hand(sales) in said[0]
    assert re.findall(r"<h2>(.*?)</h2>", page) == [
        "Executive summary",
        "Sales by region and product",
        "Who did what",
    ]


def summarised(page: str) -> list[str]:
    """The sentences of the executive summary."""
    found = re.search(r"<h2>Executive summary</h2>(.*?)<section>", page, re.DOTALL)
    assert found is not None
    return [re.sub(r"<[^>]*>", "", each) for each in re.findall(r"<p>(.*?)</p>", found[1])]


def by_hand(sales: Path) -> str:
    """The net sales of Q2, order by order and return by return."""
    with closing(sqlite3.connect(sales)) as db:
        orders = {each[0]: each for each in db.execute("select * from orders")}
        back = list(db.execute("select order_id, day, units from returns"))
    days = ("2026-04-01", "2026-06-30")
    cents = sum(
        units * (price or 0)
        for _, day, _, _, units, price in orders.values()
        if days[0] <= day <= days[1]
    )
    cents -= sum(
        units * (orders[id][5] or 0) for id, day, units in back if days[0] <= day <= days[1]
    )
    return f"EUR {cents / 100:,.2f}"


async def test_without_a_fallback_there_is_no_report(sales: Path) -> None:
    async with project.open() as app:
        with ends_with(OrchestrationPartial) as ended:
            await app.assign_task(alone, REQUEST, data={"quarter": QUARTER})

    assert [each["subtask"] for each in ended.error.fields["sections"]] == ["sales"]
    missing = {each["subtask"]: each["reasons"] for each in ended.error.fields["missing"]}
    assert list(missing) == ["returns", "figures", "charts", "summary", "paper"]
    assert "QueryTimedOut" in missing["returns"][0]


async def test_a_summary_with_a_wrong_figure_is_not_accepted(sales: Path) -> None:
    @playbook
    def flattering(_: Turn) -> Answer:
        return Answer(scripts.summarised(checks.recount(QUARTER)).replace("+7.9 %", "+9.7 %"))

    played = {"data": scripts.archivist, "writer": flattering}
    async with testing.opened(project, models=played) as app:
        with ends_with(OrchestrationPartial) as ended:
            await app.assign_task(alone, REQUEST, data={"quarter": QUARTER})

    missing = {each["subtask"]: each["reasons"] for each in ended.error.fields["missing"]}
    assert list(missing) == ["summary", "paper"]
    assert missing["summary"] == ['writer: "on_last_year:all" is +7.9 %, not +9.7 %']


def test_every_figure_of_a_summary_has_to_be_cited_for_what_it_is(sales: Path) -> None:
    text = scripts.summarised(checks.recount(QUARTER))

    def wrong(summary: str) -> list[str]:
        return checks.disagreements(QUARTER, summary)

    assert wrong(text) == []
    assert wrong(f"{text} Up 12 % in all.") == ["nothing is cited for 12"]
    assert wrong(text.replace("fact:net:all", "fact:net:North"))[0] == '"net:all" is missing'
    assert wrong(f"{text} [EUR 1.00](fact:net:Moon)") == ['there is no fact "net:Moon"']


@pytest.mark.parametrize(
    ("sql", "error", "says"),
    [
        ("delete from orders", QueryRefused, "for reading only.*one SELECT"),
        ("attach 'other.db' as other", QueryRefused, "for reading only"),
        ("pragma writable_schema = on", QueryRefused, "for reading only"),
        ("select * from orders", QueryTooLarge, "more than 500 rows"),
        (scripts.RUNNING, QueryTimedOut, "was stopped after 0.25 s"),
        ("select 1; select 2", sqlite3.ProgrammingError, "one statement"),
    ],
)
def test_a_query_reads_within_bounds_and_nothing_else(
    sql: str, error: type[Exception], says: str, sales: Path
) -> None:
    before = sales.read_bytes()
    with pytest.raises(error, match=says):
        database.query(sql)
    assert sales.read_bytes() == before


def test_the_database_is_the_same_every_time(sales: Path, tmp_path: Path) -> None:
    make_data.main(tmp_path / "sales.db")
    facts = "select count(*), sum(unit_cents is null), sum(region is null), min(day) from orders"
    for path in (sales, tmp_path / "sales.db"):
        with closing(sqlite3.connect(path)) as db:
            assert db.execute(facts).fetchone() == (5788, 44, 59, "2024-07-01")
            assert db.execute("select count(*) from returns").fetchone() == (402,)


def test_the_commands_of_its_readme_run(sales: Path, warm: Warm, tmp_path: Path) -> None:
    readme = (EXAMPLES / "q2_sales_report/README.md").read_text()
    env = os.environ | {"LAMPWORK_HOME": str(tmp_path / "home"), "REPORTS": str(tmp_path / "out")}
    commands = re.findall(r"^lampwork .*$", readme, re.MULTILINE)
    assert len(commands) == 4
    said: list[str] = []
    for command in commands:
        if found := re.search(r"^Who did what: lampwork orchestration (\S+)$", "".join(said), re.M):
            command = command.replace(" ID ", f" {found[1]} ")
        words = shlex.split(command, comments=True)[1:]
        ran = warm.start(("-m", "lampwork", *words), cwd=EXAMPLES, env=env)
        out, err = ran.communicate(timeout=120)
        assert ran.returncode == 0, out + err
        said.append(out)

    assert re.search(r"✓ archivist +accepted +\(fallback\)", said[2])
    report = tmp_path / "out" / QUARTER
    assert sorted(each.name for each in report.iterdir()) == ["report.html", "report.pdf"]
    assert by_hand(sales) in summarised((report / "report.html").read_text())[0]
