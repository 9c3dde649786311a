"""The workers that the settings ask for: this machine, and other servers."""

from __future__ import annotations

import importlib.util
import logging
from contextlib import AsyncExitStack

from inglenook.dispatch.catalogs import Catalogs
from inglenook.dispatch.dispatcher import Dispatcher
from inglenook.dispatch.servers import Servers
from inglenook.jobs import JobStore
from inglenook.media.folders import Folders
from inglenook.server_address import ServerAddress, read_address
from inglenook.settings import Settings
from inglenook.workers.remote import RemoteJournal, RemoteLimits, RemoteWorker
from inglenook.workers.worker import Worker

logger = logging.getLogger(__name__)


def has_local(settings: Settings) -> bool:
    """Whether jobs run on this machine too: not without PyTorch where other servers run them."""
    if not settings.local:
        return False
    if settings.comfyui_servers and importlib.util.find_spec("torch") is None:
        logger.info("PyTorch is not installed here: jobs run on the other servers alone")
        return False
    return True


def addresses(settings: Settings) -> list[ServerAddress]:
    """The servers that the settings name."""
    return [read_address(address.get_secret_value()) for address in settings.comfyui_servers]


async def open_servers(
    settings: Settings,
    store: JobStore,
    dispatcher: Dispatcher,
    catalogs: Catalogs,
    folders: Folders,
    stack: AsyncExitStack,
) -> Servers:
    """The other servers, those of the database too; each begins to run jobs as soon as it answers."""
    journal = RemoteJournal(settings.data_folder)
    stack.callback(journal.close)
    limits = RemoteLimits(interrupt_grace_s=settings.interrupt_grace_s)

    def make(name: str, address: ServerAddress, slots: int) -> Worker:
        return RemoteWorker(
            name,
            address.url,
            api_key=address.api_key,
            slots=slots,
            folders=folders,
            journal=journal,
            limits=limits,
        )

    servers = Servers(store, dispatcher, catalogs, make, slots=settings.remote_slots)
    stack.push_async_callback(servers.close)
    await servers.open(addresses(settings))
    if not len(dispatcher.members):
        logger.warning("there is no worker yet: jobs wait until one is added at /api/workers")
    return servers
