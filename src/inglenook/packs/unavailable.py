"""Names of ComfyUI's inside that packs import beside what they need, so that the rest of such a pack works.

A class of this kind may be imported, asked about with `isinstance` (nothing here is one) and derived from; making one,
asking it for an attribute or setting one is an error that names it, as is calling a function. A module that holds
nothing else refuses that its functions are replaced: nobody would call what is put there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NoReturn

from inglenook.errors import NodeError

_INSIDE: Mapping[str, str] = {
    "comfy.clip_vision": """
        ClipVisionModel Output clip_preprocess convert_to_transformers load load_clipvision_from_sd
    """,
    "comfy.controlnet": """
        ControlBase ControlLora ControlNet ControlNetFlux ControlNetSD35 StrengthType T2IAdapter
        broadcast_image_to load_controlnet load_controlnet_state_dict load_t2i_adapter
    """,
    "comfy.diffusers_convert": """
        convert_text_enc_state_dict convert_text_enc_state_dict_v20 convert_unet_state_dict
        convert_vae_state_dict
    """,
    "comfy.lora": """
        calculate_weight convert_lora load_lora model_lora_keys_clip model_lora_keys_unet weight_decompose
    """,
    "comfy.model_base": """
        AuraFlow BaseModel Chroma CosmosVideo Flux GenmoMochi HiDream HunyuanDiT HunyuanVideo IP2P LTXV
        Lumina2 ModelType PixArt QwenImage SD15_instructpix2pix SD21UNCLIP SD3 SDXL SDXLRefiner
        SDXL_instructpix2pix SVD_img2vid StableCascade_B StableCascade_C WAN21 WAN22 convert_tensor
        model_sampling sdxl_pooled
    """,
    "comfy.model_patcher": """
        AutoPatcherEjector LowVramPatch MemoryCounter ModelPatcher create_hook_patches_clone
        create_model_options_clone get_key_weight set_model_options_patch_replace
        set_model_options_post_cfg_function set_model_options_pre_cfg_function string_to_seed
        wipe_lowvram_weight
    """,
    "comfy.model_sampling": """
        CONST EDM EPS IMG_TO_IMG ModelSamplingCascadeEDM ModelSamplingContinuousEDM ModelSamplingContinuousV
        ModelSamplingDiscrete ModelSamplingDiscreteFlow ModelSamplingFlux StableCascadeSampling V_PREDICTION
        X0 flux_time_shift rescale_zero_terminal_snr_sigmas time_snr_shift
    """,
}
"""Module -> its names; those of classes begin with a capital letter."""


def _sentence(name: str) -> str:
    return f"inglenook has no {name} (see docs/custom-nodes.md)"


class _Unavailable(type):
    """The type of such classes; what is derived from one cannot be made either."""

    unavailable: str

    def __call__(cls, *_: Any, **__: Any) -> NoReturn:
        raise NodeError(_sentence(cls.unavailable))

    def __getattr__(cls, name: str) -> NoReturn:
        raise AttributeError(_sentence(f"{cls.unavailable}.{name}"))

    def __setattr__(cls, name: str, value: Any) -> None:
        if "unavailable" in vars(cls) and not name.startswith("__"):
            raise AttributeError(f"{_sentence(cls.unavailable)}: {name} would be put into nothing")
        super().__setattr__(name, value)


def unavailable_class(module: str, name: str) -> type:
    """A class that is there to be imported."""
    return _Unavailable(name, (), {"__module__": module, "unavailable": f"{module}.{name}"})


def unavailable_node(module: str, name: str) -> type:
    """The same for a V1 node class: a class derived from it without inputs of its own is left out of its pack."""

    def input_types(cls: type) -> NoReturn:
        raise NodeError(_sentence(f"{module}.{name}"))

    attributes = {"__module__": module, "unavailable": f"{module}.{name}", "INPUT_TYPES": classmethod(input_types)}
    return _Unavailable(name, (), attributes)


def unavailable_function(module: str, name: str) -> Callable[..., NoReturn]:
    """A function that is there to be imported."""

    def function(*_: Any, **__: Any) -> NoReturn:
        raise NodeError(_sentence(f"{module}.{name}"))

    function.__name__ = function.__qualname__ = name
    function.__module__ = module
    return function


class _Closed(ModuleType):
    """A module of such names alone."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("__"):
            raise AttributeError(f"{_sentence(self.__name__)}: {name} would be put into nothing")
        super().__setattr__(name, value)


def fill(module: str) -> None:
    """Make the surface module `module`, which is being imported, one of such names alone."""
    itself = sys.modules[module]
    for name in _INSIDE[module].split():
        vars(itself)[name] = (unavailable_class if name[0].isupper() else unavailable_function)(module, name)
    itself.__class__ = _Closed
