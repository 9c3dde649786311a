"""Model files of all workers: of this machine, where jobs run here, and of other servers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from inglenook.api.deps import Services
from inglenook.media.folders import ALIASES


def model_folders(server: Services) -> list[str]:
    """Names of the model folders, those of this machine first."""
    return list(dict.fromkeys((*server.folders.models, *_far_lists(server))))


def model_files(server: Services, folder: str) -> list[str] | None:
    """Relative names of the files of a folder; None for an unknown one. Reads folders: call it in a thread."""
    name = ALIASES.get(folder, folder)
    far = _far_lists(server).get(name)
    if far is None and server.folders.model_folder(name) is None:
        return None
    return _united(server.folders.list(name) if _runs_here(server) else (), far or ())


def far_files(server: Services, folder: str) -> frozenset[str]:
    """The files of a folder that other servers have."""
    return frozenset(_far_lists(server).get(ALIASES.get(folder, folder), ()))


def embeddings(server: Services) -> list[str]:
    """Names of textual inversions, without extension. Reads folders: call it in a thread."""
    own = server.folders.list("embeddings") if _runs_here(server) else ()
    far = (name for worker in server.dispatcher.workers for name in getattr(worker, "embeddings", None) or ())
    return _united([os.path.splitext(name)[0] for name in own], far)  # noqa: PTH122


def _united(own: Iterable[str], far: Iterable[str]) -> list[str]:
    """Those of this machine in their order, then the others by name."""
    known = dict.fromkeys(own)
    return [*known, *sorted(set(far) - known.keys())]


def _runs_here(server: Services) -> bool:
    """Whether a job can use the files of this machine."""
    workers = server.dispatcher.workers
    return not workers or not all(hasattr(worker, "model_lists") for worker in workers)


def _far_lists(server: Services) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for worker in server.dispatcher.workers:
        # A server without that route shows in its loaders what it has.
        lists: Mapping[str, Iterable[str]] = getattr(worker, "model_lists", {}) or getattr(worker, "model_files", {})
        for folder, names in lists.items():
            found.setdefault(ALIASES.get(folder, folder), []).extend(names)
    return found
