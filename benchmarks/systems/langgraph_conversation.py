"""One conversation of a LangChain agent that reads a page per turn, kept by a LangGraph saver."""

from __future__ import annotations

import time
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from pydantic import Field

from benchmarks import pages
from benchmarks.systems import Place
from benchmarks.systems.langgraph_saver import kept


class Reader(BaseChatModel):
    """Reads page after page, then says so."""

    turns: int
    at: list[float] = Field(default_factory=list)

    def bind_tools(self, tools: Any, **kwargs: Any) -> Reader:
        return self

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.at.append(time.perf_counter())
        turn = len(messages) // 2
        call = {"name": "read_page", "args": {"number": turn}, "id": f"call_{turn}"}
        message = AIMessage(content="", tool_calls=[call])
        if turn == self.turns:
            message = AIMessage(content="done")
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return self._generate(messages)


@tool
async def read_page(number: int) -> str:
    """Read one page of the ledger."""
    return pages.page(number)


async def make(place: Place) -> None:
    """Make the tables."""
    async with kept(place):
        pass


async def converse(place: Place, turns: int) -> list[float]:
    """When each model turn began."""
    model = Reader(turns=turns)
    async with kept(place) as (saver, _):
        agent = create_agent(model, [read_page], checkpointer=saver)
        thread: Any = {"configurable": {"thread_id": "1"}, "recursion_limit": 2 * turns + 10}
        start: Any = {"messages": [HumanMessage(pages.INSTRUCTIONS)]}
        await agent.ainvoke(start, thread, durability="sync")
    return model.at
