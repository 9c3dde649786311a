"""Values that are files: data URLs, base64, parts of a form and remote addresses become names in the input folder.

A file is stored under the digest of its content, so that the same bytes are there once.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote_to_bytes

from starlette.datastructures import UploadFile

from inglenook.api.deps import Services
from inglenook.api.remote_files import RemoteFileError, RemoteLimits, fetch
from inglenook.engine.values import shorten
from inglenook.errors import InglenookError, UnsafePath
from inglenook.media import paths, uploads
from inglenook.media.content_hashes import is_hash
from inglenook.media.kinds import media_kind
from inglenook.media.signatures import UNMISTAKABLE, extension_of
from inglenook.media.uploads import Pieces
from inglenook.workflows.parameter import Parameter, ParameterError, parameter_problem
from inglenook.workflows.parameters import Inputs

_MOST_FILES = 100
_FETCHED_AT_ONCE = 4
_SHORTEST_BASE64 = 64
_BASE64 = re.compile(r"[A-Za-z0-9+/\-_\s]+={0,2}\s*")
_DATA_URL = re.compile(r"data:([^,]{0,200}),", re.I)
_URL = re.compile(r"https?://", re.I)
_PIECE_BYTES = 1 << 20
_AS_WELL = {"video": ("image",), "audio": ("video",)}
"""Loaders of the first kind read files of the others, too: animated pictures, the sound of a film."""
_NEVER = (".svg", ".html", ".htm", ".xml")


class _NotThere(InglenookError):
    """A value that does not give a file."""


async def store_files(
    server: Services,
    graph: Mapping[str, Any],
    parameters: Sequence[Parameter],
    values: Mapping[str, Any],
    parts: Mapping[str, UploadFile] | None = None,
) -> dict[str, Any]:
    """The values with every file in the input folder and its name in place of the content.

    parts: files of a form by the address of their parameter; they win over `values`. What is no file, and addresses
    that are not known, stay as they are: `parameters.apply` judges them. An object as the upload routes answer with
    (`{"name", "subfolder", "type"}`) becomes the name that nodes take.
    Raises ParameterError that tells every file that cannot be taken; DiskFull.
    """
    parts = parts or {}
    given: dict[str, Any] = {**values, **parts}
    candidates = {address: value for address, value in given.items() if _may_be_file(value)}
    if not candidates:
        return given
    if len(candidates) > _MOST_FILES:
        text = f"{len(candidates)} values are files; at most {_MOST_FILES} are taken at a time"
        raise ParameterError([parameter_problem("", text)])
    found, problems = await asyncio.to_thread(_media_parameters, server, graph, parameters, candidates)
    slots = asyncio.Semaphore(_FETCHED_AT_ONCE)

    async def take(address: str, parameter: Parameter) -> None:
        try:
            async with slots:
                given[address] = await _name_of(server, parameter, candidates[address])
        except (_NotThere, RemoteFileError, UnsafePath) as error:
            problems.append(parameter_problem(shorten(address), f"{shorten(address, 100)}: {error}"))

    async with asyncio.TaskGroup() as group:
        for address, parameter in found.items():
            group.create_task(take(address, parameter))
    if problems:
        raise ParameterError(problems)
    return given


def without_files(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those values that give no file."""
    return {address: value for address, value in values.items() if not _may_be_file(value)}


def _may_be_file(value: Any) -> bool:
    if isinstance(value, (UploadFile, dict)):
        return True
    return isinstance(value, str) and bool(_DATA_URL.match(value) or _URL.match(value) or _looks_encoded(value))


def _looks_encoded(value: str) -> bool:
    return len(value) >= _SHORTEST_BASE64 and _BASE64.fullmatch(value[:4096].rstrip("=")) is not None


def _media_parameters(
    server: Services, graph: Mapping[str, Any], parameters: Sequence[Parameter], values: Mapping[str, Any]
) -> tuple[dict[str, Parameter], list[dict[str, Any]]]:
    inputs = Inputs(graph, parameters, server.catalogs.current)
    found, problems = {}, []
    for address, value in values.items():
        try:
            parameter = inputs.find(address)
        except ParameterError as error:
            if isinstance(value, UploadFile):
                problems += error.problems
            continue
        if parameter.media is not None:
            found[address] = parameter
        elif isinstance(value, UploadFile):
            text = f"{shorten(address, 100)} takes no file but a value of the type {parameter.type}"
            problems.append(parameter_problem(shorten(address), text))
    return found, problems


