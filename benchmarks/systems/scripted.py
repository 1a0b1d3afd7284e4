"""The clerk of `work.py` as an agent of pydantic-ai with a scripted model, without its skills."""

from __future__ import annotations

from typing import Any

from pydantic_ai import Agent, ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.models.function import AgentInfo, FunctionModel

from benchmarks import work


async def scripted(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Three turns: a skill, a skill, the verdict."""
    turn = sum(isinstance(message, ModelResponse) for message in messages)
    name, arguments = (
        ("find_purchase_order", {"vendor": "Vendor"}),
        ("approve_invoice", {"note": work.REASON}),
        (info.output_tools[0].name, work.VERDICT),
    )[turn]
    return ModelResponse(parts=[ToolCallPart(name, arguments, tool_call_id=f"call_{turn}")])


def clerk(*capabilities: AbstractCapability[Any]) -> Agent[None, work.Verdict]:
    return Agent(
        FunctionModel(scripted),
        instructions=work.JOB_DESCRIPTION,
        name="finance",
        output_type=work.Verdict,
        capabilities=capabilities,
    )


def brief(bill: work.Invoice) -> str:
    return f"{work.INSTRUCTIONS}\n\n{bill.model_dump_json()}"
