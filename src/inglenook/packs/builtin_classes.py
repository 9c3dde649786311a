"""The built-in nodes as V1 classes, for packs that call them (`nodes.KSampler().sample(...)`) or extend them.

Made from the interface documents alone, so that importing is quick; a node's code is looked up when it is called. The
names of methods, and the order of their parameters where it is not that of the inputs, are ComfyUI's.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from inglenook.engine.catalog import Catalog
from inglenook.engine.implementation import NodeImplementation
from inglenook.engine.schema import NodeSchema
from inglenook.nodes import registry
from inglenook.nodes.environment import environment
from inglenook.nodes.interfaces import builtin_interfaces
from inglenook.packs.saving_classes import PreviewImage, SaveImage

_METHODS: Mapping[str, str] = {
    "AudioAdjustVolume": "adjust_volume",
    "AudioConcat": "concat",
    "AudioMerge": "merge",
    "BasicGuider": "get_guider",
    "BasicScheduler": "get_sigmas",
    "CFGGuider": "get_guider",
    "CLIPSetLastLayer": "set_last_layer",
    "CLIPTextEncode": "encode",
    "CheckpointLoaderSimple": "load_checkpoint",
    "ConditioningAverage": "addWeighted",
    "ConditioningCombine": "combine",
    "ConditioningConcat": "concat",
    "ConditioningSetArea": "append",
    "ConditioningSetAreaPercentage": "append",
    "ConditioningSetAreaStrength": "append",
    "ConditioningSetMask": "append",
    "ConditioningSetTimestepRange": "set_range",
    "ConditioningZeroOut": "zero_out",
    "CropMask": "crop",
    "DisableNoise": "get_noise",
    "EmptyAudio": "create_audio",
    "EmptyImage": "generate",
    "EmptyLatentImage": "generate",
    "FeatherMask": "feather",
    "FlipSigmas": "get_sigmas",
    "GetImageSize": "get_size",
    "GrowMask": "expand_mask",
    "ImageAddNoise": "repeat",
    "ImageBatch": "batch",
    "ImageBlend": "blend_images",
    "ImageBlur": "blur",
    "ImageColorToMask": "image_to_mask",
    "ImageCompositeMasked": "composite",
    "ImageCrop": "crop",
    "ImageFlip": "flip",
    "ImageFromBatch": "frombatch",
    "ImageInvert": "invert",
    "ImagePadForOutpaint": "expand_image",
    "ImageQuantize": "quantize",
    "ImageRotate": "rotate",
    "ImageScale": "upscale",
    "ImageScaleBy": "upscale",
    "ImageScaleToMaxDimension": "upscale",
    "ImageScaleToTotalPixels": "upscale",
    "ImageSharpen": "sharpen",
    "ImageStitch": "stitch",
    "ImageToMask": "image_to_mask",
    "InpaintModelConditioning": "encode",
    "InvertMask": "invert",
    "JoinImageWithAlpha": "join_image_with_alpha",
    "KSampler": "sample",
    "KSamplerAdvanced": "sample",
    "KSamplerSelect": "get_sampler",
    "LatentBatch": "batch",
    "LatentFromBatch": "frombatch",
    "LatentUpscale": "upscale",
    "LatentUpscaleBy": "upscale",
    "LoadAudio": "load",
    "LoadImage": "load_image",
    "LoadImageMask": "load_image",
    "LoadImageOutput": "load_image",
    "LoadLatent": "load",
    "MaskComposite": "combine",
    "MaskToImage": "mask_to_image",
    "ModelSamplingDiscrete": "patch",
    "Morphology": "process",
    "PorterDuffImageComposite": "composite",
    "PreviewAudio": "save_flac",
    "RandomNoise": "get_noise",
    "RebatchImages": "rebatch",
    "RecordAudio": "load",
    "RepeatImageBatch": "repeat",
    "RepeatLatentBatch": "repeat",
    "ResizeAndPadImage": "resize_and_pad",
    "SamplerCustom": "sample",
    "SamplerCustomAdvanced": "sample",
    "SaveAnimatedPNG": "save_images",
    "SaveAnimatedWEBP": "save_images",
    "SaveAudio": "save_flac",
    "SaveAudioMP3": "save_mp3",
    "SaveAudioOpus": "save_opus",
    "SaveImageWebsocket": "save_images",
    "SaveLatent": "save",
    "SetFirstSigma": "set_first_sigma",
    "SetLatentNoiseMask": "set_mask",
    "SolidMask": "solid",
    "SplitAudioChannels": "separate",
    "SplitImageWithAlpha": "split_image_with_alpha",
    "SplitSigmas": "get_sigmas",
    "SplitSigmasDenoise": "get_sigmas",
    "ThresholdMask": "image_to_mask",
    "TrimAudioDuration": "trim",
    "VAEDecode": "decode",
    "VAEDecodeTiled": "decode",
    "VAEEncode": "encode",
    "VAEEncodeForInpaint": "encode",
    "VAEEncodeTiled": "encode",
    "VAELoader": "load_vae",
    "VHS_LoadVideo": "load_video",
    "VHS_VideoCombine": "combine_video",
}
_DEFAULT_METHOD = "execute"

_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "CLIPTextEncode": ("clip", "text"),
    "VAEDecode": ("vae", "samples"),
    "VAEDecodeTiled": ("vae", "samples", "tile_size", "overlap", "temporal_size", "temporal_overlap"),
    "VAEEncode": ("vae", "pixels"),
    "VAEEncodeTiled": ("vae", "pixels", "tile_size", "overlap", "temporal_size", "temporal_overlap"),
    "VAEEncodeForInpaint": ("vae", "pixels", "mask", "grow_mask_by"),
}
"""Order of the method's parameters, where it is another than that of the inputs."""