async def _name_of(server: Services, parameter: Parameter, value: Any) -> str:
    """The name of a file that a value gives, stored if it was not."""
    root, kind = server.folders.directory("input"), parameter.media or "file"
    if isinstance(value, UploadFile):
        return await asyncio.to_thread(_store, root, kind, value.file, value.filename or "")
    if isinstance(value, dict):
        return _reference(value)
    if _URL.match(value):
        if not server.settings.allow_remote_inputs:
            raise _NotThere("files of other servers are not fetched here (setting allow_remote_inputs)")
        with await fetch(value, RemoteLimits(server.settings.max_upload_bytes)) as file:
            return await asyncio.to_thread(_store, root, kind, cast(BinaryIO, file), value.partition("?")[0])
    if is_hash(value):  # of an asset; who submits knows whose
        return str(value)
    if not _DATA_URL.match(value) and await asyncio.to_thread(server.folders.input_exists, value):
        return str(value)
    return await asyncio.to_thread(_decode_and_store, root, kind, value)


def _reference(value: Mapping[str, Any]) -> str:
    name, subfolder, kind = value.get("name") or value.get("filename"), value.get("subfolder"), value.get("type")
    subfolder, kind = subfolder or "", kind or "input"
    if not (isinstance(name, str) and isinstance(subfolder, str)) or kind not in ("input", "output", "temp"):
        raise _NotThere('an object must name a file: {"name", "subfolder", "type"}')
    path = f"{subfolder}/{name}" if subfolder else name
    return path if kind == "input" else f"{path} [{kind}]"


def _decode_and_store(root: Path, kind: str, value: str) -> str:
    return _store(root, kind, io.BytesIO(_decoded(value)), "")


def _decoded(value: str) -> bytes:
    match = _DATA_URL.match(value)
    if match and not match[1].lower().rstrip().endswith(";base64"):
        return unquote_to_bytes(value[match.end() :])
    text = re.sub(r"\s+", "", value[match.end() :] if match else value).replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        what = (
            "the data URL is not base64" if match else f"there is no file {shorten(value, 60)!r}, and it is not base64"
        )
        raise _NotThere(what) from None


def _store(root: Path, kind: str, file: BinaryIO, given_name: str) -> str:
    """Write a file under the digest of its content, unless it is there. Returns its name."""
    suffix = _suffix(file, kind, given_name)
    digest = hashlib.sha256()
    while piece := file.read(_PIECE_BYTES):
        digest.update(piece)
    name = f"{digest.hexdigest()[:40]}{suffix}"
    path = paths.resolve(root, name)
    if _has_digest(path, digest.digest()) or uploads.place_as(root, name, Pieces(file)):
        return name
    # Somebody else's just now, with the same content unless it was put there by hand
    return name if _has_digest(path, digest.digest()) else uploads.store(root, "", name, Pieces(file), overwrite=False)


def _has_digest(path: Path, digest: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest() == digest
    except FileNotFoundError:
        return False


def _suffix(file: BinaryIO, kind: str, given_name: str) -> str:
    """The extension of a file by its content, else by its name. Raises _NotThere where it is of another kind."""
    suffix = extension_of(file)
    if suffix is None and not file.read(1):
        raise _NotThere("the file is empty")
    if suffix is None:
        file.seek(0)
        given = Path(given_name.replace("\\", "/").rsplit("/", 1)[-1].replace("\0", "")).suffix.lower()
        suffix = given if re.fullmatch(r"\.[a-z0-9]{1,8}", given) and given not in _NEVER else ""
        if kind != "file" and (media_kind(f"x{suffix}") != kind or suffix in UNMISTAKABLE):
            raise _NotThere(f"this is no {kind} of a format that is known")
        return suffix or ".bin"
    found = media_kind(f"x{suffix}")
    if kind != "file" and found != kind and found not in _AS_WELL.get(kind, ()):
        raise _NotThere(f"a file of the kind {kind} is wanted, this is {found or suffix}")
    return suffix
