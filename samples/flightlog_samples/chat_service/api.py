"""The HTTP side, and a status code for every way a request can fail."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Annotated, Any

import aiosqlite
from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from pydantic import BaseModel, Field

from flightlog import JsonlTracer
from flightlog_samples.chat_service import errors
from flightlog_samples.chat_service.agent import build_agent, tools_of
from flightlog_samples.chat_service.errors import SessionError
from flightlog_samples.chat_service.execution import AgentExecutionManager
from flightlog_samples.chat_service.outbox import Outbox
from flightlog_samples.decision_log import DecisionLog

router = APIRouter(prefix="/chat", tags=["chat"])
STATUS_CODES: dict[type[SessionError], int] = {
    errors.NotFoundError: 404,
    errors.BusyError: 409,
    errors.NotWaitingError: 409,
    errors.AlreadyAnsweredError: 409,
    errors.BadArgumentsError: 422,
    errors.ExpiredError: 410,
    errors.RunFailedError: 500,
}
Text = Annotated[str, Query(min_length=1, max_length=4000)]
Who = Annotated[str | None, Query(max_length=100)]


class Modification(BaseModel):
    """Other arguments for one pending call."""

    tool_call_id: str
    arguments: dict[str, Any]


class Redirection(BaseModel):
    """What to do instead of the pending calls."""

    instruction: str = Field(min_length=1, max_length=4000)


def manager_of(request: Request) -> AgentExecutionManager:
    """The server's one manager; it remembers nothing between requests."""
    manager: AgentExecutionManager = request.app.state.manager
    return manager


Manager = Annotated[AgentExecutionManager, Depends(manager_of)]


@router.post("/start")
async def start(
    question: Text, session_id: Annotated[str, Query(min_length=1, max_length=100)], manager: Manager
) -> dict[str, Any]:
    """Ask the agent; the answer says whether it is complete, blocked, or waits for approval or clarification."""
    return await manager.start_and_pause(question, session_id)


@router.post("/approve/{session_id}")
async def approve(session_id: str, manager: Manager, decided_by: Who = None, pause_id: Who = None) -> dict[str, Any]:
    """Let the pending tool calls run; the run may come to its next pause.

    With the `pause_id` that came with the calls, a request sent twice approves nothing that nobody saw.
    """
    return await manager.approve(session_id, decided_by, pause_id)


@router.post("/reject/{session_id}")
async def reject(
    session_id: str,
    manager: Manager,
    reason: Text = "rejected by the user",
    decided_by: Who = None,
    pause_id: Who = None,
) -> dict[str, Any]:
    """Run none of the pending tool calls."""
    return await manager.reject(session_id, reason, decided_by, pause_id)


@router.post("/modify/{session_id}")
async def modify(session_id: str, change: Modification, manager: Manager, decided_by: Who = None) -> dict[str, Any]:
    """Let the pending tool calls run, one of them with other arguments."""
    return await manager.modify_arguments(session_id, change.tool_call_id, change.arguments, decided_by)


@router.post("/redirect/{session_id}")
async def redirect(
    session_id: str, redirection: Redirection, manager: Manager, decided_by: Who = None, pause_id: Who = None
) -> dict[str, Any]:
    """Run none of the pending tool calls, and say what to do instead."""
    return await manager.redirect(session_id, redirection.instruction, decided_by, pause_id)


@router.post("/clarify/{session_id}")
async def clarify(session_id: str, answer: Text, manager: Manager, pause_id: Who = None) -> dict[str, Any]:
    """Answer the agent's question."""
    return await manager.clarify(session_id, answer, pause_id)


@router.get("/{session_id}")
async def standing(session_id: str, manager: Manager) -> dict[str, Any]:
    """Where a session stands."""
    return await manager.standing(session_id)


def create_app(database: Path, tracer: JsonlTracer | None = None, ttl_s: float | None = None) -> FastAPI:
    """The application over one database. What a predecessor that died left half done is finished before it serves."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        tools = tools_of(Outbox(database))
        async with aiosqlite.connect(database, timeout=30) as connection:
            saver = AsyncSqliteSaver(connection)
            await saver.setup()
            with closing(sqlite3.connect(database, timeout=30, check_same_thread=False)) as beside:
                decisions = DecisionLog(beside)
                manager = AgentExecutionManager(build_agent(saver, tools), tools, decisions, tracer, ttl_s)
                await manager.recover()
                app.state.manager = manager
                yield

    app = FastAPI(title="Chat with approval", version="1", lifespan=lifespan)
    app.include_router(router)
    app.add_exception_handler(SessionError, _refuse)
    return app


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    code = next(code for kind, code in STATUS_CODES.items() if isinstance(error, kind))
    return JSONResponse({"detail": str(error)}, code)
