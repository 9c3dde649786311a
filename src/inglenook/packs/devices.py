"""`comfy.model_management` over `models.memory`: the device of this process, what is loaded on it, how it computes.

There is one device, and models are loaded whole: the offload devices, where inputs and results wait, are the CPU.
"""

from __future__ import annotations

import gc
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import psutil
import torch
from torch import Tensor, nn

from inglenook.engine import context
from inglenook.errors import NodeError
from inglenook.models.handles import Clip, Model, Vae
from inglenook.models.load import dtype_for, has_bfloat16
from inglenook.models.memory import ModelStore
from inglenook.nodes.environment import environment
from inglenook.packs.host import host

_CPU = torch.device("cpu")
_MB = 1 << 20


class VRAMState(Enum):
    """How much of a device's memory models may take."""

    DISABLED = 0
    NO_VRAM = 1
    LOW_VRAM = 2
    NORMAL_VRAM = 3
    HIGH_VRAM = 4
    SHARED = 5


class CPUState(Enum):
    """What computes."""

    GPU = 0
    CPU = 1
    MPS = 2


def vram_state() -> VRAMState:
    return VRAMState.DISABLED if is_device_cpu(get_torch_device()) else VRAMState.NORMAL_VRAM


def cpu_state() -> CPUState:
    return CPUState.CPU if is_device_cpu(get_torch_device()) else CPUState.GPU


# Devices


def get_torch_device() -> torch.device:
    """The device that models run on."""
    return environment().models.device


def cpu_device(*_: Any, **__: Any) -> torch.device:
    """Where inputs, results and unloaded models are, whatever is asked about."""
    return _CPU


def text_encoder_device() -> torch.device:
    return get_torch_device()


def vae_device() -> torch.device:
    return get_torch_device()


def get_torch_device_name(device: torch.device) -> str:
    """The name of a device for users: `cuda:0 NVIDIA ...`, `cpu`."""
    return f"{device} {torch.cuda.get_device_name(device)}" if device.type == "cuda" else str(device)


def is_device_type(device: Any, kind: str) -> bool:
    return getattr(device, "type", None) == kind


def is_device_cpu(device: Any) -> bool:
    return is_device_type(device, "cpu")


def is_device_mps(device: Any) -> bool:
    return is_device_type(device, "mps")


def is_device_cuda(device: Any) -> bool:
    return is_device_type(device, "cuda")


def is_device_xpu(device: Any) -> bool:
    return is_device_type(device, "xpu")


def is_nvidia() -> bool:
    return cpu_state() is CPUState.GPU and torch.version.cuda is not None


def get_autocast_device(device: Any) -> str:
    return str(getattr(device, "type", "cuda"))


# How a device computes


def should_use_fp16(device: torch.device | None = None, *_: Any, **__: Any) -> bool:
    """Whether diffusion models are computed with float16."""
    return not is_device_cpu(device or get_torch_device())


def should_use_bf16(device: torch.device | None = None, *_: Any, **__: Any) -> bool:
    """Whether the device computes with bfloat16."""
    chosen = device or get_torch_device()
    return chosen.type == "cuda" and has_bfloat16(chosen)


def unet_dtype(device: torch.device | None = None, *_: Any, **__: Any) -> torch.dtype:
    """The type in which diffusion models compute."""
    return dtype_for("diffusion", device or get_torch_device())


def vae_dtype(device: torch.device | None = None, *_: Any, **__: Any) -> torch.dtype:
    """The type in which autoencoders compute."""
    return dtype_for("vae", device or get_torch_device())


def text_encoder_dtype(device: torch.device | None = None) -> torch.dtype:
    """The type in which text encoders compute."""
    return dtype_for("text", device or get_torch_device())


def dtype_size(dtype: torch.dtype) -> int:
    """Bytes of one number."""
    return dtype.itemsize


def cast_to(
    weight: Tensor,
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
    non_blocking: bool = False,
    copy: bool = False,
) -> Tensor:
    """A tensor in another type or place."""
    return weight.to(device=device, dtype=dtype, non_blocking=non_blocking, copy=copy)


def cast_to_device(tensor: Tensor, device: torch.device, dtype: torch.dtype, copy: bool = False) -> Tensor:
    """A tensor in another place and type."""
    return tensor.to(device=device, dtype=dtype, copy=copy)


def yes(*_: Any, **__: Any) -> bool:
    return True


def no(*_: Any, **__: Any) -> bool:
    return False


def device_supports_non_blocking(device: torch.device) -> bool:
    """Whether copies to a device may go on beside other work."""
    return is_device_cuda(device)


