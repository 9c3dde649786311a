"""`/api/health`, `/health/live`, `/health/ready`: for people, and for whatever starts, stops and balances servers."""

from __future__ import annotations

import os
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request

from inglenook import __version__
from inglenook.api.access.scopes import is_unknown
from inglenook.api.condition import Word, condition_of
from inglenook.api.deps import services
from inglenook.api.errors import JSONResponse

router = APIRouter(tags=["system"])


class WorkerHealth(BaseModel):
    """A process that runs jobs."""

    name: str
    state: str
    pid: int | None


class Health(BaseModel):
    """How a server is; without a key, where one is needed, the status alone."""

    status: Word
    reasons: list[str] = []
    version: str | None = None
    uptime_s: float | None = None
    queue_remaining: int | None = None
    workers: list[WorkerHealth] = []
    pid: int | None = None


class Answer(BaseModel):
    """One word."""

    status: str


_NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": Answer, "description": "It takes no work now"}}


@router.get("/health", summary="How the server is", response_model=Health)
async def get_health(request: Request) -> JSONResponse:
    """Answers while anything runs, with 200: `ok`, `degraded`, `starting` or `stopping`, and why."""
    server = services(request)
    condition = await condition_of(server)
    if is_unknown(request):
        return JSONResponse({"status": condition.word})
    return JSONResponse(
        {
            "status": condition.word,
            "reasons": condition.reasons,
            "version": __version__,
            "uptime_s": round(server.telemetry.uptime_s, 1),
            "queue_remaining": server.dispatcher.remaining,
            "workers": [
                {"name": worker.name, "state": str(worker.state), "pid": getattr(worker, "pid", None)}
                for worker in server.dispatcher.workers
            ],
            "pid": os.getpid(),
        }
    )


@router.get("/health/live", summary="Whether the process answers", response_model=Answer)
async def get_live() -> JSONResponse:
    """200 as long as the event loop turns: restart a server that does not answer this."""
    return JSONResponse({"status": "ok"})


@router.get("/health/ready", summary="Whether to send it work", response_model=Answer, responses=_NOT_READY)
async def get_ready(request: Request) -> JSONResponse:
    """503 while it starts, stops, or cannot store anything; jobs that it has are safe meanwhile."""
    condition = await condition_of(services(request))
    return JSONResponse({"status": condition.word}, status_code=200 if condition.is_ready else 503)