_CHANGES_WITH_FILE = frozenset({"LoadAudio", "LoadImage", "LoadImageMask", "LoadLatent"})
"""Classes whose IS_CHANGED packs may call or inherit. Others have one of ours, for the cache, which nobody expects."""

LACKING_NODES = (
    "CLIPLoader", "CLIPVisionEncode", "CLIPVisionLoader", "CheckpointLoader", "ControlNetApply",
    "ControlNetApplyAdvanced", "ControlNetLoader", "DiffControlNetLoader", "DiffusersLoader", "DualCLIPLoader",
    "GLIGENLoader", "GLIGENTextBoxApply", "LatentBlend", "LatentComposite", "LatentCrop", "LatentFlip",
    "LatentRotate", "LoraLoader", "LoraLoaderModelOnly", "StyleModelApply", "StyleModelLoader", "UNETLoader",
    "unCLIPCheckpointLoader", "unCLIPConditioning",
)  # fmt: skip
"""Classes of ComfyUI's `nodes` that are not built in here: packs import them beside others."""

_WRITTEN: Mapping[str, type] = {"SaveImage": SaveImage, "PreviewImage": PreviewImage}
"""Classes whose attributes packs set: their code is written by hand, the description alone comes from the documents."""


def builtin_classes() -> dict[str, type]:
    """Class name -> V1 class of every built-in node, in the order of the documents."""
    return dict(_classes())


@cache
def _classes() -> dict[str, type]:
    documents = builtin_interfaces()
    return {name: _class(NodeSchema.from_info(name, document)) for name, document in documents.items()}


def display_names() -> dict[str, str]:
    """Class name -> the name that editors show."""
    return {name: str(document.get("display_name") or name) for name, document in builtin_interfaces().items()}


def _class(schema: NodeSchema) -> type:
    info, name = schema.info, schema.class_type
    written = _WRITTEN.get(name)
    attributes: dict[str, Any] = {
        "__module__": "nodes",
        "__doc__": info.get("description") or f"The built-in node {name}.",
        "INPUT_TYPES": classmethod(lambda cls: _input_types(name)),
        "RETURN_TYPES": tuple(info.get("output", ())),
        "CATEGORY": info.get("category", ""),
        **_special(schema),
    }
    if written is None:
        method = _METHODS.get(name, _DEFAULT_METHOD)
        attributes["FUNCTION"] = method
        attributes[method] = _method(schema, method)
    if name in _CHANGES_WITH_FILE:
        attributes["IS_CHANGED"] = classmethod(lambda cls, *values, **inputs: _fingerprint(schema, values, inputs))
    if schema.file_inputs:
        attributes["VALIDATE_INPUTS"] = classmethod(_validator(schema.file_inputs))
    if written is None:
        return type(name, (), attributes)
    for key, value in attributes.items():
        setattr(written, key, value)
    return written


