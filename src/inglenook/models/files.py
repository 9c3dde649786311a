"""Weights files: names, shapes and metadata at once, tensors as views over a memory map.

`.safetensors` files are never copied: a tensor is a view of the mapped file, and pages are read when they are used.
Pickled files (`.ckpt`, `.pt`, ...) are read with `weights_only=True`, so that no code in them runs.
"""

from __future__ import annotations

import itertools
import mmap
import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import torch
from torch import Tensor

from inglenook.errors import ModelError

PICKLED = frozenset({".ckpt", ".pt", ".pth", ".bin", ".pkl"})
_LARGEST_HEADER = 100_000_000
_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What tells a file from another that later stands under the same name."""

    path: str
    inode: int
    mtime_ns: int
    size: int

    @classmethod
    def of(cls, path: Path, status: os.stat_result) -> FileIdentity:
        return cls(str(path.resolve()), status.st_ino, status.st_mtime_ns, status.st_size)


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Type and shape of a tensor in a file."""

    dtype: torch.dtype
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TensorFile:
    """An open weights file. The mapping lives as long as this object or any tensor taken from it."""

    identity: FileIdentity
    tensors: Mapping[str, TensorInfo]
    metadata: Mapping[str, str]
    _read: Callable[[str], Tensor]

    @property
    def name(self) -> str:
        """The file's name, for messages."""
        return Path(self.identity.path).name

    def tensor(self, key: str) -> Tensor:
        """A tensor on the CPU, in the file's own type: for a safetensors file a view that shares the mapped pages.

        Raises ModelError when the file has no such tensor.
        """
        if key not in self.tensors:
            raise ModelError(f"{self.name} has no tensor {key!r}")
        return self._read(key)

    def shape(self, key: str) -> tuple[int, ...]:
        """The shape of a tensor. Raises ModelError when the file has no such tensor."""
        if key not in self.tensors:
            raise ModelError(f"{self.name} has no tensor {key!r}")
        return self.tensors[key].shape


def open_tensors(path: Path) -> TensorFile:
    """Open a weights file without reading its tensors.

    Raises ModelError when the file is missing, damaged, cut short, of an unknown kind, or a pickle with code in it.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"model file {path.name} does not exist")
    if path.suffix.lower() in PICKLED:
        return _open_pickled(path)
    return open_safetensors(path)


def open_safetensors(path: Path) -> TensorFile:
    """As `open_tensors`, whatever the file's extension is."""
    with path.open("rb") as file:
        identity = FileIdentity.of(path, os.fstat(file.fileno()))
        header, begin = _read_header(path.name, file.read(8), identity.size, file.read)
        entries = _entries(path.name, header, identity.size - begin)
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)

    def read(key: str) -> Tensor:
        info, offset = entries[key]
        return _view(mapped, info, begin + offset)

    return TensorFile(
        identity=identity,
        tensors={key: info for key, (info, _) in entries.items()},
        metadata=_metadata(header),
        _read=read,
    )


def _read_header(name: str, length: bytes, size: int, read: Callable[[int], bytes]) -> tuple[dict[str, Any], int]:
    """The header of a safetensors file and the position of the data behind it."""
    count = struct.unpack("<Q", length)[0] if len(length) == 8 else size
    if count > min(size - 8, _LARGEST_HEADER):
        raise ModelError(f"{name} is not a safetensors file, or it is damaged: its header would be {count} bytes long")
    try:
        header = orjson.loads(read(count))
    except orjson.JSONDecodeError as error:
        raise ModelError(f"{name} is not a safetensors file, or it is damaged: {error}") from error
    if not isinstance(header, dict):
        raise ModelError(f"{name} is not a safetensors file: its header is no JSON object")
    return header, 8 + count


