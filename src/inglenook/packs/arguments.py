"""`comfy.cli_args.args`: the options of ComfyUI's command line, as the settings of this server answer them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import Any

from inglenook.nodes.environment import environment, install
from inglenook.packs.host import host
from inglenook.settings import Settings

logger = logging.getLogger(__name__)


class LatentPreviewMethod(Enum):
    """How previews are made."""

    NoPreviews = "none"
    Auto = "auto"
    Latent2RGB = "latent2rgb"
    TAESD = "taesd"


def _setting(name: str) -> Any:
    """A setting of this server; where it is not known (a script, a test) its default."""
    settings = host().settings
    return Settings.model_fields[name].default if settings is None else getattr(settings, name)


def _text(name: str) -> str | None:
    value = _setting(name)
    return None if value is None else str(value)


def _is_cpu() -> bool:
    return environment().models.device.type == "cpu"


_LIVE: dict[str, Callable[[], Any]] = {
    "listen": lambda: _setting("host"),
    "port": lambda: _setting("port"),
    "max_upload_size": lambda: _setting("max_upload_size_mb"),
    "enable_cors_header": lambda: _setting("cors_origin"),
    "base_directory": lambda: str(environment().folders.base),
    "input_directory": lambda: str(environment().folders.input),
    "output_directory": lambda: str(environment().folders.output),
    "temp_directory": lambda: str(environment().folders.temp),
    "user_directory": lambda: str(environment().folders.user),
    "cpu": _is_cpu,
    "disable_metadata": lambda: not environment().save_metadata,
    "preview_method": lambda: LatentPreviewMethod(environment().preview_method),
    "preview_size": lambda: environment().preview_size,
    "disable_all_custom_nodes": lambda: _setting("disable_all_custom_nodes"),
    "whitelist_custom_nodes": lambda: list(_setting("whitelist_custom_nodes")),
    "cache_classic": lambda: _setting("cache") == "classic",
    "cache_lru": lambda: _setting("cache_lru_size") if _setting("cache") == "lru" else 0,
    "cache_none": lambda: _setting("cache") == "none",
    "cache_ram": lambda: _setting("cache_ram_gb") if _setting("cache") == "ram" else 0,
    "multi_user": lambda: _setting("multi_user"),
    "auto_launch": lambda: _setting("auto_launch"),
    "log_stdout": lambda: _setting("log_to_stdout"),
    "enable_compress_response_body": lambda: _setting("compress_responses"),
    "tls_keyfile": lambda: _text("tls_keyfile"),
    "tls_certfile": lambda: _text("tls_certfile"),
    "front_end_root": lambda: _text("front_end_root"),
    "cuda_device": lambda: _setting("cuda_device"),
    "default_device": lambda: _setting("default_device"),
    "reserve_vram": lambda: _setting("reserve_vram_gb"),
    "verbose": lambda: str(_setting("log_level")).upper(),
}

# What ComfyUI has without the option, and what is always so here.
_FALSE = (
    "disable_auto_launch", "windows_standalone_build", "quick_test_for_ci", "dont_print_server",
    "disable_api_nodes",
    "gpu_only", "highvram", "normalvram", "lowvram", "novram", "disable_smart_memory", "async_offload", "deterministic",
    "force_fp32", "force_fp16", "fp32_unet", "fp64_unet", "bf16_unet", "fp16_unet", "fp8_e4m3fn_unet", "fp8_e5m2_unet",
    "fp16_vae", "fp32_vae", "bf16_vae", "cpu_vae", "fp8_e4m3fn_text_enc", "fp8_e5m2_text_enc", "fp16_text_enc",
    "fp32_text_enc", "bf16_text_enc", "force_channels_last", "supports_fp8_compute", "disable_ipex_optimize",
    "cuda_malloc", "disable_cuda_malloc", "use_split_cross_attention", "use_quad_cross_attention",
    "use_sage_attention", "use_flash_attention", "force_upcast_attention", "dont_upcast_attention",
    "force_non_blocking", "mmap_torch_files", "disable_mmap", "enable_manager",
    "disable_manager_ui", "enable_manager_legacy_ui", "disable_async_offload", "disable_pinned_memory",
)  # fmt: skip
_NONE = (
    "extra_model_paths_config", "directml", "oneapi_device_selector", "comfy_api_base", "database_url",
)  # fmt: skip
_OTHERS: dict[str, Any] = {
    "use_pytorch_cross_attention": True,
    "disable_xformers": True,
    "fast": frozenset(),
    "default_hashing_function": "sha256",
    "front_end_version": "",
}


class Arguments:
    """Options by name; one that is not known raises AttributeError with its name.

    Packs may set `preview_method`; of others that they set only packs see the new value, which the log says.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "preview_method":
            install(replace(environment(), preview_method=LatentPreviewMethod(value).value))
            return
        logger.warning("a pack sets the option %s to %r: inglenook itself does not follow", name, value)
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name in _LIVE:
            return _LIVE[name]()
        if name in _FALSE:
            return False
        if name in _NONE:
            return None
        if name in _OTHERS:
            return _OTHERS[name]
        raise AttributeError(f"inglenook's comfy.cli_args.args has no option {name!r} (see docs/custom-nodes.md)")


args = Arguments()
