"""Weights as dicts, name -> tensor: read and written, renamed, counted. What `comfy.utils` has of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from inglenook.models.files import PICKLED, load_pickled, open_tensors

StateDict = MutableMapping[str, Any]


def load_torch_file(
    ckpt: str | Path, safe_load: bool = False, device: torch.device | None = None, return_metadata: bool = False
) -> Any:
    """The tensors of a model file; with `return_metadata` also its metadata (None where there is none).

    Pickles are read without running code in them, whatever `safe_load` says; one that holds a state dict alone, or
    under `state_dict`, gives that. Raises ModelError.
    """
    path = Path(ckpt)
    metadata: dict[str, str] | None = None
    if path.suffix.lower() in PICKLED and path.is_file():
        loaded = _unwrapped(load_pickled(path))
    else:
        file = open_tensors(path)
        loaded = {name: file.tensor(name) for name in file.tensors}
        metadata = dict(file.metadata) or None
    if device is not None:
        loaded = _moved(loaded, device)
    return (loaded, metadata) if return_metadata else loaded


def _unwrapped(loaded: Any) -> Any:
    if isinstance(loaded, dict):
        if isinstance(loaded.get("state_dict"), dict):
            return loaded["state_dict"]
        if len(loaded) == 1 and isinstance(inner := next(iter(loaded.values())), dict):
            return inner
    return loaded


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    return {name: _moved(item, device) for name, item in value.items()} if isinstance(value, dict) else value


def save_torch_file(sd: Mapping[str, Tensor], ckpt: str | Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file."""
    save_file({name: tensor.contiguous() for name, tensor in sd.items()}, ckpt, dict(metadata) if metadata else None)


def convert_sd_to(state_dict: StateDict, dtype: torch.dtype) -> StateDict:
    """Change the type of every tensor in place; returns the dict."""
    for name, tensor in state_dict.items():
        state_dict[name] = tensor.to(dtype)
    return state_dict


def safetensors_header(safetensors_path: str | Path, max_size: int = 100 << 20) -> bytes | None:
    """The header of a safetensors file as JSON; None when it is longer than `max_size`."""
    with Path(safetensors_path).open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return None if length > max_size else file.read(length)


def calculate_parameters(sd: Mapping[str, Tensor], prefix: str = "") -> int:
    """How many numbers the tensors under a prefix hold."""
    return sum(tensor.nelement() for name, tensor in sd.items() if name.startswith(prefix))


def weight_dtype(sd: Mapping[str, Tensor], prefix: str = "") -> torch.dtype | None:
    """The type that most numbers under a prefix have, None when there are none."""
    counts: Counter[torch.dtype] = Counter()
    for name, tensor in sd.items():
        if name.startswith(prefix):
            counts[tensor.dtype] += tensor.nelement()
    return counts.most_common(1)[0][0] if counts else None


def state_dict_key_replace(state_dict: StateDict, keys_to_replace: Mapping[str, str]) -> StateDict:
    """Rename tensors in place; returns the dict."""
    for old, new in keys_to_replace.items():
        if old in state_dict:
            state_dict[new] = state_dict.pop(old)
    return state_dict


def state_dict_prefix_replace(
    state_dict: StateDict, replace_prefix: Mapping[str, str], filter_keys: bool = False
) -> StateDict:
    """Exchange prefixes in place; filter_keys: take only what has one, into a new dict. Returns the dict."""
    out: StateDict = {} if filter_keys else state_dict
    for old, new in replace_prefix.items():
        for name in [name for name in state_dict if name.startswith(old)]:
            out[new + name[len(old) :]] = state_dict.pop(name)
    return out


def get_attr(obj: Any, attr: str) -> Any:
    """What a dotted name means, seen from `obj`."""
    for name in attr.split("."):
        obj = getattr(obj, name)
    return obj


def set_attr(obj: Any, attr: str, value: Any) -> Any:
    """Set what a dotted name means; returns what it was."""
    *path, last = attr.split(".")
    owner = get_attr(obj, ".".join(path)) if path else obj
    previous = getattr(owner, last)
    setattr(owner, last, value)
    return previous


def set_attr_param(obj: Any, attr: str, value: Tensor) -> Any:
    """The same, `value` becoming a parameter that is not trained."""
    return set_attr(obj, attr, nn.Parameter(value, requires_grad=False))


def copy_to_param(obj: Any, attr: str, value: Tensor) -> None:
    """Copy values into the parameter of a dotted name."""
    get_attr(obj, attr).data.copy_(value)
