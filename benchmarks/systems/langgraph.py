"""LangChain's `create_agent` as a node of a LangGraph graph, with its SQLite or Postgres saver.

As LangChain's documentation has it: the agent shares its state with the graph around it, so it is
added as a node and inherits the checkpointer; `durability="sync"` writes every checkpoint before
the next step starts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NotRequired

from langchain.agents import AgentState, create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import END, START, StateGraph

from benchmarks import work
from benchmarks.systems import Opened, Place
from benchmarks.systems.langgraph_saver import kept

PACKAGES = (
    "langchain",
    "langchain-core",
    "langgraph",
    "langgraph-checkpoint-sqlite",
    "langgraph-checkpoint-postgres",
    "psycopg",
)


class ScriptedModel(BaseChatModel):
    """Three turns: a skill, a skill, the verdict."""

    def bind_tools(self, tools: Any, **kwargs: Any) -> ScriptedModel:
        return self

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        turn = sum(isinstance(message, AIMessage) for message in messages)
        name, arguments = (
            ("find_purchase_order", {"vendor": "Vendor"}),
            ("approve_invoice", {"note": work.REASON}),
            ("Verdict", work.VERDICT),
        )[turn]
        call = {"name": name, "args": arguments, "id": f"call_{turn}"}
        message = AIMessage(content="", tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return self._generate(messages)


@tool
async def find_purchase_order(vendor: str) -> dict[str, Any]:
    """Find the purchase order of a vendor."""
    return work.purchase_order(vendor)


@tool
async def approve_invoice(note: str) -> dict[str, Any]:
    """Approve the invoice. Use it when the amounts match the purchase order."""
    return work.receipt(note)


class State(AgentState[work.Verdict]):
    number: int
    invoice: NotRequired[work.Invoice]
    archived: NotRequired[str]


async def fetch(state: State) -> dict[str, Any]:
    bill = work.invoice(state["number"])
    content = f"{work.INSTRUCTIONS}\n\n{bill.model_dump_json()}"
    return {"invoice": bill, "messages": [HumanMessage(content)]}


async def archive(state: State) -> dict[str, Any]:
    bill, verdict = state.get("invoice"), state.get("structured_response")
    assert bill
    assert verdict
    return {"archived": work.archived(bill, verdict)}


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Opened]:
    clerk = create_agent(
        ScriptedModel(),
        [find_purchase_order, approve_invoice],
        system_prompt=work.JOB_DESCRIPTION,
        response_format=ToolStrategy(work.Verdict),
        name="finance",
    )
    graph = StateGraph(State)
    graph.add_node("fetch", fetch)
    graph.add_node("finance", clerk)
    graph.add_node("archive", archive)
    graph.add_edge(START, "fetch")
    graph.add_edge("fetch", "finance")
    graph.add_edge("finance", "archive")
    graph.add_edge("archive", END)
    async with kept(place) as (saver, promise):
        saver.serde = JsonPlusSerializer(allowed_msgpack_modules=[work.Invoice, work.Verdict])
        recipe = graph.compile(checkpointer=saver)

        async def run(number: int) -> object:
            thread: Any = {"configurable": {"thread_id": str(number)}}
            start: Any = {"number": number}
            state = await recipe.ainvoke(start, thread, durability="sync")
            return state["archived"]

        yield Opened(run, promise)
