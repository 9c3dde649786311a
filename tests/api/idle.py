"""An app in this process whose store is real and whose only worker never gets ready."""

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import httpx

from inglenook.api.access.keyring import KeyRing
from inglenook.api.app import create_app
from inglenook.api.asset_services import open_assets
from inglenook.api.comfy.entries import show_result
from inglenook.api.comfy.sockets import SocketHub
from inglenook.api.deps import Services
from inglenook.dispatch.bus import Bus
from inglenook.dispatch.catalogs import Catalogs
from inglenook.dispatch.dispatcher import Dispatcher
from inglenook.dispatch.questions import PackQuestions
from inglenook.dispatch.webhooks import Webhooks
from inglenook.jobs import JobStore, sqlite_url
from inglenook.media.folders import Folders
from inglenook.media.users import Users
from inglenook.settings import Settings
from inglenook.workers.worker import WorkerState


class NeverReady:
    """A worker that starts for ever."""

    name = "never"
    state = WorkerState.STARTING
    documents = None
    devices = packs = replacements = model_folders = ()
    rewrites_prompts = False
    routes_at = None

    async def start(self, listener):
        pass

    async def close(self):
        pass

    def interrupt(self, job_id):
        pass

    def free(self, *, unload_models, free_memory):
        pass


class ImpatientCatalogs(Catalogs):
    """Waits hardly for classes of a worker that starts: here none ever gets ready."""

    async def wait_for(self, names, timeout_s):
        await super().wait_for(names, min(timeout_s, 0.05))


class Idle:
    """An app whose jobs wait for ever; `http` speaks to it."""

    def __init__(self, services, http):
        self.services, self.http = services, http
        self.store, self.dispatcher = services.store, services.dispatcher


@asynccontextmanager
async def idle_services(folder, worker=None, *, with_assets=False, **settings):
    """What a server is made of, its one worker given or one that never gets ready."""
    settings = Settings(base_directory=folder, **settings)
    folders = Folders.from_settings(settings)
    async with JobStore.open(sqlite_url(folder / "jobs.sqlite"), show_result=show_result) as store:
        bus = Bus()
        limit_bytes = round(settings.queue_limit_mb * (1 << 20))
        dispatcher = Dispatcher(store, bus, [worker or NeverReady()], queue_limit_bytes=limit_bytes)
        catalogs = ImpatientCatalogs(folders, folder / "catalog.json")
        questions = PackQuestions(lambda: dispatcher.workers, catalogs)
        hub = SocketHub(dispatcher, store, {})
        bus.join(hub)
        await dispatcher.start()
        users = Users(folders.user, settings.data_folder)
        webhooks = Webhooks(store, allow_private=settings.webhook_allow_private)
        keys = KeyRing.of(settings)
        services = Services(settings, store, folders, catalogs, dispatcher, questions, hub, keys, users, webhooks)
        async with AsyncExitStack() as stack:
            if with_assets:
                opened = open_assets(settings, store, folders, bus, hub.tell_editors)
                services = replace(services, assets=await stack.enter_async_context(opened))
            yield services
            await dispatcher.close(0)


@asynccontextmanager
async def idle_server(folder, worker=None, **settings):
    async with idle_services(folder, worker, **settings) as services:
        transport = httpx.ASGITransport(create_app(services))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            yield Idle(services, http)
