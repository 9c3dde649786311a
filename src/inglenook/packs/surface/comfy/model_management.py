"""ComfyUI's `comfy.model_management`: the device of this process and what is loaded on it."""

from __future__ import annotations

import torch

from inglenook.engine.context import InterruptProcessing as InterruptProcessingException
from inglenook.engine.context import check_interrupted as throw_exception_if_processing_interrupted
from inglenook.packs import devices as _devices
from inglenook.packs.devices import (
    CPUState,
    LoadedModel,
    VRAMState,
    cast_to,
    cast_to_device,
    cleanup_models,
    device_supports_non_blocking,
    dtype_size,
    free_memory,
    get_autocast_device,
    get_free_memory,
    get_torch_device,
    get_torch_device_name,
    get_total_memory,
    interrupt_current_processing,
    is_device_cpu,
    is_device_cuda,
    is_device_mps,
    is_device_type,
    is_device_xpu,
    is_nvidia,
    load_model_gpu,
    load_models_gpu,
    loaded_models,
    module_size,
    processing_interrupted,
    should_use_bf16,
    should_use_fp16,
    soft_empty_cache,
    supports_dtype,
    supports_fp8_compute,
    text_encoder_device,
    text_encoder_dtype,
    unet_dtype,
    unload_all_models,
    vae_device,
    vae_dtype,
)
from inglenook.packs.devices import cleanup_models as cleanup_models_gc
from inglenook.packs.devices import cpu_device as intermediate_device
from inglenook.packs.devices import cpu_device as text_encoder_initial_device
from inglenook.packs.devices import cpu_device as text_encoder_offload_device
from inglenook.packs.devices import cpu_device as unet_inital_load_device
from inglenook.packs.devices import cpu_device as unet_offload_device
from inglenook.packs.devices import cpu_device as vae_offload_device
from inglenook.packs.devices import no as flash_attention_enabled
from inglenook.packs.devices import no as force_channels_last
from inglenook.packs.devices import no as is_amd
from inglenook.packs.devices import no as is_ascend_npu
from inglenook.packs.devices import no as is_directml_enabled
from inglenook.packs.devices import no as is_intel_xpu
from inglenook.packs.devices import no as is_mlu
from inglenook.packs.devices import no as sage_attention_enabled
from inglenook.packs.devices import no as xformers_enabled
from inglenook.packs.devices import no as xformers_enabled_vae
from inglenook.packs.devices import yes as pytorch_attention_enabled
from inglenook.packs.devices import yes as pytorch_attention_enabled_vae
from inglenook.packs.surface_finder import missing

__all__ = [
    "CPUState",
    "DISABLE_SMART_MEMORY",
    "InterruptProcessingException",
    "LoadedModel",
    "OOM_EXCEPTION",
    "VRAMState",
    "XFORMERS_IS_AVAILABLE",
    "cast_to",
    "cast_to_device",
    "cleanup_models",
    "cleanup_models_gc",
    "device_supports_non_blocking",
    "directml_enabled",
    "is_ascend_npu",
    "is_mlu",
    "npu_available",
    "supports_dtype",
    "supports_fp8_compute",
    "text_encoder_initial_device",
    "xpu_available",
    "dtype_size",
    "flash_attention_enabled",
    "force_channels_last",
    "free_memory",
    "get_autocast_device",
    "get_free_memory",
    "get_torch_device",
    "get_torch_device_name",
    "get_total_memory",
    "intermediate_device",
    "interrupt_current_processing",
    "is_amd",
    "is_device_cpu",
    "is_device_cuda",
    "is_device_mps",
    "is_device_type",
    "is_device_xpu",
    "is_directml_enabled",
    "is_intel_xpu",
    "is_nvidia",
    "load_model_gpu",
    "load_models_gpu",
    "loaded_models",
    "module_size",
    "processing_interrupted",
    "pytorch_attention_enabled",
    "pytorch_attention_enabled_vae",
    "sage_attention_enabled",
    "should_use_bf16",
    "should_use_fp16",
    "soft_empty_cache",
    "text_encoder_device",
    "text_encoder_dtype",
    "text_encoder_offload_device",
    "throw_exception_if_processing_interrupted",
    "unet_dtype",
    "unet_inital_load_device",
    "unet_offload_device",
    "unload_all_models",
    "vae_device",
    "vae_dtype",
    "vae_offload_device",
    "xformers_enabled",
    "xformers_enabled_vae",
]

OOM_EXCEPTION = torch.OutOfMemoryError
XFORMERS_IS_AVAILABLE = False
directml_enabled = npu_available = xpu_available = False
DISABLE_SMART_MEMORY = False

__getattr__ = missing(
    __name__,
    {
        "current_loaded_models": _devices.current_loaded_models,
        "cpu_state": _devices.cpu_state,
        "vram_state": _devices.vram_state,
        "total_ram": _devices.total_ram,
        "total_vram": _devices.total_vram,
    },
)
