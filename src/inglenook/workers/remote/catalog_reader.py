"""Reads what a server can do: its node classes, model files, scripts for the editor, devices and versions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from inglenook.client import AsyncClient, ClientError
from inglenook.client.blackening import Blackener
from inglenook.workers.messages import Device
from inglenook.workers.remote.catalog import RemoteCatalog, read_catalog
from inglenook.workers.remote.extensions import read_extensions
from inglenook.workers.remote.limits import RemoteLimits
from inglenook.workers.remote.model_lists import read_embeddings, read_model_lists
from inglenook.workers.remote.server_stats import read_devices, read_versions

_EMBEDDINGS_S = 5.0


class CatalogReader:
    """What one server can do, as it said last."""

    def __init__(self, limits: RemoteLimits, blackener: Blackener, heard: Callable[[], None]) -> None:
        """heard: called when the server has answered."""
        self.devices: Sequence[Device] = ()
        self.versions: Mapping[str, str] = {}
        self.model_lists: Mapping[str, tuple[str, ...]] = {}
        """What its `/models` list."""
        self.embeddings: frozenset[str] | None = None
        """What its `/embeddings` list; None where it does not say."""
        self.extensions: Mapping[str, Sequence[str]] = {}
        """Node pack -> paths of its scripts for the editor."""
        self._limits = limits
        self._blackener = blackener
        self._heard = heard
        self._catalog: RemoteCatalog | None = None
        self._etag: str | None = None
        self._body_hash: int | None = None

    def catalog(self) -> RemoteCatalog:
        """What is known; only once something is."""
        assert self._catalog is not None
        return self._catalog

    @property
    def documents(self) -> Mapping[str, Any] | None:
        """Interface documents of its node classes, once it has told them."""
        return None if self._catalog is None else self._catalog.documents

    @property
    def model_files(self) -> Mapping[str, frozenset[str]]:
        """Model folder -> names of its files."""
        return {} if self._catalog is None else self._catalog.model_files

    @property
    def is_cheap(self) -> bool:
        """The server can say that its catalog has not changed, without sending everything again."""
        return self._etag is not None

    async def load(self, client: AsyncClient) -> bool:
        """Read the server's catalog and devices, if they are not known; whether the catalog is another one.

        Raises ClientError, TimeoutError, ValueError.
        """
        async with asyncio.timeout(self._limits.catalog_s):
            stats = self._blackener.value(await client.system_stats())
            answer = await client.catalog(self._etag if self._catalog is not None else None)
        self._heard()
        self.devices, self.versions = read_devices(stats), read_versions(stats)
        if answer is None:
            return False
        body_hash = hash(answer.body)
        is_new = self._catalog is None or body_hash != self._body_hash
        if is_new:
            self._catalog = await asyncio.to_thread(read_catalog, answer.body, self._blackener)
        self._etag, self._body_hash = answer.etag, body_hash
        return is_new

    async def load_embeddings(self, client: AsyncClient) -> None:
        """Read which embeddings the server has, unless that takes long."""
        with contextlib.suppress(ClientError, TimeoutError):
            async with asyncio.timeout(min(_EMBEDDINGS_S, self._limits.request_s)):
                self.embeddings = await read_embeddings(client)

    async def load_lists(self, client: AsyncClient) -> None:
        """Read which model files and scripts the server has; where it does not answer, what was known stays."""
        with contextlib.suppress(ClientError, TimeoutError):
            async with asyncio.timeout(self._limits.request_s):
                self.embeddings = await read_embeddings(client)
                self.model_lists = await read_model_lists(client)
                self.extensions = await read_extensions(client)

    async def is_starting(self, client: AsyncClient) -> bool:
        """Whether the server says that it is not complete yet: an inglenook that imports node packs."""
        try:
            async with asyncio.timeout(self._limits.request_s):
                health = await client.get("/api/health")
        except (ClientError, TimeoutError):
            return False
        return isinstance(health, dict) and health.get("status") == "starting"