def _special(schema: NodeSchema) -> dict[str, Any]:
    """Attributes that say nothing usual: a class that extends another one with more outputs would inherit them."""
    special: dict[str, Any] = {}
    types, names = tuple(output.type for output in schema.outputs), tuple(output.name for output in schema.outputs)
    if names != types:
        special["RETURN_NAMES"] = names
    lists = tuple(output.is_list for output in schema.outputs)
    if any(lists):
        special["OUTPUT_IS_LIST"] = lists
    if schema.is_input_list:
        special["INPUT_IS_LIST"] = True
    if schema.is_output:
        special["OUTPUT_NODE"] = True
    if schema.info.get("description"):
        special["DESCRIPTION"] = schema.info["description"]
    return special


# Calling the node


def _method(schema: NodeSchema, method: str) -> Callable[..., Any]:
    def call(self: object, *values: Any, **inputs: Any) -> Any:
        return _implementation(schema.class_type).create().run(**_named(schema, values, inputs))

    call.__name__ = method
    call.__qualname__ = f"{schema.class_type}.{method}"
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD), *_signature(schema)]
    )
    return call


def _signature(schema: NodeSchema) -> Iterator[inspect.Parameter]:
    """The parameters of a class's method; optional and hidden inputs may be left out."""
    for name in _parameters(schema):
        spec = schema.inputs.get(name)
        default = inspect.Parameter.empty if spec is not None and spec.required else None
        yield inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)


def _parameters(schema: NodeSchema) -> tuple[str, ...]:
    return (*_PARAMETERS.get(schema.class_type, schema.inputs), *schema.hidden)


def _named(schema: NodeSchema, values: Sequence[Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments by their names. Raises TypeError for too many, or for one that is given twice."""
    parameters = _parameters(schema)
    if len(values) > len(parameters):
        raise TypeError(f"{schema.class_type} takes {len(parameters)} arguments, {len(values)} were given")
    named = dict(zip(parameters, values, strict=False))
    twice = named.keys() & inputs.keys()
    if twice:
        raise TypeError(f"{schema.class_type} was given its argument {min(twice)!r} twice")
    return {**named, **inputs}


def _fingerprint(schema: NodeSchema, values: Sequence[Any], inputs: Mapping[str, Any]) -> Any:
    fingerprint = _implementation(schema.class_type).fingerprint
    assert fingerprint is not None
    return fingerprint(**_named(schema, values, inputs))


@cache
def _implementations() -> dict[str, NodeImplementation]:
    return registry.load()


def _implementation(class_type: str) -> NodeImplementation:
    return _implementations()[class_type]


# Describing the node


@cache
def _catalog() -> Catalog:
    return Catalog.from_documents(
        builtin_interfaces(),
        lambda source: environment().folders.choices(source),
        lambda name, kinds: environment().folders.input_exists(name, kinds),
    )


def _input_types(class_type: str) -> dict[str, dict[str, Any]]:
    """The inputs as V1 classes declare them, lists of files as they are now. New each time: packs add to them."""
    declared = copy.deepcopy(_catalog().object_info(class_type)[class_type]["input"])
    return {
        section: {name: spec if section == "hidden" else tuple(spec) for name, spec in specs.items()}
        for section, specs in declared.items()
    }


def _validator(file_inputs: Mapping[str, str]) -> Callable[..., bool | str]:
    """VALIDATE_INPUTS of a class that loads a file; its signature names the inputs that it looks at."""

    def validate(cls: type, *values: Any, **inputs: Any) -> bool | str:
        given = {**dict(zip(file_inputs, values, strict=False)), **inputs}
        for name, message in file_inputs.items():
            if name in given and not environment().folders.input_exists(given[name]):
                return message.format(value=given[name])
        return True

    names = ["cls", *file_inputs]
    validate.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    )
    return validate
