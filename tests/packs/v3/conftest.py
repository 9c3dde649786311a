"""Folders to write to, and the surface under its names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from inglenook.media.folders import Folders
from inglenook.models.memory import ModelStore
from inglenook.nodes.environment import Environment, using
from inglenook.packs import surface_finder
from inglenook.settings import Settings


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    folders = Folders.from_settings(Settings(base_directory=tmp_path))
    folders.create()
    return folders


@pytest.fixture
def environment(folders: Folders) -> Iterator[Environment]:
    with using(Environment(folders, ModelStore())) as environment:
        yield environment


@pytest.fixture
def surface(tmp_path: Path) -> Iterator[None]:
    surface_finder.install(tmp_path)
    yield
    surface_finder.uninstall()
