"""Nodes run by hand: a graph in API format, evaluated without the engine."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from inglenook.engine.implementation import NodeImplementation
from inglenook.media.folders import Folders
from inglenook.models.memory import ModelStore
from inglenook.nodes import registry
from inglenook.nodes.environment import Environment, using
from inglenook.settings import Settings
from tests.models.tiny import write_tiny_checkpoint

Run = Callable[..., Any]


@pytest.fixture(scope="session")
def implementations() -> dict[str, NodeImplementation]:
    torch.set_num_threads(1)
    return registry.load()


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    folders = Folders.from_settings(Settings(base_directory=tmp_path))
    folders.create()
    return folders


@pytest.fixture(scope="session")
def model_store() -> ModelStore:
    return ModelStore()


@pytest.fixture
def environment(folders: Folders, model_store: ModelStore) -> Iterator[Environment]:
    with using(Environment(folders, model_store)) as environment:
        yield environment


@pytest.fixture
def run(environment: Environment, implementations: dict[str, NodeImplementation]) -> Run:
    """Call a node class with its inputs; returns its outputs, or the dict that it returned."""

    def run(class_type: str, **inputs: Any) -> Any:
        return implementations[class_type].create().run(**inputs)

    return run


@pytest.fixture
def run_graph(run: Run) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Run every node of a graph whose nodes take plain inputs; node id -> what it returned."""

    def run_graph(graph: dict[str, Any]) -> dict[str, Any]:
        results: dict[str, Any] = {}

        def result(node_id: str) -> Any:
            if node_id not in results:
                inputs = {
                    name: result(value[0])[value[1]] if isinstance(value, list) else value
                    for name, value in graph[node_id]["inputs"].items()
                }
                results[node_id] = run(graph[node_id]["class_type"], **inputs)
            return results[node_id]

        for node_id in graph:
            result(node_id)
        return results

    return run_graph


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors")


@pytest.fixture
def checkpoint(environment: Environment, tiny_checkpoint: Path) -> str:
    """The name of a small random checkpoint in the checkpoints folder."""
    (environment.folders.models["checkpoints"].paths[0] / tiny_checkpoint.name).symlink_to(tiny_checkpoint)
    return tiny_checkpoint.name
