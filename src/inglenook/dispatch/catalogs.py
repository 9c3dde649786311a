"""The node catalog of the server: known before any worker is, renewed when one says what it has.

The packaged interfaces come first; the last full catalog is kept on disk for classes of custom nodes, so that the API
answers before a device process has finished importing.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import orjson

from inglenook.dispatch.catalog_union import union
from inglenook.engine.catalog import Catalog
from inglenook.engine.graph import Graph
from inglenook.engine.replacement import NodeReplacement, replace_nodes
from inglenook.media.folders import Folders
from inglenook.nodes.interfaces import builtin_interfaces, yields_to_packs

logger = logging.getLogger(__name__)

LOCAL = "local"
"""Name of the worker of this machine."""
FAR_WAIT_S = 5.0
"""How long a job waits for what other servers, which may not be there, say that they know."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """The bytes of `/object_info` for one state of the folders."""

    body: bytes
    compressed: bytes
    etag: str


class Catalogs:
    """Holds the catalog that requests are validated against."""

    def __init__(self, folders: Folders, kept_file: Path, *, local: str | None = LOCAL) -> None:
        """local: the worker of this machine; None where there is none, and so no built-in classes."""
        self._folders = folders
        self._kept_file = kept_file
        self._local = local
        self._documents: Mapping[str, Any] = self._first_documents()
        self._of_workers: dict[str, tuple[Mapping[str, Any], Sequence[NodeReplacement]]] = {}
        """What each worker said last; that of the local one comes first."""
        if local is not None:
            self._of_workers[local] = (self._documents, ())
        self._awaited = set() if local is None else {local}
        """Workers that may have classes which nobody knows yet."""
        self._replacements: dict[str, list[NodeReplacement]] = {}
        self._changed = asyncio.Event()
        self._object_info: tuple[Catalog, object, ObjectInfo] | None = None
        """With the catalog and the state of the folders that it was built from."""
        self._building = Lock()
        self.current = self._build()

    def _build(self) -> Catalog:
        return Catalog.from_documents(self._documents, self._folders.choices, self._folders.input_exists)

    def _first_documents(self) -> Mapping[str, Any]:
        """What is known before a worker is ready: the built-in classes, and those of packs at the last run."""
        kept = self._read_kept()
        if self._local is None:
            return kept
        of_packs = {
            name: document
            for name, document in kept.items()
            if yields_to_packs(name) and document.get("python_module") != builtin_interfaces()[name]["python_module"]
        }
        return {**kept, **builtin_interfaces(), **of_packs}

    def _read_kept(self) -> dict[str, Any]:
        try:
            documents = orjson.loads(self._kept_file.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return {}
        return documents if isinstance(documents, dict) else {}

    @property
    def replacements(self) -> Mapping[str, Sequence[NodeReplacement]]:
        """What node packs registered for classes that are gone, by the old class."""
        return self._replacements

    def with_replacements(self, graph: Graph) -> Graph:
        """The graph with nodes of unknown classes rewritten where a node pack registered a replacement."""
        if not self._replacements:
            return graph
        replaced, changes = replace_nodes(graph, self._documents, self._replacements)
        for change in changes:
            logger.info("node %s: class %s was replaced by %s", change.node_id, change.old_class, change.new_class)
        return replaced

    def old_widgets(self) -> dict[str, list[str]]:
        """Names of the widgets of classes that node packs replace, in the order of their saved values."""
        return {
            name: next((one.old_widget_ids for one in candidates if one.old_widget_ids), [])
            for name, candidates in self._replacements.items()
            if name not in self._documents
        }

    def expect(self, worker: str) -> None:
        """A worker was added that has not said yet what it knows."""
        if worker not in self._of_workers:
            self._awaited.add(worker)

    def update(
        self, documents: Mapping[str, Any], replacements: Sequence[NodeReplacement] = (), *, worker: str | None = None
    ) -> None:
        """Take what a worker (without one: the local one) says that it knows into the catalog.

        The catalog is kept for the next start.
        """
        name = worker or self._local or LOCAL
        self._awaited.discard(name)
        self._of_workers[name] = (documents, replacements)
        self._unite()
        self._changed.set()
        self._changed = asyncio.Event()

    def forget(self, worker: str) -> None:
        """A worker is gone; what the last one knew stays known."""
        self._awaited.discard(worker)
        if self._of_workers.pop(worker, None) is not None and self._of_workers:
            self._unite()

    def change(self, documents: Mapping[str, Any]) -> None:
        """Replace some documents of the local worker by newer ones.

        Not kept on disk: a worker tells them again when it starts.
        """
        name = self._local or LOCAL
        if documents and name in self._of_workers:
            before, replacements = self._of_workers[name]
            self._of_workers[name] = ({**before, **documents}, replacements)
            self._documents = union([known for known, _ in self._of_workers.values()])
            self.current = self._build()

    def _unite(self) -> None:
        self._replacements = {}
        for _, replacements in self._of_workers.values():
            for replacement in replacements:
                self._replacements.setdefault(replacement.old_node_id, []).append(replacement)
        documents = union([known for known, _ in self._of_workers.values()])
        if documents != self._documents:
            self._documents = documents
            self.current = self._build()
            self._keep()

    def _keep(self) -> None:
        try:
            self._kept_file.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._kept_file.with_suffix(".new")
            temporary.write_bytes(orjson.dumps(self._documents))
            temporary.replace(self._kept_file)
        except OSError as error:
            logger.warning("the node catalog could not be kept: %s", error)

    def knows(self, class_types: Iterable[str]) -> bool:
        return all(class_type in self._documents for class_type in class_types)

    async def wait_for(self, class_types: Iterable[str], timeout_s: float) -> None:
        """Wait until the workers have been ready, if any of these classes is unknown until then.

        For other servers no longer than FAR_WAIT_S; those that are not there in time are not waited for again.
        """
        wanted = list(class_types)
        awaited = set(self._awaited)
        far = awaited - {self._local}
        if far:
            await self._wait_for(wanted, awaited, min(timeout_s, FAR_WAIT_S))
            timeout_s -= FAR_WAIT_S
        if awaited - far:
            await self._wait_for(wanted, awaited - far, timeout_s)

    async def _wait_for(self, wanted: Sequence[str], awaited: set[str], timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while self._awaited & awaited and not self.knows(wanted):
                    await self._changed.wait()
        except TimeoutError:
            self._awaited -= awaited - {self._local}

    def object_info(self) -> ObjectInfo:
        """Return the whole catalog as `/object_info` shows it. May list folders and takes milliseconds when they
        changed: call it in a thread."""
        with self._building:  # whoever asks while it is built waits, instead of building it again
            catalog, token = self.current, self._folders.state_token()
            kept = self._object_info
            if kept is not None and kept[0] is catalog and kept[1] == token:
                return kept[2]
            body = orjson.dumps(catalog.object_info(None))
            etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
            info = ObjectInfo(body, gzip.compress(body, 5), etag)
            self._object_info = (catalog, token, info)
            return info
