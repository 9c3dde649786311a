"""From mapped weights to a module: built on the meta device, weights converted tensor by tensor, then assigned."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from inglenook.engine.context import check_interrupted
from inglenook.errors import ModelError
from inglenook.models.files import TensorFile
from inglenook.models.keymap import KeyMap

Role = Literal["diffusion", "text", "vae"]


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """One network of a model file: where its weights lie and how to build it. Nothing is loaded yet."""

    name: str
    """For messages: file and part."""
    identity: Hashable
    """Equal for the same part of the same file."""
    role: Role
    build: Callable[[], nn.Module]
    """Builds the module; called with the meta device as default."""
    weights: Mapping[str, Callable[[], Tensor]]
    """Parameter name in the module -> its tensor, a view of the mapped file."""
    elements: int
    """Number of weights."""
    file_dtype: torch.dtype

    def size_bytes(self, device: torch.device) -> int:
        """Bytes that the module will take on a device."""
        return self.elements * compute_dtype(self, device).itemsize


def network(
    file: TensorFile,
    part: Role,
    keys: KeyMap,
    prefix: str,
    build: Callable[[], nn.Module],
) -> Network:
    """The network whose weights are named `prefix` plus the original names of `keys`."""
    weights: dict[str, Callable[[], Tensor]] = {}
    elements = 0
    dtype = torch.float32
    for key, info in file.tensors.items():
        name = keys.to_diffusers(key.removeprefix(prefix)) if key.startswith(prefix) else None
        if name is None:
            continue
        weights[name] = _reader(file, key, squeeze=name.rpartition(".")[0] in keys.linear)
        elements += torch.Size(info.shape).numel()
        dtype = info.dtype
    return Network(
        name=f"{file.name} ({part})",
        identity=(file.identity, part),
        role=part,
        build=build,
        weights=weights,
        elements=elements,
        file_dtype=dtype,
    )


def compute_dtype(network: Network, device: torch.device) -> torch.dtype:
    """The type in which a network computes on a device.

    On the CPU float32. On a GPU half precision: bfloat16 where the file has it and for the VAE, whose values leave
    the range of float16; text encoders are small and stay exact.
    """
    return dtype_for(network.role, device, network.file_dtype)


def dtype_for(role: Role, device: torch.device, file_dtype: torch.dtype = torch.float16) -> torch.dtype:
    """The same for any network of a role."""
    if device.type == "cpu" or role == "text":
        return torch.float32
    if role == "vae":
        return torch.bfloat16 if has_bfloat16(device) else torch.float32
    return torch.bfloat16 if file_dtype == torch.bfloat16 else torch.float16


def materialize(network: Network, device: torch.device) -> nn.Module:
    """Build a network and give it its weights on `device`, converted one tensor at a time.

    Weights that have the right type already are used where they lie, in the mapped file. Raises ModelError when
    weights are missing or have other shapes than the architecture.
    """
    with torch.device("meta"):
        module = network.build()
    expected = module.state_dict()
    missing = sorted(expected.keys() - network.weights.keys())
    if missing:
        raise ModelError(f"{network.name} lacks {len(missing)} weights, for example {missing[0]}")
    state = {}
    dtype = compute_dtype(network, device)
    with torch.no_grad():
        for name, place in expected.items():
            tensor = network.weights[name]()
            if tensor.shape != place.shape:
                raise ModelError(
                    f"{network.name}: weight {name} is {tuple(tensor.shape)}, the architecture has {tuple(place.shape)}"
                )
            state[name] = converted(tensor, network.role, dtype, device)
    module.load_state_dict(state, strict=True, assign=True)
    for _, inner in module.named_modules():
        _fill_position_ids(inner, device)
    module.requires_grad_(False)
    module.eval()
    _check_interrupts_inside(module)
    return module


def converted(tensor: Tensor, role: Role, dtype: torch.dtype, device: torch.device) -> Tensor:
    """A weight as the device computes with it. Text encoders are rounded to float16, as in ComfyUI."""
    if role == "text" and tensor.dtype != torch.float16:
        tensor = tensor.to(torch.float16)
    return tensor.to(device=device, dtype=dtype)


def _reader(file: TensorFile, key: str, *, squeeze: bool) -> Callable[[], Tensor]:
    def read() -> Tensor:
        tensor = file.tensor(key)
        return tensor.reshape(tensor.shape[:2]) if squeeze and tensor.ndim == 4 else tensor

    return read


def _fill_position_ids(module: nn.Module, device: torch.device) -> None:
    """transformers' one buffer that is in no state dict and therefore still on the meta device."""
    ids = getattr(module, "position_ids", None)
    if isinstance(ids, Tensor) and ids.is_meta:
        module.position_ids = torch.arange(ids.shape[-1], device=device).expand(ids.shape)


def _check_interrupts_inside(module: nn.Module) -> None:
    """Let a forward pass stop between its blocks: one step of a large picture on a CPU takes many seconds."""
    for name, inner in module.named_modules():
        if name.split(".")[-2:-1] and name.split(".")[-2] in _BLOCK_LISTS:
            inner.register_forward_pre_hook(lambda *_: check_interrupted())


_BLOCK_LISTS = frozenset({"resnets", "attentions", "transformer_blocks", "layers"})
"""Lists of blocks in the modules of diffusers and transformers; a block takes a small part of a step."""


def has_bfloat16(device: torch.device) -> bool:
    """Whether a CUDA device computes with bfloat16."""
    return torch.cuda.get_device_capability(device) >= (8, 0)
