"""The sales story with a plan that comes over the wire, as a model's response."""

from __future__ import annotations

from pathlib import Path

import pytest

from lampwork import OrchestrationLimits, Report
from q2_sales_report.playbook import PLAN
from q2_sales_report.project import analyst, archivist, data, project, writer

from .wires import model_at

REPORT = {"title": "Q2 is up", "summary": "", "sections": [{"subtask": "summary"}]}
REQUEST = "Create a Q2 sales performance report with charts and an executive summary."


async def test_a_plan_that_a_model_made_is_carried_out(
    aimock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setenv("SALES_DB", str(tmp_path / "sales.db"))
    match = {"userMessage": "executive summary"}
    planned = {"id": "call_1", "name": "plan", "arguments": {"subtasks": PLAN}}
    answered = {"id": "call_2", "name": "answer", "arguments": REPORT}
    server = aimock(
        {"match": match | {"hasToolResult": False}, "response": {"toolCalls": [planned]}},
        {"match": match | {"hasToolResult": True}, "response": {"toolCalls": [answered]}},
        wire="openai-chat",
    )
    lead = project.orchestrator(
        "lead_over_the_wire",
        model=model_at(server.url, "openai-chat"),
        job_description="You deliver reports on the sales of a quarter.",
        agents=[data, archivist, analyst, writer],
        fallbacks={data: [archivist]},
        limits=OrchestrationLimits(retries=0),
    )

    async with project.open() as app:
        task = await app.assign_task(lead, REQUEST, data={"quarter": "2026-Q2"}, output=Report)
        page = (await app.read_artifact(task.artifacts[0])).decode()

    assert "<h1>Q2 is up</h1>" in page
    assert "EUR 92,385.35" in page
    assert [each.agent for each in task.sections] == [
        *("data", "archivist", "analyst", "analyst", "writer", "writer")
    ]
    assert {"report.html", "report.pdf"} <= {each.name for each in task.artifacts}
    asked, told = server.sent
    assert [tool["function"]["name"] for tool in asked.body["tools"] if "query" in str(tool)] == []
    assert "EUR 92,385.35" in told.text
