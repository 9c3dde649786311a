"""Networks in the memory of a device: loaded at first use, the least recently used dropped when room is needed.

Only the device copy is dropped; the file stays mapped, so that coming back costs a conversion and no reading.
"""

from __future__ import annotations

import gc
import logging
import threading
from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import torch
from torch import nn

from inglenook.models.load import Network, materialize

logger = logging.getLogger(__name__)

SHARE_OF_MEMORY = 0.6
"""Part of a device's memory that models may take where no budget is set."""


@dataclass(slots=True)
class _Loaded:
    module: nn.Module
    size_bytes: int
    users: int = 0


@dataclass(slots=True)
class ModelStore:
    """The networks that one device holds."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    budget_bytes: int | None = None
    """Bytes that all networks together may take; more only when a single one needs it. None: 60 % of the memory."""
    reserved_bytes: int = 0
    """Memory that other programs need: the 60 % are taken of the rest."""
    _loaded: OrderedDict[Hashable, _Loaded] = field(default_factory=OrderedDict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @contextmanager
    def use(self, network: Network) -> Iterator[nn.Module]:
        """The network's module on the device; it stays there at least as long as the `with` block."""
        with self._lock:
            entry = self._loaded.get(network.identity) or self._load(network)
            self._loaded.move_to_end(network.identity)
            entry.users += 1
        try:
            yield entry.module
        finally:
            with self._lock:
                entry.users -= 1

    def unload(self) -> None:
        """Drop every network that is not in use."""
        with self._lock:
            self._make_room(None)
        self._release()

    def make_room(self, size_bytes: int, keep: Collection[Hashable] = ()) -> None:
        """Drop networks that are not in use, the least recently used first, until `size_bytes` more fit."""
        with self._lock:
            self._make_room(size_bytes, keep)
        self._release()

    def drop(self, identity: Hashable) -> bool:
        """Drop one network, unless it is in use; returns whether it is gone now."""
        with self._lock:
            entry = self._loaded.get(identity)
            if entry is not None and entry.users:
                return False
            self._loaded.pop(identity, None)
        self._release()
        return True

    def loaded(self) -> dict[Hashable, nn.Module]:
        """The networks on the device by their identity, most recently used last."""
        with self._lock:
            return {identity: entry.module for identity, entry in self._loaded.items()}

    @property
    def used_bytes(self) -> int:
        """Bytes that the loaded networks take."""
        with self._lock:
            return sum(entry.size_bytes for entry in self._loaded.values())

    @property
    def warm(self) -> tuple[str, ...]:
        """Paths of the files whose networks are loaded, most recently used last."""
        with self._lock:
            return tuple(dict.fromkeys(str(getattr(key[0], "path", key[0])) for key in self._keys()))

    def _keys(self) -> list[tuple[Hashable, ...]]:
        return [key if isinstance(key, tuple) else (key,) for key in self._loaded]

    def _load(self, network: Network) -> _Loaded:
        self._make_room(network.size_bytes(self.device))
        try:
            module = materialize(network, self.device)
        except torch.OutOfMemoryError:
            logger.warning("no room for %s on %s: dropping all other networks", network.name, self.device)
            self._make_room(None)
            self._release()
            module = materialize(network, self.device)
        size = sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
        logger.info("loaded %s on %s (%d MB)", network.name, self.device, size // 1_000_000)
        entry = self._loaded[network.identity] = _Loaded(module, size)
        return entry

    def _make_room(self, needed_bytes: int | None, keep: Collection[Hashable] = ()) -> None:
        """Drop unused networks, oldest first, until `needed_bytes` more fit; None: all unused."""
        allowed = -1 if needed_bytes is None else self._budget() - needed_bytes
        used = self.used_bytes
        for identity, entry in list(self._loaded.items()):
            if used <= allowed:
                return
            if entry.users == 0 and identity not in keep:
                del self._loaded[identity]
                used -= entry.size_bytes

    def _budget(self) -> int:
        if self.budget_bytes is None:
            usable = max(0, device_memory_bytes(self.device) - self.reserved_bytes)
            self.budget_bytes = int(SHARE_OF_MEMORY * usable)
        return self.budget_bytes

    def _release(self) -> None:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def device_memory_bytes(device: torch.device) -> int:
    """All the memory that a device has, and this process may use."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return min(int(psutil.virtual_memory().total), _container_limit_bytes())


def _container_limit_bytes(file: Path = Path("/sys/fs/cgroup/memory.max")) -> int:
    """What a container may use; without one, more than any machine has."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # no such file, or "max"
        return 1 << 62


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
