"""The library as the rest of the server uses it: questions, changes, and the files behind them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from inglenook.assets import queries, writes
from inglenook.assets.asset import MISSING, ROLES, Asset, AssetFilter, AssetPage, Change, Found, Page, Place, TagCount
from inglenook.assets.hashing import content_hash, file_hash
from inglenook.assets.totals import Totals
from inglenook.assets.writes import Registered
from inglenook.errors import InglenookError, ModelError, UnsafePath
from inglenook.jobs import JobStore, JobStoreError, now_ms
from inglenook.media import paths, uploads
from inglenook.media.folders import MODEL_EXTENSIONS, Folders
from inglenook.media.kinds import content_type
from inglenook.media.uploads import Pieces

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

_NOT_MODELS = frozenset({"custom_nodes", "configs"})
_MODEL_FILES = MODEL_EXTENSIONS | {".gguf", ".onnx"}
_FORGOTTEN_AT_ONCE = 1000
"""Some ten milliseconds, for which jobs that are accepted wait."""
_TOUCH_MS = 60_000
"""The time of the last access is noted at most so often."""


class AssetGone(InglenookError):
    """The file of an asset is no longer there, or no longer has the content that the asset means."""


class AssetProtected(InglenookError):
    """The file of an asset is not removed for clients."""


class AssetLibrary:
    """The assets of one server."""

    def __init__(
        self, store: JobStore, folders: Folders, *, hashes_files: bool = False, clock: Callable[[], int] = now_ms
    ) -> None:
        """hashes_files: hash also what nobody has uploaded. clock: milliseconds since the epoch."""
        self.store = store
        self.folders = folders
        self.hashes_files = hashes_files
        self._clock = clock
        self._totals = Totals()
        self._is_ready = asyncio.Event()
        self._is_ready.set()

    async def _read(self, query: Callable[Concatenate[Connection, P], T], *arguments: P.args, **named: P.kwargs) -> T:
        await self._is_ready.wait()
        return await self.store.read(query, *arguments, **named)

    async def _write(
        self,
        news: Callable[[T], Sequence[Found] | None],
        function: Callable[Concatenate[Connection, P], T],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> T:
        """news: see `Totals.watch`."""
        await self._is_ready.wait()
        written = self.store.write(function, *arguments, **named)
        self._totals.watch(written, news)
        return await asyncio.shield(written)  # a client that goes away does not keep the totals from hearing of it

    # Questions

    async def get(self, asset_id: str, user: str | None) -> Asset | None:
        """The asset of that id, if the user may see it (None: everybody may see all)."""
        return await self._read(queries.get, asset_id, user)

    async def page(self, wanted: AssetFilter, part: Page) -> AssetPage:
        """A part of the assets that match."""
        counts = await self._totals.counts(wanted, lambda: self._read(queries.count, wanted))
        return await self._read(queries.page, wanted, part, counts)

    async def tag_counts(
        self, wanted: AssetFilter, *, prefix: str = "", by_name: bool = False, limit: int, offset: int = 0
    ) -> tuple[list[TagCount], int]:
        """How many of the matching assets have each tag, and how many tags there are."""
        return await self._totals.answer(
            (wanted, prefix, by_name, limit, offset),
            lambda: self._read(queries.tag_counts, wanted, prefix=prefix, by_name=by_name, limit=limit, offset=offset),
        )

    async def behind(self, root: str, last_id: str, at_most: int, *, without_hash: bool = False) -> list[Asset]:
        """Some assets of a folder, hidden ones too, in the order of ids; those without a hash, if it is asked for."""
        return await self._read(queries.after, root, last_id, at_most, without_hash=without_hash)

    async def with_content(self, content: str, user: str | None, root: str | None = None) -> tuple[Asset, Path] | None:
        """An asset (in this root) that has this hash, and its file, which has not changed since; None without one."""
        found = await self._read(queries.of_hash, content, user, root)
        return await asyncio.to_thread(self._first_unchanged, found)

    async def file_of(self, asset: Asset) -> Path:
        """The file of an asset. Raises AssetGone."""
        return await asyncio.to_thread(self._file_of, asset)

    async def accessed(self, asset: Asset) -> None:
        """Note that the content of an asset was asked for."""
        now = self._clock()
        if now - asset.accessed_ms > _TOUCH_MS:
            await self._write(_nothing, writes.touch, asset.id, now)

    def path_of(self, place: Place) -> Path:
        """The path of a place, whether or not there is a file. Raises UnsafePath, ModelError."""
        if place.root == "models":
            folder, _, name = place.path.partition("/")
            return self.folders.find(folder, name)
        return paths.resolve(self.folders.directory(place.root), place.path)

    def look_at(self, place: Place) -> Found | None:
        """The file at a place as it is now; None when there is none. Blocks on the disk."""
        try:
            path = self.path_of(place)
            status = path.stat()
        except (UnsafePath, ModelError, OSError):
            return None
        if not path.is_file():
            return None
        return Found(place, status.st_size, status.st_mtime_ns, content_type(place.name))

    def is_gone(self, asset: Asset) -> bool:
        """Whether the file of an asset is gone, or is another one by now. Blocks on the disk."""
        found = self.look_at(asset.place)
        return found is None or (asset.is_reference and not _is_unchanged(asset, found))

    def _file_of(self, asset: Asset) -> Path:
        if self.is_gone(asset):
            raise AssetGone(f"the file of {asset.name[:100]!r} is gone")
        return self.path_of(asset.place)

    def _first_unchanged(self, assets: Sequence[Asset]) -> tuple[Asset, Path] | None:
        for asset in assets:
            found = self.look_at(asset.place)
            if found is not None and _is_unchanged(asset, found):
                return asset, self.path_of(asset.place)
        return None

    # Changes

    async def register(self, files: Sequence[Found]) -> list[Registered]:
        """Take files into the library, or take note of how they are now."""

        def news(registered: Sequence[Registered]) -> Sequence[Found] | None:
            if any(answer.effect == "changed" for answer in registered):
                return None
            added = {
                answer.id: file for answer, file in zip(registered, files, strict=True) if answer.effect == "added"
            }
            return list(added.values())

        return await self._write(news, writes.register, files, self._clock())

    async def note(self, found: Found, user: str | None) -> Asset | None:
        """Take one file into the library; the asset that it is."""
        (registered,) = await self.register([found])
        return await self.get(registered.id, user)

    async def refer(self, source: Asset, wanted: Found, user: str | None) -> tuple[Asset | None, bool]:
        """A further asset of the same file, and whether it is new."""
        asset_id, is_new = await self._write(_anything, writes.refer, source.id, wanted, self._clock())
        return await self.get(asset_id, user), is_new

    async def change(self, asset: Asset, wanted: Change, user: str | None) -> Asset | None:
        """Change what users say of an asset; the asset as it is then."""
        await self._write(_anything, writes.change, asset, wanted, self._clock())
        return await self.get(asset.id, user)

    async def remove(self, asset: Asset, *, with_file: bool) -> None:
        """Take an asset out of the library, its file too if it is asked for. Raises AssetProtected for a model."""
        if with_file and asset.place.root == "models" and not asset.is_reference:
            raise AssetProtected("Model files are not removed for clients")
        if await self._write(_anything, writes.remove, asset, with_file=with_file):
            await asyncio.to_thread(self._unlink, asset.place)

    def _unlink(self, place: Place) -> None:
        try:
            self.path_of(place).unlink(missing_ok=True)
        except (UnsafePath, OSError) as error:
            logger.warning("the file of a removed asset stays: %s", error)

    async def add_tags(self, asset: Asset, tags: Sequence[str]) -> list[str]:
        """Give an asset tags; those that it did not have."""
        return await self._write(_if_any, writes.add_tags, asset.id, tags, self._clock())

    async def remove_tags(self, asset: Asset, tags: Collection[str]) -> list[str]:
        """Take tags from an asset; those that it had. Those of its place and of a missing file stay."""
        free = [tag for tag in tags if tag not in (*ROLES, MISSING)]
        return await self._write(_if_any, writes.remove_tags, asset.id, free, self._clock())

    async def mark_missing(self, ids: Sequence[str]) -> int:
        """Give assets the tag of those whose file is gone; how many had it not."""
        return await self._write(_if_any, writes.mark_missing, ids)

    async def set_hashes(self, hashes: Mapping[str, tuple[str, int]]) -> None:
        """Note hashes, id -> (hash, time of the file in ns when it was read), unless a file has changed meanwhile."""
        if hashes:
            await self._write(_anything, writes.set_hashes, hashes)

    def forget_root_soon(self, root: str) -> asyncio.Task[None]:
        """Begin to remove everything of a folder that has been emptied; whoever asks meanwhile waits until it is done.

        The caller cancels the task when it is no longer wanted.
        """
        self._is_ready.clear()
        return asyncio.get_running_loop().create_task(self.forget_root(root))

    async def forget_root(self, root: str) -> None:
        """Remove everything of a folder that has been emptied."""
        try:
            while written := await self.store.write(writes.forget_some, root, _FORGOTTEN_AT_ONCE):
                logger.debug("forgot %d assets of %s", written, root)
        except JobStoreError as error:
            logger.warning("assets of the folder %s stay, though it is empty: %s", root, error)
        finally:
            self._is_ready.set()

    async def forget_file(self, place: Place) -> None:
        """Remove every asset of a file that is no longer there."""
        await self._write(_anything, writes.forget_file, place)

    # Uploads

    async def hash_of(self, content: Pieces) -> str:
        """The hash of an upload."""
        return await asyncio.to_thread(content_hash, content)

    async def store_upload(self, root: str, folder: str, name: str, content: Pieces) -> Place:
        """Write an upload into the input, output or temp folder, or a folder of models; where it is now.

        Raises UnsafePath, MediaError, DiskFull, and ModelError for a folder or file that is not of models.
        """
        if root != "models":
            directory = self.folders.directory(root)
            stored = await asyncio.to_thread(uploads.store, directory, folder, name, content, overwrite=False)
            return Place(root, "/".join((*paths.parts(folder), stored)))
        directory = self._model_directory(folder, name)
        stored = await asyncio.to_thread(uploads.store, directory, "", name, content, overwrite=False)
        return Place(root, f"{folder}/{stored}")

    def _model_directory(self, folder: str, name: str) -> Path:
        model_folder = None if folder in _NOT_MODELS else self.folders.model_folder(folder)
        if model_folder is None or not model_folder.paths:
            raise ModelError(f"there is no folder {folder[:50]!r} for models")
        allowed = (model_folder.extensions & _MODEL_FILES) or _MODEL_FILES
        if Path(name).suffix.lower() not in allowed:
            raise ModelError(f"{name[:100]!r} is no model file: use {', '.join(sorted(allowed))}")
        return model_folder.paths[0]


def _anything(_answer: object) -> None:
    """Every total may have changed."""


def _nothing(_answer: object) -> Sequence[Found]:
    return ()


def _if_any(answer: object) -> Sequence[Found] | None:
    """Totals have changed when the answer has something."""
    return None if answer else ()


def _is_unchanged(asset: Asset, found: Found) -> bool:
    return (asset.size, asset.modified_ns) == (found.size, found.modified_ns)


def hashed(library: AssetLibrary, found: Found, is_cancelled: Callable[[], bool] = lambda: False) -> str | None:
    """The hash of the file that was found; None when it cannot be read. Raises Cancelled."""
    try:
        return file_hash(library.path_of(found.place), is_cancelled)
    except (UnsafePath, ModelError, OSError):
        return None
