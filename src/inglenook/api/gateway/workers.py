"""`/api/workers`: who runs jobs; other servers are added, drained and removed here while the front runs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from inglenook.api.bodies import object_body
from inglenook.api.deps import CurrentServices, Services
from inglenook.api.errors import ApiError
from inglenook.api.gateway.library_models import Body, Whole, json_documentation
from inglenook.api.gateway.parsing import parsed
from inglenook.api.gateway.refusals import refusals
from inglenook.dispatch.pool import Member, NameTaken
from inglenook.dispatch.servers import Server, Servers, Source, TooManyServers, WorkerStays, WorkerUnknown
from inglenook.server_address import ServerAddress, read_address

router = APIRouter(prefix="/api", tags=["workers"])


class NewWorker(Body):
    """A ComfyUI-compatible server that is to run jobs."""

    model_config = ConfigDict(extra="forbid", strict=True)

    url: str = Field(
        description="`HOST:PORT`, or a URL, which may have a path",
        examples=["gpu1:8188"],
        max_length=2000,
        json_schema_extra={"pattern": r"^(https?://)?[A-Za-z0-9.-]+(:[1-9][0-9]{0,3})?(/[A-Za-z0-9._~/-]*)?$"},
    )
    name: str | None = Field(
        None,
        description="Letters, digits, `.`, `_` and `-`; made of the URL without it",
        json_schema_extra={"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"},
    )
    api_key: str | None = Field(
        None,
        description="What the server asks for as a key; never shown",
        max_length=500,
        repr=False,
        json_schema_extra={"pattern": "^[\\x20-\\x7e]+$"},
    )
    slots: Whole | None = Field(
        None, ge=1, le=1000, description="Jobs that it has at a time; the setting `remote_slots`"
    )


class WorkerDevice(BaseModel):
    name: str
    memory_total: int = Field(description="Bytes")
    memory_free: int = Field(description="Bytes, when it was last asked")


class WorkerEntry(BaseModel):
    """A worker of the pool."""

    name: str
    source: Source = Field(description="`local`: this machine; `settings`; `api`: added here")
    url: str | None
    state: str = Field(description="`ready`, `busy`, `starting` (also: not to be reached now) or `stopped`")
    problem: str | None = Field(description="Why it cannot be used now")
    is_draining: bool = Field(description="It gets no more jobs")
    is_leaving: bool = Field(description="It is removed when its jobs have ended")
    slots: int
    running: int = Field(description="Jobs that it has")
    ended: dict[str, int] = Field(description="Jobs that ended there since it joined, by state; `lost`: went elsewhere")
    node_classes: int | None = Field(description="null until it has been ready once")
    devices: list[WorkerDevice]


class Workers(BaseModel):
    """The pool."""

    workers: list[WorkerEntry]


class WorkerLogEntry(BaseModel):
    time: str = Field(description="ISO 8601, UTC")
    level: str
    message: str


class WorkerLog(BaseModel):
    """What a worker printed, and what was noted of it; oldest first."""

    entries: list[WorkerLogEntry]


Name = Annotated[str, Path(max_length=200, pattern=r"^[^\x00]*$")]


@router.get("/workers", summary="Who runs jobs", responses=refusals())
async def get_workers(server: CurrentServices) -> Workers:
    servers = _servers(server)
    return Workers(workers=[_entry(server, one) for one in servers.list()])


@router.get("/workers/{name}", summary="One worker", responses=refusals(404, 422))
async def get_worker(server: CurrentServices, name: Name) -> WorkerEntry:
    return _entry(server, _known(_servers(server), name))


@router.get("/workers/{name}/logs", summary="The last log lines of a worker", responses=refusals(404, 422))
async def get_worker_logs(server: CurrentServices, name: Name) -> WorkerLog:
    """Up to 300; credentials are blackened."""
    known = _known(_servers(server), name)
    return WorkerLog(entries=[WorkerLogEntry(**entry) for entry in server.worker_logs.of(known.name)])


@router.post(
    "/workers",
    status_code=201,
    summary="Add a server as a worker",
    responses=refusals(400, 409, 422),
    openapi_extra=json_documentation(NewWorker),
)
async def post_worker(request: Request, server: CurrentServices) -> WorkerEntry:
    """It gets jobs as soon as it answers, also after a restart of this server."""
    body = parsed(NewWorker, await object_body(request, server.settings.max_json_depth))
    try:
        address = read_address(body.url)
        if body.api_key is not None:
            address = ServerAddress(address.url, _usable_key(body.api_key))
        added = await _servers(server).add(address, name=body.name, slots=body.slots)
    except (NameTaken, TooManyServers) as error:
        raise ApiError(409, "worker_exists", "This server cannot be added", str(error)) from None
    except ValueError as error:
        raise ApiError(422, "invalid_worker", "This server cannot be added", str(error)) from None
    return _entry(server, added)


@router.post("/workers/{name}/drain", summary="Give a worker no more jobs", responses=refusals(404, 422))
async def post_drain(server: CurrentServices, name: Name) -> WorkerEntry:
    """What it runs ends there; `POST .../resume` gives it jobs again."""
    return await _drain(server, name, is_draining=True)


@router.post("/workers/{name}/resume", summary="Give a worker jobs again", responses=refusals(404, 422))
async def post_resume(server: CurrentServices, name: Name) -> WorkerEntry:
    """Also one that was to be removed when its jobs have ended."""
    return await _drain(server, name, is_draining=False)


@router.delete(
    "/workers/{name}",
    summary="Remove a server",
    status_code=204,
    response_class=Response,
    responses={202: {"model": WorkerEntry, "description": "Its jobs end first"}, **refusals(404, 409, 422)},
)
async def delete_worker(
    server: CurrentServices,
    name: Name,
    force: Annotated[bool, Query(description="At once: its jobs go to other workers")] = False,
) -> Response:
    """204 when it is gone, 202 while its jobs end. A server of the settings comes back with the next start."""
    servers = _servers(server)
    known = _known(servers, name)
    try:
        if await servers.remove(name, force=force):
            return Response(status_code=204)
    except WorkerUnknown as error:
        raise ApiError(404, "not_found", str(error)) from None
    except WorkerStays as error:
        raise ApiError(409, "worker_stays", "This worker cannot be removed", str(error)) from None
    return JSONResponse(_entry(server, known).model_dump(), status_code=202)


async def _drain(server: Services, name: str, *, is_draining: bool) -> WorkerEntry:
    try:
        return _entry(server, await _servers(server).drain(name, is_draining=is_draining))
    except WorkerUnknown as error:
        raise ApiError(404, "not_found", str(error)) from None


def _usable_key(key: str) -> str:
    if not key or not key.isascii() or not key.isprintable():
        raise ValueError("api_key has printable ASCII characters")
    return key


def _servers(server: Services) -> Servers:
    if server.servers is None:
        raise ApiError(503, "no_pool", "The workers of this server are not managed here")
    return server.servers


def _known(servers: Servers, name: str) -> Server:
    try:
        return servers.get(name)
    except WorkerUnknown as error:
        raise ApiError(404, "not_found", str(error)) from None


def _entry(server: Services, known: Server) -> WorkerEntry:
    member: Member | None = server.dispatcher.members.get(known.name)
    worker: Any = None if member is None else member.worker
    return WorkerEntry(
        name=known.name,
        source=known.source,
        url=known.url,
        state="stopped" if worker is None else str(worker.state),
        problem=getattr(worker, "problem", None),
        is_draining=member is not None and member.is_draining,
        is_leaving=known.is_leaving,
        slots=1 if member is None else member.capacity,
        running=server.dispatcher.runs_of(known.name),
        ended={} if member is None else dict(member.ended),
        node_classes=None if worker is None or worker.documents is None else len(worker.documents),
        devices=[
            WorkerDevice(name=one.name, memory_total=one.vram_total, memory_free=one.vram_free)
            for one in (() if worker is None else worker.devices)
        ],
    )
