"""Nodes run by hand: a graph in API format, evaluated without the engine."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from inglenook.engine.implementation import NodeImplementation
from inglenook.media.folders import Folders
from inglenook.nodes import registry
from inglenook.nodes.environment import Environment, using
from inglenook.settings import Settings

Run = Callable[..., Any]


@pytest.fixture(scope="session")
def implementations() -> dict[str, NodeImplementation]:
    return registry.load()


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    folders = Folders.from_settings(Settings(base_directory=tmp_path))
    folders.create()
    return folders


@pytest.fixture
def environment(folders: Folders) -> Iterator[Environment]:
    with using(Environment(folders, SimpleNamespace())) as environment:  # type: ignore[arg-type]
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
