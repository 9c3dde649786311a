"""Input files of jobs: sent to the server once, under names made of their content."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import blake3

from inglenook.client import AsyncClient, OutputFile
from inglenook.errors import MediaError
from inglenook.media.embedded_names import longest_form
from inglenook.media.folders import FileKind, Folders, split_annotation
from inglenook.workers.remote.catalog import RemoteCatalog
from inglenook.workers.remote.errors import AttemptLost
from inglenook.workers.remote.limits import RemoteLimits

_PREFIX = "inglenook-"
_PIECE_BYTES = 4 << 20
_WORTH_ASKING_BYTES = 1 << 20
"""From this size on, the server is asked whether it has the file before it is sent."""
_MOST_REMEMBERED = 10_000
_LONGEST_NAME = 200
_FOLDERS = r"""(?:(?<![^\s"'(\[=,])(?:[A-Za-z]:)?[^\s"'<>|:,;()\[\]=]{0,1000}[/\\])?"""
"""Those of the server before the name of a file."""


@dataclass(frozen=True, slots=True)
class SentGraph:
    """A graph as a server is given it."""

    graph: Mapping[str, Any]
    names: Mapping[str, str] = field(default_factory=dict)
    """Names of files there -> what the job calls them."""

    def in_own_words(self, text: str) -> str:
        """A text of the server, with the job's names of its files."""
        if _PREFIX not in text:
            return text
        for theirs, ours in self.names.items():
            text = re.sub(rf"{_FOLDERS}{re.escape(theirs)}", lambda _: ours, text)  # noqa: B023 - called at once
        return text


class InputFiles:
    """What one server has been sent."""

    def __init__(self, client: AsyncClient, folders: Folders, limits: RemoteLimits) -> None:
        self._client = client
        self._folders = folders
        self._limits = limits
        self._hashes: OrderedDict[tuple[str, int, int, int], str] = OrderedDict()
        self._sent: OrderedDict[str, asyncio.Task[str]] = OrderedDict()
        """Name made of the content -> the name that the server gave it."""

    def forget(self) -> None:
        """The server may have lost its files."""
        self._sent = OrderedDict((name, task) for name, task in self._sent.items() if not task.done())

    async def close(self) -> None:
        for task in self._sent.values():
            task.cancel()
        await asyncio.gather(*self._sent.values(), return_exceptions=True)

    async def send(self, graph: Mapping[str, Any], catalog: RemoteCatalog) -> SentGraph:
        """The graph with the names that its input files have on the server, where they are now.

        A name that is no file here is left as it is: the server may have one. Raises AttemptLost, ClientError.
        """
        sent: dict[str, Any] = {}
        names: dict[str, str] = {}
        for node_id, node in graph.items():
            changed = {}
            for name, value in (node.get("inputs") or {}).items():
                replaced = await self._value(node["class_type"], name, value, catalog, names)
                if replaced is not value:
                    changed[name] = replaced
            sent[node_id] = {**node, "inputs": {**node["inputs"], **changed}} if changed else node
        return SentGraph(sent, names)

    async def _value(
        self, class_type: str, name: str, value: Any, catalog: RemoteCatalog, names: dict[str, str]
    ) -> Any:
        if isinstance(value, dict) and isinstance(value.get("__value__"), list):
            items = [await self._value(class_type, name, item, catalog, names) for item in value["__value__"]]
            return {**value, "__value__": items} if items != value["__value__"] else value
        if not isinstance(value, str) or not value:
            return value
        folder = catalog.folder_of(class_type, name)
        if folder is None and not catalog.refuses(class_type, name, value):
            return value
        path = await asyncio.to_thread(self._find, value, folder or "input")
        if path is None:
            return value
        theirs = await self._sent_name(path, value)
        if folder in (None, "input"):
            names[theirs] = value
            return theirs
        # Such an input would look for a plain name in another folder than the one that files are sent to.
        names[f"{theirs} [input]"] = value
        names[theirs] = "{} [{}]".format(*split_annotation(value, folder))
        return f"{theirs} [input]"

    def _find(self, value: str, folder: FileKind) -> Path | None:
        try:
            path = self._folders.resolve_annotated(value, folder)
            return path if path.is_file() else None
        except (MediaError, OSError):
            return None

    async def _sent_name(self, path: Path, value: str) -> str:
        try:
            digest = await asyncio.to_thread(self._digest, path)
        except OSError as error:
            raise AttemptLost(f"the input file {path.name} cannot be read: {error.strerror}") from error
        wanted = _name_there(digest[:40], _extension(path), longest_form(value))
        task = self._sent.get(wanted)
        if task is None:
            task = self._sent[wanted] = asyncio.create_task(self._upload(path, wanted, digest))
            while len(self._sent) > _MOST_REMEMBERED and next(iter(self._sent.values())).done():
                self._sent.popitem(last=False)
        try:
            return await asyncio.shield(task)  # another job may wait for the same file
        except BaseException:
            if task.done() and self._sent.get(wanted) is task:
                del self._sent[wanted]
            raise

    def _digest(self, path: Path) -> str:
        found = path.stat()
        key = (str(path), found.st_ino, found.st_mtime_ns, found.st_size)
        digest = self._hashes.get(key)
        if digest is None:
            state = blake3.blake3()
            with path.open("rb", buffering=0) as file:
                while piece := file.read(_PIECE_BYTES):
                    state.update(piece)
            digest = self._hashes[key] = state.hexdigest()
            if len(self._hashes) > _MOST_REMEMBERED:
                self._hashes.popitem(last=False)
        return digest

    async def _upload(self, path: Path, wanted: str, digest: str) -> str:
        try:
            async with asyncio.timeout(self._limits.transfer_s):
                return await self._upload_unless_there(path, wanted, digest)
        except TimeoutError as error:
            raise AttemptLost(
                f"the input file {path.name} could not be sent in {self._limits.transfer_s:g} s"
            ) from error
        except OSError as error:
            raise AttemptLost(f"the input file {path.name} cannot be read: {error}") from error

    async def _upload_unless_there(self, path: Path, wanted: str, digest: str) -> str:
        size = (await asyncio.to_thread(path.stat)).st_size
        if size >= _WORTH_ASKING_BYTES:
            there = OutputFile(node="", kind="", filename=wanted, subfolder="", type="input")
            if await self._client.file_size(there) == size:
                return wanted
        with path.open("rb") as file:
            stored = await self._client.upload_image(file, name=wanted)
        if stored.content_hash not in (None, f"blake3:{digest}"):
            raise AttemptLost(f"the server says that it stored another content than {path.name}")
        if stored.type != "input" or not stored.name or "/" in stored.name or ".." in stored.name:
            raise AttemptLost(f"the server stored {path.name} as {stored.reference[:100]!r}")
        return stored.reference


def _name_there(content: str, extension: str, least_bytes: int) -> str:
    """A name with room for the one that takes its place in the files that the server makes (`media.embedded_names`)."""
    more = min(least_bytes, _LONGEST_NAME) - len(f"{_PREFIX}{content}{extension}")
    return f"{_PREFIX}{content}{'-' + '0' * (more - 1) if more > 0 else ''}{extension}"


def _extension(path: PurePath) -> str:
    """Servers tell kinds of files by it."""
    extension = path.suffix.lower()
    return extension if extension.isascii() and extension[1:].isalnum() and len(extension) <= 10 else ""
