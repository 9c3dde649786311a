"""The classes of `comfy_extras.nodes_*`: our built-in nodes of those modules, the others as names alone.

Which built-in class belongs to which module, its interface document says. A few have another name in their module than
in workflows.
"""

from __future__ import annotations

from collections.abc import Mapping

from inglenook.nodes.interfaces import builtin_interfaces
from inglenook.packs.builtin_classes import builtin_classes
from inglenook.packs.unavailable import unavailable_node

_NAMES: Mapping[str, Mapping[str, str]] = {
    "comfy_extras.nodes_post_processing": {
        "Blend": "ImageBlend",
        "Blur": "ImageBlur",
        "Quantize": "ImageQuantize",
        "Sharpen": "ImageSharpen",
    },
    "comfy_extras.nodes_rebatch": {"ImageRebatch": "RebatchImages"},
}
"""Module -> name there -> class in workflows."""

_UNAVAILABLE: Mapping[str, tuple[str, ...]] = {
    "comfy_extras.nodes_clip_sdxl": ("CLIPTextEncodeSDXL", "CLIPTextEncodeSDXLRefiner"),
    "comfy_extras.nodes_custom_sampler": (
        "AddNoise", "BetaSamplingScheduler", "DualCFGGuider", "ExponentialScheduler", "KarrasScheduler",
        "LaplaceScheduler", "PolyexponentialScheduler", "SDTurboScheduler", "SamplerDPMPP_2M_SDE",
        "SamplerDPMPP_3M_SDE", "SamplerDPMPP_SDE", "SamplerEulerAncestral", "SamplerLMS", "VPScheduler",
    ),
    "comfy_extras.nodes_latent": (
        "LatentAdd", "LatentApplyOperation", "LatentBatchSeedBehavior", "LatentConcat", "LatentCut",
        "LatentInterpolate", "LatentMultiply", "LatentSubtract",
    ),
    "comfy_extras.nodes_mask": ("LatentCompositeMasked",),
    "comfy_extras.nodes_model_advanced": (
        "ModelSamplingAuraFlow", "ModelSamplingContinuousEDM", "ModelSamplingFlux", "ModelSamplingSD3", "RescaleCFG",
    ),
    "comfy_extras.nodes_rebatch": ("LatentRebatch",),
    "comfy_extras.nodes_upscale_model": ("ImageUpscaleWithModel", "UpscaleModelLoader"),
}  # fmt: skip


def classes_of(module: str) -> dict[str, type]:
    """Name -> class of what packs import from a module of comfy_extras."""
    builtin = builtin_classes()
    mine = {
        name: builtin[name] for name, document in builtin_interfaces().items() if document["python_module"] == module
    }
    renamed = {name: builtin[class_type] for name, class_type in _NAMES.get(module, {}).items()}
    lacking = (name for name in _UNAVAILABLE.get(module, ()) if name not in mine)
    return {**{name: unavailable_node(module, name) for name in lacking}, **mine, **renamed}
