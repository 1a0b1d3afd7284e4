"""An orchestration may deliver a report: one page, made of what its subtasks have produced."""

from __future__ import annotations

import base64
import html
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.orchestration.conftest import Open
from tests.orchestration.team import agent, lead, subtask
from tests.warm import Warm

from lampwork import (
    Answer,
    Artifact,
    Call,
    CannotComplete,
    Project,
    Report,
    ReportSection,
    Section,
    SkillCall,
    TaskAnswer,
    Turn,
)
from lampwork.errors import OutputTypeInvalid
from lampwork.orchestrators.markdown import images_in, to_html
from lampwork.orchestrators.page import Page

EXAMPLE = Path(__file__).parents[2] / "docs/examples/reports.py"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
CODED = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
FIGURES = {
    "quarter": "2026-Q2",
    "by_region": [{"region": "North", "cents": 900}, {"region": "South <b>", "cents": 1200}],
}


class _Read(HTMLParser):
    """What a page has in it: its tags with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.text.append(" ".join(data.split()))

    def found(self, tag: str, attribute: str) -> list[str | None]:
        return [attrs.get(attribute) for name, attrs in self.tags if name == tag]


def artist(project: Project, says: str = "Drawn: ![By region](chart.png)") -> Any:
    """One that draws a chart and saves the rows beside it."""

    @project.skill(effect="idempotent")
    def draw(call: SkillCall) -> str:
        """Draw."""
        call.save_artifact("chart.png", PNG, "image/png")
        call.save_artifact("rows.csv", b"a,b\n1,2\n", "text/csv")
        return "drawn"

    def decide(turn: Turn) -> Any:
        return Answer(says) if turn.results else Call(draw)

    return agent(project, "artist", decide, skills=[draw])


def desk(answer: dict[str, Any], *, says: str = "Drawn: ![By region](chart.png)") -> Project:
    """A project whose orchestrator delivers this report."""
    project = Project("desk")
    agents = [artist(project, says), agent(project, "counter", lambda _: Answer(FIGURES))]
    plan = [
        subtask("figures", "counter", output={"type": "object"}),
        subtask("charts", "artist", depends_on=["figures"]),
    ]
    lead(project, agents, plan, then=lambda _: Answer(answer))
    return project


async def delivered(opened: Open, project: Project, **how: Any) -> tuple[TaskAnswer[Report], str]:
    """The answer of its orchestrator, and the page."""
    async with opened(project) as app:
        answer = await app.assign_task("lead", "Report on Q2.", output=Report, **how)
        [page] = [each for each in answer.artifacts if each.name == "report.html"]
        return answer, (await app.read_artifact(page)).decode()


async def test_each_section_shows_what_a_subtask_has_come_to_and_by_whom(opened: Open) -> None:
    summary = "It **grew**, to *all*."
    answer, page = await delivered(opened, desk({"title": "Q2 & more", "summary": summary}))

    assert answer.output.title == "Q2 & more"
    assert [(each.name, each.media_type) for each in answer.artifacts] == [
        ("report.html", "text/html"),
        ("chart.png", "image/png"),
        ("rows.csv", "text/csv"),
    ]
    read = _Read(page)
    headings = re.findall(r"<h(\d)>(.*?)</h", page)
    assert headings == [
        ("1", "Q2 &amp; more"),
        ("2", "Figures"),
        ("3", "by region"),
        ("2", "Charts"),
        ("2", "Who did what"),
    ]
    assert "<strong>grew</strong>" in page
    for said in ("figures, by counter", "charts, by artist", "2026-Q2", "South <b>", "1200"):
        assert said in read.text
    assert read.found("img", "src") == [CODED]  # once, where the text wants it
    assert read.found("img", "alt") == ["By region"]
    assert "rows.csv, 8 bytes" in read.text


async def test_a_drawing_that_is_a_document_is_shown_as_an_image_which_does_nothing(
    opened: Open,
) -> None:
    """In the place of an image no browser runs what is in it, or fetches what it names."""
    drawing = (
        b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script>'
        b'<image href="https://evil.example/p.png"/></svg>'
    )
    project = Project("desk")

    @project.skill(effect="idempotent")
    def draw(call: SkillCall) -> str:
        """Draw."""
        call.save_artifact("chart.svg", drawing, "image/svg+xml")
        return "drawn"

    def decide(turn: Turn) -> Any:
        return Answer("Drawn: ![By region](chart.svg)") if turn.results else Call(draw)

    artist = agent(project, "artist", decide, skills=[draw])
    plan = [subtask("charts", "artist")]
    lead(project, [artist], plan, then=lambda _: Answer({"title": "Q2"}))
    _, page = await delivered(opened, project)

    read = _Read(page)
    coded = f"data:image/svg+xml;base64,{base64.b64encode(drawing).decode()}"
    assert read.found("img", "src") == [coded]
    assert read.found("img", "alt") == ["By region"]
    assert {name for name, _ in read.tags}.isdisjoint({"svg", "script", "image", "object", "embed"})
    assert "evil.example" not in page


async def test_the_orchestrator_says_what_is_shown_in_which_order(opened: Open) -> None:
    sections = [
        {"subtask": "charts", "title": "In pictures", "text": "# Look\n\nNo words."},
        {"subtask": "figures"},
    ]
    _, page = await delivered(opened, desk({"title": "Q2", "sections": sections}))

    headings = re.findall(r"<h(\d)>(.*?)</h", page)
    assert headings == [
        ("1", "Q2"),
        ("2", "In pictures"),
        ("3", "Look"),
        ("2", "Figures"),
        ("3", "by region"),
        ("2", "Who did what"),
    ]
    assert _Read(page).found("img", "alt") == ["chart.png"]  # it is not lost


HOSTILE = """
<script>alert(1)</script> <img src=x onerror=alert(1)> <style>*{display:none}</style>

