"""Options of ComfyUI's command line that mean nothing here: `serve` takes them, so that start scripts keep working.

What they ask for is either always so (models move between memory and device as room allows), decided elsewhere, or not
there at all. A server that was given some names them in one warning.
"""

from __future__ import annotations

from typing import Literal

Values = Literal["none", "one", "some"]
"""What follows an option: nothing, one value, or any number of values, also none."""


def _all(values: Values, names: str) -> dict[str, Values]:
    return dict.fromkeys(names.split(), values)


IGNORED: dict[str, Values] = {
    # Devices
    **_all("none", "--cuda-malloc --disable-cuda-malloc --disable-ipex-optimize --force-channels-last"),
    **_all("some", "--directml"),
    **_all("one", "--oneapi-device-selector"),
    # Number formats
    **_all("none", "--force-fp32 --force-fp16 --fp16-intermediates --supports-fp8-compute --cpu-vae"),
    **_all("none", "--fp32-unet --fp64-unet --bf16-unet --fp16-unet"),
    **_all("none", "--fp8_e4m3fn-unet --fp8_e5m2-unet --fp8_e8m0fnu-unet"),
    **_all("none", "--fp16-vae --fp32-vae --bf16-vae"),
    **_all("none", "--fp8_e4m3fn-text-enc --fp8_e5m2-text-enc --fp16-text-enc --fp32-text-enc --bf16-text-enc"),
    # Attention
    **_all("none", "--use-split-cross-attention --use-quad-cross-attention --use-pytorch-cross-attention"),
    **_all("none", "--use-sage-attention --use-flash-attention --disable-xformers"),
    **_all("none", "--force-upcast-attention --dont-upcast-attention"),
    # Memory
    **_all("none", "--gpu-only --highvram --normalvram --lowvram --novram --disable-smart-memory"),
    **_all("none", "--enable-dynamic-vram --disable-dynamic-vram --disable-pinned-memory"),
    **_all("some", "--async-offload"),
    **_all("none", "--disable-async-offload --force-non-blocking --mmap-torch-files --disable-mmap"),
    # Speed
    **_all("none", "--deterministic --enable-triton-backend"),
    **_all("some", "--fast"),
    # What ComfyUI has beside its server
    **_all("none", "--dont-print-server --disable-api-nodes"),
    **_all("none", "--enable-manager --disable-manager-ui --enable-manager-legacy-ui"),
    **_all("one", "--default-hashing-function --comfy-api-base --front-end-version"),
}
"""Option -> what follows it."""


def names(*values: Values) -> list[str]:
    """The options that one of these follows."""
    return [name for name, follows in IGNORED.items() if follows in values]


def warning(given: list[str]) -> str:
    """Say which options had no effect."""
    return f"these options of ComfyUI change nothing here: {', '.join(dict.fromkeys(given))}"