def _entries(name: str, header: Mapping[str, Any], size: int) -> dict[str, tuple[TensorInfo, int]]:
    """Type, shape and offset of each tensor; checks that all of them lie inside the file."""
    entries = {}
    for key, entry in header.items():
        if key == "__metadata__":
            continue
        try:
            dtype, shape, (begin, end) = _DTYPES[entry["dtype"]], tuple(entry["shape"]), entry["data_offsets"]
            length = dtype.itemsize * torch.Size(shape).numel()
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{name} is damaged or of an unknown kind: tensor {key!r} is {entry!r}") from error
        if begin < 0 or end - begin != length:
            raise ModelError(f"{name} is damaged: tensor {key!r} has {end - begin} bytes, its shape needs {length}")
        if end > size:
            raise ModelError(f"{name} is cut short: tensor {key!r} ends at byte {end}, there are {size}; copy it again")
        entries[key] = (TensorInfo(dtype, shape), begin)
    if not entries:
        raise ModelError(f"{name} holds no tensors")
    return entries


def _metadata(header: Mapping[str, Any]) -> dict[str, str]:
    metadata = header.get("__metadata__")
    return {key: str(value) for key, value in metadata.items()} if isinstance(metadata, dict) else {}


def _view(mapped: mmap.mmap, info: TensorInfo, offset: int) -> Tensor:
    count = torch.Size(info.shape).numel()
    if count == 0:
        return torch.empty(info.shape, dtype=info.dtype)
    if offset % info.dtype.itemsize:  # written by a tool that does not align: rare, and worth a copy
        data = torch.frombuffer(mapped, dtype=torch.uint8, count=count * info.dtype.itemsize, offset=offset)
        return data.clone().view(info.dtype).view(info.shape)
    return torch.frombuffer(mapped, dtype=info.dtype, count=count, offset=offset).view(info.shape)


def load_pickled(path: Path) -> Any:
    """What a pickled file holds, tensors on the CPU. No code in it runs. Raises ModelError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles of other versions: what cannot be read raises below
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, AttributeError, IndexError) as error:
        if "Unsupported" in str(error) and "GLOBAL" in str(error).upper():
            raise ModelError(
                f"{path.name} is a pickle that wants to run code, which could do anything: refused. "
                "Convert it to .safetensors on a machine that you can afford to lose"
            ) from error
        raise ModelError(f"{path.name} is damaged or no PyTorch file: {_first_line(error)}") from error


def _open_pickled(path: Path) -> TensorFile:
    identity = FileIdentity.of(path, path.stat())
    loaded = load_pickled(path)
    state = _tensors_of(loaded)
    if not state:
        raise ModelError(f"{path.name} holds no tensors")
    return _of_tensors(identity, state, {})


def from_tensors(state: Mapping[str, Tensor], metadata: Mapping[str, str], name: str) -> TensorFile:
    """Tensors in memory as if they had been opened from a file of that name, which is unlike every other."""
    return _of_tensors(FileIdentity(name, next(_numbers), 0, 0), dict(state), metadata)


_numbers = itertools.count(-1, -1)
"""Inodes of files that there are not."""


def _of_tensors(identity: FileIdentity, state: dict[str, Tensor], metadata: Mapping[str, str]) -> TensorFile:
    return TensorFile(
        identity=identity,
        tensors={key: TensorInfo(tensor.dtype, tuple(tensor.shape)) for key, tensor in state.items()},
        metadata=metadata,
        _read=state.__getitem__,
    )


def _tensors_of(loaded: Any) -> dict[str, Tensor]:
    """The tensors of an unpickled object: a state dict, one under `state_dict`, or dicts inside a dict."""
    if not isinstance(loaded, dict):
        return {}
    inner = loaded.get("state_dict")
    state: dict[str, Tensor] = {}
    for key, value in (inner if isinstance(inner, dict) else loaded).items():
        if isinstance(value, Tensor):
            state[str(key)] = value.detach()
        elif isinstance(value, dict):
            state |= {f"{key}.{name}": item.detach() for name, item in value.items() if isinstance(item, Tensor)}
    return state


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