def supports_dtype(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether models may be computed in a type on a device."""
    if dtype == torch.float32:
        return True
    if dtype == torch.bfloat16:
        return should_use_bf16(device)
    return dtype == torch.float16 and not is_device_cpu(device)


def supports_fp8_compute(device: torch.device | None = None) -> bool:
    """Whether a device multiplies matrices of 8-bit floats."""
    chosen = device or get_torch_device()
    return is_device_cuda(chosen) and torch.cuda.get_device_capability(chosen) >= (8, 9)


# Memory


def get_total_memory(dev: torch.device | None = None, torch_total_too: bool = False) -> Any:
    """Bytes that a device has; with `torch_total_too` also those that torch holds."""
    device = dev or get_torch_device()
    if device.type == "cuda":
        total = int(torch.cuda.get_device_properties(device).total_memory)
        held = int(torch.cuda.memory_reserved(device))
    else:
        total = held = int(psutil.virtual_memory().total)
    return (total, held) if torch_total_too else total


def get_free_memory(dev: torch.device | None = None, torch_free_too: bool = False) -> Any:
    """Bytes that are free on a device; with `torch_free_too` also those of them that torch holds."""
    device = dev or get_torch_device()
    if device.type == "cuda":
        unused = int(torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))
        free = int(torch.cuda.mem_get_info(device)[0]) + unused
    else:
        free = unused = int(psutil.virtual_memory().available)
    return (free, unused) if torch_free_too else free


def total_vram() -> float:
    """MB."""
    return float(get_total_memory() / _MB)


def total_ram() -> float:
    """MB."""
    return psutil.virtual_memory().total / _MB


def module_size(module: nn.Module) -> int:
    """Bytes that the weights of a module take."""
    return sum(tensor.nbytes for tensor in module.state_dict().values())


def soft_empty_cache(force: bool = False) -> None:
    """Give memory that torch holds but does not use back to the device."""
    if get_torch_device().type == "cuda":
        torch.cuda.empty_cache()


def cleanup_models(*_: Any, **__: Any) -> None:
    """Collect what nobody refers to any more."""
    gc.collect()


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A network on the device."""

    identity: Hashable
    model: nn.Module
    store: ModelStore

    @property
    def device(self) -> torch.device:
        return self.store.device

    def model_memory(self) -> int:
        """Bytes that it takes."""
        return module_size(self.model)

    model_loaded_memory = model_memory

    def model_unload(self, *_: Any, **__: Any) -> bool:
        """Drop it from the device, unless it is in use; returns whether it is gone."""
        return self.store.drop(self.identity)


def current_loaded_models() -> list[LoadedModel]:
    """The networks on the device, the one used last first."""
    store = environment().models
    return [LoadedModel(identity, module, store) for identity, module in reversed(store.loaded().items())]


def load_models_gpu(models: Iterable[Model | Clip | Vae], *_: Any, **__: Any) -> None:
    """Load models onto the device. They stay while there is room, and come back when they are used."""
    for model in models:
        if not isinstance(model, (Model, Clip, Vae)):
            raise NodeError(f"cannot load {type(model).__name__}: it is no MODEL, CLIP or VAE of this server")
        with model.store.use(model.part.network):
            pass


def load_model_gpu(model: Model | Clip | Vae) -> None:
    """Load one model."""
    load_models_gpu([model])


def free_memory(
    memory_required: float, device: torch.device | None = None, keep_loaded: Collection[Any] = (), *_: Any, **__: Any
) -> list[LoadedModel]:
    """Drop networks until `memory_required` more bytes fit on the device; returns those that were dropped."""
    before = current_loaded_models()
    if device is None or device == get_torch_device():
        keep = {entry.identity for entry in keep_loaded if isinstance(entry, LoadedModel)}
        keep |= {entry.part.network.identity for entry in keep_loaded if isinstance(entry, (Model, Clip, Vae))}
        environment().models.make_room(int(memory_required), keep)
    left = environment().models.loaded()
    return [entry for entry in before if entry.identity not in left]


def unload_all_models() -> None:
    """Drop every network that is not in use."""
    environment().models.unload()


def loaded_models(only_currently_used: bool = False) -> Sequence[nn.Module]:
    """The modules on the device."""
    return [entry.model for entry in current_loaded_models()]


# Interruption


def interrupt_current_processing(value: bool = True) -> None:
    """Stop the job that runs now. There is nothing to take back: False is ignored."""
    if value:
        host().interrupt()


def processing_interrupted() -> bool:
    """Whether the run that this code serves was asked to stop."""
    running = context.current()
    return running is not None and running.is_interrupted()
