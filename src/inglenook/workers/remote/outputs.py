"""What nodes show, with their files fetched: nothing in it names the remote server any more."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from tempfile import SpooledTemporaryFile
from typing import Any, cast

import orjson

from inglenook.client import AsyncClient, OutputFile
from inglenook.client.blackening import Blackener
from inglenook.client.errors import InvalidAnswer, NotFound, ServerFailure, StatusError
from inglenook.errors import UnsafePath
from inglenook.media.embedded_names import replace_names
from inglenook.media.folders import FileKind, Folders, split_annotation
from inglenook.media.naming import FileRef
from inglenook.media.uploads import Pieces
from inglenook.workers.remote.errors import AttemptLost
from inglenook.workers.remote.inputs import SentGraph
from inglenook.workers.remote.journal import RemoteJournal
from inglenook.workers.remote.keeping import keep, path_of
from inglenook.workers.remote.limits import RemoteLimits

_HELD_BYTES = 16 << 20
_DEEPEST = 100
_MOST_REMEMBERED = 10_000
_MODELS_3D = frozenset({".glb", ".gltf", ".obj", ".fbx", ".stl", ".usdz", ".ply"})
_BESIDE = (
    ".png",
    ".jpg",
    ".jpeg",
    ".webp",
    ".gif",
    ".mp4",
    ".webm",
    ".mkv",
    ".mov",
    ".wav",
    ".flac",
    ".mp3",
    ".ogg",
    ".json",
    ".srt",
)
_LONGEST_NAME = 255
_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A file of the server that is here already."""

    etag: str
    file: FileRef


class FetchedFiles:
    """Files that one server gave. One that has not changed there, and is still here, is not fetched again."""

    def __init__(
        self,
        client: AsyncClient,
        folders: Folders,
        limits: RemoteLimits,
        journal: RemoteJournal | None,
        blackener: Blackener,
    ) -> None:
        self.folders = folders
        self._blackener = blackener
        self._client = client
        self._limits = limits
        self._journal = journal
        self._known: OrderedDict[_Key, _Fetched] = OrderedDict()

    async def fetch(
        self, job_id: str, there: OutputFile, kind: FileKind, names: Mapping[str, str] | None = None
    ) -> FileRef:
        """Bring a file into the folder of that kind. names: of files there -> what a workflow in it is to call them.

        Raises AttemptLost, NotFound, ClientError, MediaError."""
        key = (there.type, there.subfolder, there.filename)
        known = self._known.get(key)
        if known is not None and not await asyncio.to_thread(self._is_here, known.file):
            known = None
        with SpooledTemporaryFile(max_size=_HELD_BYTES) as content:
            try:
                async with asyncio.timeout(self._limits.transfer_s):
                    answer = await self._client.fetch(
                        there,
                        content.write,
                        known_etag=None if known is None else known.etag,
                        most_bytes=self._limits.file_bytes,
                    )
            except TimeoutError as error:
                raise AttemptLost(f"{there.filename[:100]} did not arrive in {self._limits.transfer_s:g} s") from error
            if answer.is_unchanged and known is not None:
                return known.file
            await asyncio.to_thread(replace_names, cast(Any, content), names or {})
            file = await asyncio.to_thread(self._keep, job_id, there, kind, Pieces(cast(Any, content)))
        if answer.etag:
            self._known[key] = _Fetched(answer.etag, file)
            self._known.move_to_end(key)
            if len(self._known) > _MOST_REMEMBERED:
                self._known.popitem(last=False)
        return file

    def _is_here(self, file: FileRef) -> bool:
        return path_of(self.folders, file).is_file()

    def _keep(self, job_id: str, there: OutputFile, kind: FileKind, content: Pieces) -> FileRef:
        clean = self._blackener.text
        file = keep(self.folders, kind, clean(there.subfolder), clean(there.filename), content)
        if self._journal is not None:
            self._journal.note(job_id, path_of(self.folders, file))
        return file