<iframe src="https://evil.example/"></iframe>

![pixel](https://evil.example/p.png) ![two](data:image/svg+xml;base64,PHN2Zz4=)
![three](//evil.example)

[one](javascript:alert(1)) [two](data:text/html,x) [three](" onmouseover="alert(1))
[four](vbscript:x)
[five](https://example.org/?a=1&b="2") [six](fact:net) [seven](JaVaScRiPt:alert(1))

| a | b |
|---|--:|
| <b>1</b> | [x](file:///etc/passwd) |

```"><script>alert(2)</script>
<script>alert(3)</script>
```

[ref]: javascript:alert(4) "x"
[ref] <a href="javascript:x">y</a> &lt;script&gt; <!-- <script> -->
"""


async def test_what_a_model_writes_does_nothing_and_fetches_nothing(opened: Open) -> None:
    _, page = await delivered(opened, desk({"title": "<script>"}, says=HOSTILE))

    read = _Read(page)
    known = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "section", "p"}
    known |= {"div", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "figure", "img"}
    known |= {"a", "span", "em", "pre", "code"}
    assert {tag for tag, _ in read.tags} <= known
    assert {name for _, attrs in read.tags for name in attrs} <= {
        *("charset", "name", "content", "http-equiv", "class", "style", "src", "alt"),
        *("href", "rel", "title"),
    }
    assert read.found("img", "src") == [CODED]
    assert read.found("a", "href") == ["https://example.org/?a=1&b=%222%22"]
    assert read.found("span", "title") == ["fact:net"]
    assert {each for each in read.found("td", "style") if each} == {"text-align:right"}
    policy = next(each for _, each in read.tags if each.get("http-equiv"))["content"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")


@pytest.mark.parametrize("costly", ["[", "![", "[a](b ", "<![CDATA["])
def test_what_would_take_minutes_to_read_is_shown_as_it_was_written(costly: str) -> None:
    text = costly * 100_000
    assert to_html(text, lambda name, alt: None) == f"<pre>{html.escape(text)}</pre>\n"
    assert images_in(text) == []


def test_an_image_that_is_named_very_often_is_not_in_the_page_each_time() -> None:
    """Else a text of some kilobytes would be a page that no machine has room for."""
    content = PNG + b"\0" * 1_500_000
    chart = Artifact.of("chart.png", content, "image/png")
    section = Section(
        subtask="charts",
        title="Charts",
        agent="artist",
        task_id="t1",
        conversation_id="c1",
        output="![Sales](chart.png) " * 1_000,
        response="",
        artifacts=(chart,),
    )
    shown = [ReportSection(subtask="charts") for _ in range(3)]
    page = Page(Report(title="Q2", sections=shown), [section], [], {chart.digest: content}).html()

    assert page.count(b"<img") == 3
    assert len(page) < 10_000_000
    assert page.count(b"<em>Sales</em>") == 2_997


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"sections": [{"subtask": "chart"}]}, 'no subtask "chart". Did you mean "charts"?'),
        ({"summary": "![x](chart.gif)"}, 'summary: no subtask has saved an image "chart.gif"'),
        (
            {"sections": [{"subtask": "figures", "text": "![x](a%20b.png)"}]},
            'sections.0.text: no subtask has saved an image "a b.png"',
        ),
        ({"sections": [{"subtask": "figures", "html": "<p>"}]}, "html"),
    ],
)
async def test_a_report_of_what_nobody_has_produced_goes_back(
    opened: Open, answer: dict[str, Any], said: str
) -> None:
    told: list[str] = []
    project = Project("desk")
    agents = [artist(project), agent(project, "counter", lambda _: Answer(FIGURES))]
    plan = [subtask("figures", "counter", output={"type": "object"}), subtask("charts", "artist")]

    def then(turn: Turn) -> Answer:
        told.extend(turn.feedback)
        return Answer({"title": "Q2"} if turn.feedback else {"title": "Q2", **answer})

    lead(project, agents, plan, then=then)
    found, _ = await delivered(opened, project)

    assert found.output.title == "Q2"
    assert said in " ".join(told)


async def test_a_partial_report_says_what_is_missing(opened: Open) -> None:
    project = Project("desk")
    agents = [artist(project), agent(project, "unable", lambda _: CannotComplete("no <data>"))]
    plan = [subtask("figures", "unable"), subtask("charts", "artist")]
    told: list[str] = []

    def then(turn: Turn) -> Answer:
        told.extend(turn.feedback)
        sections = [] if turn.feedback else [{"subtask": "figures"}]
        return Answer({"title": "Q2", "sections": sections})

    lead(project, agents, plan, then=then)
    answer, page = await delivered(opened, project, allow_partial=True)

    assert answer.status == "partial"
    assert 'subtask "figures" has failed and has nothing to show' in told[0]
    assert "no &lt;data&gt;" in page
    assert "What is missing" in page
    assert "charts, by artist" in page


async def test_a_genie_without_agents_delivers_no_report(opened: Open) -> None:
    project = Project("desk")
    agent(project, "counter")
    async with opened(project) as app:
        with pytest.raises(OutputTypeInvalid, match='"counter" has no agents whose work a report'):
            await app.assign("counter", "Report.", output=Report)


async def test_the_same_report_is_the_same_page(opened: Open) -> None:
    answers = [await delivered(opened, desk({"title": "Q2"})) for _ in range(2)]
    assert answers[0][1] == answers[1][1]
    assert answers[0][0].artifacts == answers[1][0].artifacts


async def test_it_is_asked_for_and_written_to_a_file_on_the_command_line(
    warm: Warm, tmp_path: Path
) -> None:
    def run(*words: str) -> str:
        place = ("--home", str(tmp_path / "home"))
        ran = warm.start(("-m", "lampwork", *words, *place), cwd=tmp_path, env=dict(os.environ))
        out, err = ran.communicate(timeout=120)
        assert ran.returncode == 0, out + err
        return out

    said = run("assign", str(EXAMPLE), "reporter", "Report on Q2.", "--report", "--wait")
    found = re.search(r"^Who did what: lampwork (?:--home \S+ )?orchestration (\S+)", said, re.M)
    assert found is not None, said
    assert re.search(r"^report.html: lampwork .*conversation \S+ artifact report.html", said, re.M)
    job = run("job", f"j{found[1][1:].partition('.')[0]}")
    assert found[0] in job
    assert re.search(r"Artifacts\n(?:  .*\n)*  report.html  text/html, .*\n", job), job
    shown = run("orchestration", found[1])
    typed = re.search(
        r"report.html  text/html, .*  lampwork .*(conversation \S+ artifact \S+)", shown
    )
    assert typed is not None, shown
    run(*typed[1].split(), "--to", "q2.html")

    assert "<h1>Orders of Q2</h1>" in (tmp_path / "q2.html").read_text()
    listed = run("genies", str(EXAMPLE))
    assert re.search(r"^reporter +active .* none; agents data, writer *$", listed, re.M), listed
    alone = run("genie", "reporter", "--project", str(EXAMPLE))
    assert "\n  agents    data, writer\n\nJob description\n" in alone
    json.loads(run("assign", str(EXAMPLE), "reporter", "Again.", "--report", "--wait", "--json"))
