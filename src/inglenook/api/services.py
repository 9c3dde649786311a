"""Builds what a server is made of: store, folders, catalog, workers, dispatcher, sockets."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import orjson

from inglenook.api import offline
from inglenook.api.access.keyring import KeyRing
from inglenook.api.access.notices import tell_who_is_served
from inglenook.api.asset_services import open_assets
from inglenook.api.comfy.entries import show_result
from inglenook.api.comfy.features import features
from inglenook.api.comfy.sockets import SocketHub
from inglenook.api.deps import Services
from inglenook.api.media_reader import MediaReader
from inglenook.api.pool_services import has_local, open_servers
from inglenook.api.telemetry import Telemetry
from inglenook.api.webhook_settings import webhooks_of
from inglenook.api.worker_logs import WorkerLogs
from inglenook.dispatch.bus import Bus
from inglenook.dispatch.catalogs import LOCAL, Catalogs
from inglenook.dispatch.dispatcher import Dispatcher
from inglenook.dispatch.needs import Needs, needs_of
from inglenook.dispatch.questions import PackQuestions
from inglenook.engine.graph import Graph
from inglenook.errors import SettingsError
from inglenook.jobs import DataFolderLock, Job, JobStore, sqlite_url
from inglenook.media import writing
from inglenook.media.attempts import discard_files, forget_all
from inglenook.media.folders import Folders
from inglenook.media.users import DEFAULT_USER, Users
from inglenook.settings import Settings
from inglenook.workers.device import DeviceWorker
from inglenook.workers.worker import Worker


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Open the store, start the workers; close all of it in the reverse order.

    Raises DataFolderLocked when another server uses the data folder, KeyFileError or JobStoreError when its keys or its
    database cannot be used, SettingsError when a folder cannot be made.
    """
    async with AsyncExitStack() as stack:
        yield await _build(settings, stack)


async def _build(settings: Settings, stack: AsyncExitStack) -> Services:
    with _usable():
        stack.enter_context(DataFolderLock(settings.data_folder))
    keys = await stack.enter_async_context(KeyRing.of(settings).watching())
    tell_who_is_served(settings, keys)
    folders = Folders.from_settings(settings)
    await asyncio.to_thread(shutil.rmtree, settings.temp_folder, ignore_errors=True)
    with _usable():
        folders.create()
    writing.flush_to_disk(settings.flush_outputs)
    store = await stack.enter_async_context(
        JobStore.open(
            settings.database_url or sqlite_url(settings.data_folder / "jobs.sqlite"),
            history_limit=settings.history_limit,
            show_result=show_result,
            history_age_s=None if settings.history_days is None else settings.history_days * 86400,
        )
    )
    if settings.multi_user:
        await store.adopt(DEFAULT_USER)
    worker_logs = stack.enter_context(WorkerLogs().attached())
    is_local = has_local(settings)
    catalogs = Catalogs(folders, settings.data_folder / "catalog.json", local=LOCAL if is_local else None)
    bus = Bus()
    dispatcher = Dispatcher(
        store,
        bus,
        [_local_worker(settings)] if is_local else [],
        queue_limit=settings.queue_limit,
        queue_limit_bytes=round(settings.queue_limit_mb * (1 << 20)),
        job_timeout_s=settings.job_timeout_s,
        on_worker_ready=lambda worker: _learn(catalogs, folders, worker),
        discard_attempts=lambda job_ids: discard_files(settings.data_folder, job_ids),
        list_choices=folders.choices,
        hold_s=settings.remote_hold_s,
    )
    hub = SocketHub(dispatcher, store, features(settings))
    bus.join(hub)
    telemetry = Telemetry()
    bus.join(telemetry)
    telemetry.start()
    stack.push_async_callback(telemetry.close)
    webhooks = webhooks_of(settings, store)
    bus.join(webhooks)
    stack.push_async_callback(webhooks.close)
    stack.enter_context(hub.showing_logs())
    stack.push_async_callback(hub.close)
    assets = None  # opened before the dispatcher closes: jobs that end meanwhile are noted
    if settings.enable_assets:
        assets = await stack.enter_async_context(open_assets(settings, store, folders, bus, hub.tell_editors))
    stack.push_async_callback(dispatcher.close, settings.shutdown_grace_s)
    await webhooks.start()
    await dispatcher.recover(lambda job: _needs(job, catalogs))
    forget_all(settings.data_folder)
    await dispatcher.start()
    servers = await open_servers(settings, store, dispatcher, catalogs, folders, stack)
    questions = PackQuestions(lambda: dispatcher.workers, catalogs)
    users = Users(folders.user, settings.data_folder)
    media_reader = MediaReader()
    stack.push_async_callback(media_reader.close)
    return Services(
        settings,
        store,
        folders,
        catalogs,
        dispatcher,
        questions,
        hub,
        keys,
        users,
        webhooks,
        telemetry,
        media_reader=media_reader,
        assets=assets,
        servers=servers,
        worker_logs=worker_logs,
    )


@contextmanager
def _usable() -> Iterator[None]:
    """Name the folder that cannot be made or written."""
    try:
        yield
    except OSError as error:
        text = f"cannot use {error.filename}: {error.strerror}; --base-directory or --data-dir names another folder"
        raise SettingsError(text) from error


def _local_worker(settings: Settings) -> DeviceWorker:
    limit = settings.worker_memory_limit_gb
    return DeviceWorker(
        LOCAL,
        settings.for_workers(),
        device=_device(settings),
        interrupt_grace_s=settings.interrupt_grace_s,
        memory_limit_bytes=None if limit is None else round(limit * (1 << 30)),
        pack_import_timeout_s=settings.pack_import_timeout_s,
        environment=_visible_devices(settings) | (offline.ENVIRONMENT if settings.offline else {}),
    )


def _device(settings: Settings) -> str:
    if settings.cpu:
        return "cpu"
    return "auto" if settings.default_device is None else f"cuda:{settings.default_device}"


def _visible_devices(settings: Settings) -> dict[str, str]:
    """What hides the other GPUs from the device process; variables of NVIDIA's and AMD's libraries."""
    if settings.cuda_device is None:
        return {}
    return dict.fromkeys(("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"), settings.cuda_device)


def _learn(catalogs: Catalogs, folders: Folders, worker: Worker) -> None:
    """Take in what a worker that has become ready says of its node classes and folders."""
    for folder in worker.model_folders:
        folders.set_model_folder(folder.name, [Path(path) for path in folder.paths], folder.extensions)
    if worker.documents is not None:
        catalogs.update(worker.documents, worker.replacements, worker=worker.name)


def _needs(job: Job, catalogs: Catalogs) -> Needs:
    return needs_of(Graph.parse(orjson.loads(job.graph)), job.targets, catalogs.current)
