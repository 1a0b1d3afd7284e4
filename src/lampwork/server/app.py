"""The ASGI application: the routes, the limits, and what a request meets on its way."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI
from fastapi.routing import APIRoute

from lampwork.server.authority import Authority
from lampwork.server.openapi import describe_with_problems
from lampwork.server.problems import respond_with_problems
from lampwork.server.routes import (
    conversations,
    events,
    files,
    front,
    genies,
    health,
    hooks,
    jobs,
    orchestrations,
    people,
    recipes,
    sessions,
    system,
    tasks,
    triggers,
)
from lampwork.server.serving import Serving

__all__ = ["build"]

_ROUTERS = [
    each.router
    for each in (
        *(jobs, recipes, genies, tasks, orchestrations, files, conversations, triggers, system),
        *(hooks, events, people, sessions, health, front),
    )
]

_ABOUT = (
    "Durable recipes that put autonomous genies to work. Errors are RFC 9457 problem documents."
)


def build(serving: Serving, authority: Authority) -> FastAPI:
    """The application that serves a project."""
    app = FastAPI(
        title="Lampwork",
        description=_ABOUT,
        version=version("lampwork"),
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # it would lead to whatever host a request names
        generate_unique_id_function=_operation_id,
    )
    app.state.serving = serving
    app.state.project = serving.project.name
    app.state.authority = authority
    app.state.routes = [route for each in _ROUTERS for route in each.routes]
    for router in _ROUTERS:
        app.include_router(router)
    respond_with_problems(app)
    describe_with_problems(app)
    return app


def _operation_id(route: APIRoute) -> str:
    """The function's name: clients are generated with it."""
    return route.name