class Outputs:
    """What the nodes of one attempt show."""

    def __init__(self, job_id: str, files: FetchedFiles, limits: RemoteLimits, blackener: Blackener) -> None:
        self.sent = SentGraph({})
        """The graph that the server was given."""
        self._job_id = job_id
        self._files = files
        self._limits = limits
        self._blackener = blackener
        self._own: dict[_Key, FileRef] = {}
        self._size_bytes = 0

    async def own(self, output: Mapping[str, Any]) -> dict[str, Any]:
        """What a node shows, in this server's names.

        Raises AttemptLost when it is too much or names what no server may, NotFound, ClientError, MediaError.
        """
        self._size_bytes += len(orjson.dumps(output, option=orjson.OPT_NON_STR_KEYS, default=str))
        if self._size_bytes > self._limits.job_output_bytes:
            raise AttemptLost(f"its nodes show more than {self._limits.job_output_bytes} bytes")
        try:
            clean = self._blackener.text
            return {clean(key): await self._value(key, value, 0) for key, value in output.items()}
        except UnsafePath as error:
            raise AttemptLost(f"the server names a file that it may not: {error}") from error

    async def _value(self, key: str, value: Any, depth: int) -> Any:
        if depth > _DEEPEST:
            return None
        match value:
            case str():
                return await self._text(key, value)
            case list():
                return [await self._value(key, item, depth + 1) for item in value]
            case dict() if _is_file(value):
                return await self._file(key, value, depth)
            case dict():
                clean = self._blackener.text
                return {clean(name): await self._value(name, item, depth + 1) for name, item in value.items()}
        return value

    async def _file(self, key: str, item: Mapping[str, Any], depth: int) -> dict[str, Any]:
        filename, subfolder, kind = item["filename"], item.get("subfolder"), item.get("type")
        there = OutputFile(
            node="",
            kind=key,
            filename=filename,
            subfolder=subfolder if isinstance(subfolder, str) else "",
            type=kind if isinstance(kind, str) and kind else "output",
        )
        others = {
            name: await self._beside(there, name, value, depth)
            for name, value in item.items()
            if name not in ("filename", "subfolder", "type", "fullpath")
        }
        if there.type == "input" and (uploaded := self._uploaded(there)) is not None:
            return {**uploaded.as_json(), **others}
        file = await self._fetch(there)
        own: dict[str, Any] = {**file.as_json(), **others}
        if "fullpath" in item:
            own["fullpath"] = str(path_of(self._files.folders, file))
        return own

    async def _beside(self, there: OutputFile, name: str, value: Any, depth: int) -> Any:
        """What else an entry of a file says; it may name another file of the same folder, such as its first frame."""
        if not isinstance(value, str) or there.type == "input" or not _looks_like_file(value):
            return await self._value(name, value, depth + 1)
        try:
            return (await self._fetch(replace(there, kind=name, filename=value))).filename
        except (StatusError, InvalidAnswer, UnsafePath) as error:
            if isinstance(error, ServerFailure):
                raise
            return self._blackener.text(value)

    def _uploaded(self, there: OutputFile) -> FileRef | None:
        """The file here that one of the server's input folder is a copy of."""
        theirs = f"{there.subfolder}/{there.filename}" if there.subfolder else there.filename
        ours = self.sent.names.get(theirs)
        if ours is None:
            return None
        name, kind = split_annotation(ours, "input")
        folder, _, filename = name.replace("\\", "/").rpartition("/")
        return FileRef(filename, folder, cast(FileKind, kind))

    async def _fetch(self, there: OutputFile) -> FileRef:
        key = (there.type, there.subfolder, there.filename)
        if key not in self._own:
            if len(self._own) >= self._limits.job_files:
                raise AttemptLost(f"its nodes show more than {self._limits.job_files} files")
            # What lies in another server's input folder is no input of ours: shown as long as previews are.
            kind: FileKind = "output" if there.type == "output" else "temp"
            self._own[key] = await self._files.fetch(self._job_id, there, kind, self.sent.names)
        return self._own[key]

    async def _text(self, key: str, text: str) -> str:
        """A text; under `result` it may name a 3D file, which is fetched, too."""
        if key == "result" and PurePosixPath(split_annotation(text, "output")[0]).suffix.lower() in _MODELS_3D:
            name, kind = split_annotation(text, "output")
            folder, _, filename = name.replace("\\", "/").rpartition("/")
            there = OutputFile(node="", kind=key, filename=filename, subfolder=folder, type=kind)
            try:
                file = (self._uploaded(there) if kind == "input" else None) or await self._fetch(there)
            except (NotFound, InvalidAnswer, UnsafePath):
                return self._blackener.text(text)
            path = f"{file.subfolder}/{file.filename}" if file.subfolder else file.filename
            return path if file.type == "output" else f"{path} [{file.type}]"
        return self._blackener.text(self.sent.in_own_words(text))


def _looks_like_file(text: str) -> bool:
    """Whether a text may be the name of a picture, a video, a sound or a description that a node wrote."""
    return len(text) <= _LONGEST_NAME and not set(text) & set("/\\\0") and text[-6:].lower().endswith(_BESIDE)


def _is_file(item: Mapping[str, Any]) -> bool:
    """Whether an object names a file of one of the server's folders."""
    filename, kind = item.get("filename"), item.get("type", "output")
    return isinstance(filename, str) and filename != "" and kind in ("output", "temp", "input", "", None)
