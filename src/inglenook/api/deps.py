"""How routes reach the objects that `services.py` built."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from inglenook.api.access.keyring import KeyRing
from inglenook.api.asset_services import AssetServices
from inglenook.api.exports import Exports
from inglenook.api.identity import IS_OPEN, user_of
from inglenook.api.library import WorkflowLibrary
from inglenook.api.media_reader import MediaReader
from inglenook.api.recognised import Recognised
from inglenook.api.telemetry import Telemetry
from inglenook.api.worker_logs import WorkerLogs
from inglenook.dispatch.catalogs import Catalogs
from inglenook.dispatch.dispatcher import Dispatcher
from inglenook.dispatch.durations import Durations
from inglenook.dispatch.questions import PackQuestions
from inglenook.dispatch.servers import Servers
from inglenook.dispatch.webhooks import Webhooks
from inglenook.jobs import JobStore
from inglenook.media.folders import Folders
from inglenook.media.named_files import NamedFiles
from inglenook.media.users import Users
from inglenook.settings import Settings

if TYPE_CHECKING:
    from inglenook.api.comfy.sockets import SocketHub


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that one server is made of."""

    settings: Settings
    store: JobStore
    folders: Folders
    catalogs: Catalogs
    dispatcher: Dispatcher
    questions: PackQuestions
    sockets: SocketHub
    keys: KeyRing
    users: Users
    webhooks: Webhooks
    telemetry: Telemetry = field(default_factory=Telemetry)
    exports: Exports = field(default_factory=Exports)
    named_files: NamedFiles = field(default_factory=NamedFiles)
    media_reader: MediaReader = field(default_factory=MediaReader)
    durations: Durations = field(default_factory=Durations)
    recognised: Recognised = field(default_factory=Recognised)
    assets: AssetServices | None = None
    """None where the asset library is switched off."""
    servers: Servers | None = None
    """Manages the workers; None for services that were put together by hand."""
    worker_logs: WorkerLogs = field(default_factory=WorkerLogs)
    library: WorkflowLibrary = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "library", WorkflowLibrary(self.store, self.catalogs, self.settings))


def services(connection: HTTPConnection) -> Services:
    """Return the services of the app that a request came to."""
    return cast(Services, connection.app.state.services)


def settings(connection: HTTPConnection) -> Settings:
    return services(connection).settings


def owner(connection: HTTPConnection) -> str | None:
    """Return the user whose jobs a request may see and touch; None when everybody may all."""
    return user_of(connection) if settings(connection).multi_user else None


def is_open(websocket: HTTPConnection) -> bool:
    """Whether nobody has said whose a socket is, where users are told apart."""
    return settings(websocket).multi_user and bool(websocket.scope.get(IS_OPEN))


def folders(connection: HTTPConnection) -> Folders:
    return services(connection).folders


def users(connection: HTTPConnection) -> Users:
    return services(connection).users


CurrentServices = Annotated[Services, Depends(services)]
CurrentFolders = Annotated[Folders, Depends(folders)]
