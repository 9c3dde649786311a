"""ComfyUI's `comfy.utils`: progress, weights, resizing."""

from __future__ import annotations

from inglenook.nodes.bislerp import bislerp
from inglenook.nodes.resampling import lanczos
from inglenook.packs.progress import ProgressBar, set_progress_bar_enabled, set_progress_bar_global_hook
from inglenook.packs.progress import hook as _hook
from inglenook.packs.progress import is_enabled as _is_enabled
from inglenook.packs.state_dicts import (
    calculate_parameters,
    convert_sd_to,
    copy_to_param,
    get_attr,
    load_torch_file,
    safetensors_header,
    save_torch_file,
    set_attr,
    set_attr_param,
    state_dict_key_replace,
    state_dict_prefix_replace,
    weight_dtype,
)
from inglenook.packs.surface_finder import missing
from inglenook.packs.tensors import (
    common_upscale,
    get_tiled_scale_steps,
    repeat_to_batch_size,
    reshape_mask,
    resize_to_batch_size,
    tiled_scale,
)

__all__ = [
    "ProgressBar",
    "bislerp",
    "calculate_parameters",
    "common_upscale",
    "convert_sd_to",
    "copy_to_param",
    "get_attr",
    "get_tiled_scale_steps",
    "lanczos",
    "load_torch_file",
    "repeat_to_batch_size",
    "reshape_mask",
    "resize_to_batch_size",
    "safetensors_header",
    "save_torch_file",
    "set_attr",
    "set_attr_param",
    "set_progress_bar_enabled",
    "set_progress_bar_global_hook",
    "state_dict_key_replace",
    "state_dict_prefix_replace",
    "tiled_scale",
    "weight_dtype",
]

__getattr__ = missing(
    __name__,
    {
        "PROGRESS_BAR_HOOK": _hook,
        "PROGRESS_BAR_ENABLED": _is_enabled,
    },
)
