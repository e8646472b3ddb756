"""The HTTP side: four endpoints under /api/v1, and a status code for every way a request can fail."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse

from flightlog import JsonlTracer
from flightlog_samples.report_service import errors
from flightlog_samples.report_service.errors import ReportError
from flightlog_samples.report_service.reports import Entry, Reports

log = logging.getLogger(__name__)
router = APIRouter(tags=["reports"])
STATUS_CODES: dict[type[ReportError], int] = {
    errors.NotFoundError: 404,
    errors.NotWaitingError: 400,
    errors.FeedbackMissingError: 400,
    errors.AlreadyAnsweredError: 409,
    errors.ExpiredError: 410,
}


def reports_of(request: Request) -> Reports:
    """The server's one Reports object."""
    reports: Reports = request.app.state.reports
    return reports


Store = Annotated[Reports, Depends(reports_of)]


@router.post("/reports/generate", status_code=201)
def generate(theme: Annotated[str, Query(min_length=1, max_length=200)], reports: Store) -> dict[str, str]:
    """Write a report on a theme; it then waits for feedback under the returned thread id."""
    try:
        thread_id = reports.generate(theme)
    except Exception as error:
        log.exception("the report on %r failed", theme)
        raise HTTPException(500, "Failed to generate report") from error
    return {"thread_id": thread_id, "message": "The report is written and waits for feedback under this thread_id."}


@router.post("/reports/{thread_id}/feedback")
def feedback(
    thread_id: str,
    approved: bool,
    reports: Store,
    feedback: Annotated[str | None, Query(max_length=4000)] = None,
    decided_by: Annotated[str | None, Query(max_length=100)] = None,
) -> dict[str, str]:
    """Approve a report, or send it back with what should change."""
    try:
        reports.feedback(thread_id, approved, feedback, decided_by)
    except ReportError:
        raise
    except Exception as error:
        log.exception("the feedback on %s failed", thread_id)
        raise HTTPException(500, "Failed to submit feedback") from error
    return {"message": "The report is finished." if approved else "The report was revised and waits for feedback."}


@router.get("/reports")
def entries(reports: Store, max_results: Annotated[int, Query(ge=1, le=100)] = 10) -> list[Entry]:
    """The newest reports, each with its theme and status."""
    return reports.entries(max_results)


@router.get("/reports/{thread_id}", response_class=PlainTextResponse)
def report(thread_id: str, reports: Store) -> str:
    """The report's text, in Markdown."""
    return reports.report(thread_id) or "No content available"


def create_app(database: Path, tracer: JsonlTracer | None = None, ttl_s: float | None = None) -> FastAPI:
    """The application over one database. What a predecessor that died left half done is finished before it serves."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.reports = Reports(database, tracer, ttl_s)
        try:
            app.state.reports.recover()
            yield
        finally:
            app.state.reports.close()

    app = FastAPI(title="Reports with human feedback", version="1", lifespan=lifespan)
    app.include_router(router, prefix="/api/v1")
    app.add_exception_handler(ReportError, _refuse)
    return app


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, STATUS_CODES[type(error)])  # type: ignore[index]
