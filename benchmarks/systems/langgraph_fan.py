"""LangChain's agent under `Send`, its turns checkpointed by the saver of the graph around it.

A node gets what was sent to it and runs the agent, as LangGraph's documentation calls a subgraph
from a node, so that each branch has messages of its own.
"""

from __future__ import annotations

import asyncio
import operator
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypedDict

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from benchmarks.systems import Place
from benchmarks.systems.langgraph_saver import kept
from benchmarks.work import FAN_TURNS, MODEL_SECONDS


class SlowModel(BaseChatModel):
    """Looks something up twice, then says so."""

    def bind_tools(self, tools: Any, **kwargs: Any) -> SlowModel:
        return self

    @property
    def _llm_type(self) -> str:
        return "slow"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        turn = sum(isinstance(message, AIMessage) for message in messages)
        call = {"name": "look_up", "args": {"number": turn}, "id": f"call_{turn}"}
        message = AIMessage("", tool_calls=[call]) if turn < FAN_TURNS - 1 else AIMessage("done")
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        await asyncio.sleep(MODEL_SECONDS)
        return self._generate(messages)


@tool
async def look_up(number: int) -> str:
    """Look something up."""
    return f"found {number}"


class State(TypedDict):
    tasks: int
    answers: Annotated[list[str], operator.add]


clerk = create_agent(SlowModel(), [look_up], system_prompt="Look up.", name="clerk")


async def branch(instructions: str) -> dict[str, Any]:
    state = await clerk.ainvoke({"messages": [HumanMessage(instructions)]})
    return {"answers": [state["messages"][-1].content]}


def spread(state: State) -> list[Send]:
    return [Send("branch", "Look up.") for _ in range(state["tasks"])]


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Callable[[int], Awaitable[list[str]]]]:
    graph = StateGraph(State)
    graph.add_node("branch", branch)
    graph.add_conditional_edges(START, spread, ["branch"])
    graph.add_edge("branch", END)
    async with kept(place) as (saver, _):
        recipe = graph.compile(checkpointer=saver)

        async def fan(tasks: int) -> list[str]:
            thread: Any = {"configurable": {"thread_id": str(tasks)}}
            start: Any = {"tasks": tasks}
            state = await recipe.ainvoke(start, thread, durability="sync")
            return state["answers"]

        yield fan
