"""An app with the routes for files and models alone, over its ASGI interface."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI

from inglenook.api import errors
from inglenook.api.comfy import file_metadata, files, model_previews, models
from inglenook.api.media_reader import MediaReader
from inglenook.media.folders import Folders
from inglenook.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(base_directory=tmp_path, max_megapixels=1)


@pytest.fixture
def folders(settings: Settings) -> Folders:
    folders = Folders.from_settings(settings)
    folders.create()
    return folders


@pytest.fixture
async def media_reader() -> AsyncIterator[MediaReader]:
    reader = MediaReader()
    yield reader
    await reader.close()


@pytest.fixture
async def client(settings: Settings, folders: Folders, media_reader: MediaReader) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    errors.install(app)
    no_workers = SimpleNamespace(workers=())
    app.state.services = SimpleNamespace(
        settings=settings, folders=folders, media_reader=media_reader, assets=None, dispatcher=no_workers
    )
    for router in (files.router, file_metadata.router, models.router, model_previews.router):
        app.include_router(router)
        app.include_router(router, prefix="/api")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client
