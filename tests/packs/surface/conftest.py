"""The surface installed for one test, with the folders of a temporary base and the demo checkpoint."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from inglenook.engine.context import NodeContext, running
from inglenook.engine.events import NodeRef
from inglenook.media.folders import Folders
from inglenook.models.memory import ModelStore
from inglenook.nodes import registry
from inglenook.nodes.environment import Environment, using
from inglenook.packs import surface_finder
from inglenook.settings import Settings

DEMO = "inglenook-demo.safetensors"


@pytest.fixture(scope="session")
def model_store() -> ModelStore:
    torch.set_num_threads(1)
    return ModelStore()


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    folders = Folders.from_settings(Settings(base_directory=tmp_path))
    folders.create()
    return folders


@pytest.fixture
def environment(folders: Folders, model_store: ModelStore) -> Iterator[Environment]:
    with using(Environment(folders, model_store)) as environment:
        yield environment


@pytest.fixture
def surface(environment: Environment, tmp_path: Path) -> Iterator[Callable[[str], ModuleType]]:
    """Imports a module as a pack does."""
    surface_finder.install(tmp_path)
    yield importlib.import_module
    surface_finder.uninstall()


@pytest.fixture
def builtin(environment: Environment) -> Callable[..., Any]:
    """Runs a built-in node as the server does."""

    def run(class_type: str, **inputs: Any) -> Any:
        return _implementations()[class_type].create().run(**inputs)

    return run


_cache: dict[str, Any] = {}


def _implementations() -> dict[str, Any]:
    if not _cache:
        _cache.update(registry.load())
    return _cache


@pytest.fixture
def demo(builtin: Callable[..., Any]) -> dict[str, Any]:
    """Model, text encoder and autoencoder of the demo checkpoint, two prompts, an empty latent."""
    model, clip, vae = builtin("CheckpointLoaderSimple", ckpt_name=DEMO)
    return {
        "model": model,
        "clip": clip,
        "vae": vae,
        "positive": builtin("CLIPTextEncode", text="a red circle", clip=clip)[0],
        "negative": builtin("CLIPTextEncode", text="", clip=clip)[0],
        "latent": builtin("EmptyLatentImage", width=64, height=64, batch_size=1)[0],
    }


@pytest.fixture
def events() -> list[Any]:
    return []


@pytest.fixture
def node_run(events: list[Any]) -> Iterator[NodeContext]:
    """A call of node 5 that is under way; what it tells lands in `events`."""
    with running(NodeContext("job", NodeRef("5", "5", None, "5"), events.append, lambda: False)) as context:
        yield context
