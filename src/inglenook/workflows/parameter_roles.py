"""What an input of a node is for, told from its name, its type and what its class takes and gives."""

from __future__ import annotations

import re
from collections.abc import Mapping

from inglenook.engine.catalog import Catalog
from inglenook.engine.schema import ChoiceSource, InputSpec
from inglenook.workflows.aliases import is_sampler_list, is_scheduler_list
from inglenook.workflows.parameter_nodes import CONDITIONING, GraphNode, is_wild, widget_kind

NUMBERS = frozenset({"INT", "FLOAT"})
_CHOICES = frozenset({"COMBO", "STRING"})
_LENGTH = frozenset({"INT", "FLOAT", "COMBO"})

_BY_NAME: Mapping[str, tuple[str, frozenset[str]]] = {
    name: (role, kinds)
    for role, kinds, names in (
        ("seed", frozenset({"INT"}), "seed noise_seed rand_seed random_seed"),
        ("steps", frozenset({"INT"}), "steps num_steps num_inference_steps inference_steps sampling_steps"),
        ("cfg", NUMBERS, "cfg cfg_scale guidance_scale cfg_conds cfg_value"),
        ("guidance", NUMBERS, "guidance embedded_guidance_scale flux_guidance"),
        ("denoise", NUMBERS, "denoise denoise_strength denoising_strength"),
        ("width", frozenset({"INT"}), "width empty_latent_width image_width"),
        ("height", frozenset({"INT"}), "height empty_latent_height image_height"),
        ("batch_size", frozenset({"INT"}), "batch_size n num_images number_of_images num_samples image_count"),
        ("checkpoint", _CHOICES, "ckpt_name checkpoint ckpt"),
        ("diffusion_model", _CHOICES, "unet_name unet diffusion_model diffusion_model_name gguf_name"),
        ("frame_rate", NUMBERS, "fps frame_rate framerate"),
        (
            "length",
            _LENGTH,
            "length video_length num_frames frames video_frames frame_count total_frames duration seconds"
            " duration_seconds seconds_total audio_length",
        ),
        ("lyrics", frozenset({"STRING"}), "lyrics"),
        ("output_prefix", frozenset({"STRING"}), "filename_prefix output_prefix file_prefix"),
    )
    for name in names.split()
}
_SAMPLERS = frozenset({"sampler_name", "sampler"})
_LORA = re.compile(r"lora(_name)?(_?\d+)?")
_LORA_STRENGTH = re.compile(r"(lora_)?(strength|weight)(_model)?(_?\d+)?|(lora_)?model_(strength|weight)(_?\d+)?")
_LORA_CLIP_STRENGTH = re.compile(r"(lora_)?strength_clip(_?\d+)?|(lora_)?clip_(strength|weight)(_?\d+)?")
_SPEECH_CLASS = re.compile(r"tts|speech|speak|voice|narrat|kokoro|bark", re.I)
_SPEECH_NAMES = frozenset({"text", "speech", "prompt", "target_text", "text_input", "script", "input_text"})
_UPLOADS = {
    "image_upload": "image",
    "animated_image_upload": "image",
    "video_upload": "video",
    "audio_upload": "audio",
    "file_upload": "file",
}
_LOADER = re.compile(r"load_?(image|mask|video|audio)|(image|mask|video|audio)_?(load|input)", re.I)
_FILE_INPUTS = frozenset({"image", "mask", "video", "audio", "file"})
_MODEL_FOLDERS = {
    "checkpoints": "checkpoint",
    "diffusion_models": "diffusion_model",
    "unet": "diffusion_model",
    "unet_gguf": "diffusion_model",
    "loras": "lora",
}
_MOST_USES = 300
"""Links that are followed from one value to tell its role."""
_NOT_A_SIZE = frozenset({"MODEL", CONDITIONING})
_SIZES_ONLY_INSIDE = re.compile(r"ModelSampling|CLIPTextEncode|Conditioning")
"""Classes whose sizes are not those of a picture that is made, for where no worker says what they give."""
_PICTURES = frozenset({"IMAGE", "MASK"})

_TITLES = {
    role: frozenset(titles.split("|"))
    for role, titles in {
        "positive_prompt": "prompt|positive prompt|positive|user prompt|正面提示词|正向提示词|正向提示|提示词|正面",
        "negative_prompt": "negative prompt|negative|负面提示词|负向提示词|反向提示词|负面",
        "seed": "seed|noise seed|random seed|种子|随机种子|噪波种子",
        "steps": "steps|step|sampling steps|步数|采样步数|迭代步数",
        "cfg": "cfg|cfg scale|提示词引导系数|引导系数|提示词相关性",
        "guidance": "guidance|引导",
        "denoise": "denoise|降噪|重绘幅度|去噪强度|降噪强度",
        "width": "width|宽度|宽|图像宽度",
        "height": "height|高度|高|图像高度",
        "batch_size": "batch|batch size|批量大小|批次大小|数量|生成数量",
        "length": "length|frames|frame count|duration|seconds|长度|时长|帧数|总帧数|视频长度",
        "frame_rate": "fps|frame rate|帧率",
    }.items()
}
_TITLE_KINDS = {
    "positive_prompt": frozenset({"STRING"}),
    "negative_prompt": frozenset({"STRING"}),
}


def role_of(node: GraphNode, spec: InputSpec) -> str | None:
    """The role of an input by itself; None when its name and type say nothing. Prompts: see `prompts`."""
    kind = widget_kind(spec)
    if kind is None:
        return None
    name = spec.name.rpartition(".")[2].lower()
    folder = _model_folder(spec)
    if folder is not None:
        return folder
    if kind in _CHOICES and _LORA.fullmatch(name):
        return "lora"
    if kind == "STRING" and name in _SPEECH_NAMES and is_speech(node):
        return "tts_text"
    if kind in NUMBERS and _has_lora(node):
        if _LORA_CLIP_STRENGTH.fullmatch(name):
            return "lora_clip_strength"
        if _LORA_STRENGTH.fullmatch(name):
            return "lora_strength"
    if kind == "COMBO" and (name in _SAMPLERS or _is_list(spec, is_sampler_list, "samplers")):
        return "sampler"
    if kind == "COMBO" and (name == "scheduler" or _is_list(spec, is_scheduler_list, "schedulers")):
        return "scheduler"
    if kind == "INT" and ((spec.options.get("control_after_generate") and "seed" in name) or name.endswith("_seed")):
        return "seed" if _adds_noise(node) else None
    role, kinds = _BY_NAME.get(name, (None, frozenset[str]()))
    return role if role is not None and kind in kinds and _fits(node, role, name) else None


def _fits(node: GraphNode, role: str, name: str) -> bool:
    given = frozenset(node.output_types)
    if role == "seed":
        return _adds_noise(node)
    if role in ("width", "height"):
        return not given <= _NOT_A_SIZE if given else not _SIZES_ONLY_INSIDE.match(node.class_type)
    if role == "length":
        # Of a list of pictures that exists already it says which part to take.
        return not (given and given <= _PICTURES and _takes_pictures(node) and name in ("length", "frames"))
    return True


def _takes_pictures(node: GraphNode) -> bool:
    return any(spec.type in _PICTURES for spec in node.specs.values())


def _adds_noise(node: GraphNode) -> bool:
    """Whether a sampler uses its seed: one that goes on with the noise of another does not."""
    return node.constant("add_noise") not in ("disable", False)


def _has_lora(node: GraphNode) -> bool:
    return any(
        _LORA.fullmatch(name.rpartition(".")[2]) or _model_folder(spec) == "lora" for name, spec in node.specs.items()
    )


def _model_folder(spec: InputSpec) -> str | None:
    source = spec.choices
    if isinstance(source, ChoiceSource) and source.kind == "files":
        return next((_MODEL_FOLDERS[key] for key in source.key.split(",") if key in _MODEL_FOLDERS), None)
    return None


def _is_list(spec: InputSpec, check: object, key: str) -> bool:
    declared = spec.choices
    if isinstance(declared, ChoiceSource):
        return declared.kind == "names" and declared.key == key
    return callable(check) and bool(check(declared or ()))


def is_speech(node: GraphNode) -> bool:
    """Whether a node speaks a text."""
    return bool(_SPEECH_CLASS.search(node.class_type)) and (not node.output_types or "AUDIO" in node.output_types)


def media_of(node: GraphNode, spec: InputSpec) -> str | None:
    """The role of an input that names a file of the input folder: image, mask, audio, video or file; else None."""
    kind = widget_kind(spec)
    if kind not in ("COMBO", "STRING"):
        return None
    found = _declared_media(spec) if kind == "COMBO" else None
    if found is None:
        match = _LOADER.search(node.class_type)
        if match is None or spec.name not in _FILE_INPUTS or not (kind == "COMBO" or node.schema is None):
            return None
        found = (match[1] or match[2]).lower()
    if found == "image" and (set(node.output_types) == {"MASK"} or node.class_type == "LoadImageMask"):
        return "mask"
    return found


def _declared_media(spec: InputSpec) -> str | None:
    """What the class says: by the flag that the editor's upload button goes by, else by the files that it lists."""
    flagged = next((kind for flag, kind in _UPLOADS.items() if spec.options.get(flag)), None)
    source = spec.choices
    if flagged is None and isinstance(source, ChoiceSource) and source.kind == "input":
        return source.key if source.key in ("image", "audio", "video") else "file"
    return flagged


def role_by_title(title: str, kind: str) -> str | None:
    """The role that the title of a node with one value names."""
    folded = " ".join(title.casefold().replace("_", " ").split())
    for role, titles in _TITLES.items():
        if folded in titles and kind in _TITLE_KINDS.get(role, NUMBERS):
            return role
    return None


def role_by_consumers(node: GraphNode, nodes: Mapping[str, GraphNode], kind: str) -> str | None:
    """The role that a value has where it goes, through nodes that pass values on."""
    waiting, seen, left = [node.id], {node.id}, _MOST_USES
    while waiting and left > 0:
        uses = nodes[waiting.pop(0)].consumers[:left]
        left -= len(uses)
        for consumer_id, name in uses:
            consumer = nodes[consumer_id]
            spec = consumer.specs.get(name)
            if spec is None:
                continue
            role = role_of(consumer, spec)
            if role is not None and _agree(kind, widget_kind(spec)):
                return role
            if consumer.passes_values and consumer_id not in seen:
                seen.add(consumer_id)
                waiting.append(consumer_id)
    return None


def _agree(kind: str, wanted: str | None) -> bool:
    return kind == wanted or {kind, wanted} <= NUMBERS or is_wild(kind) or "STRING" in (kind, wanted)


def options_of(spec: InputSpec, catalog: Catalog) -> tuple[object, ...] | None:
    """The choices of an input; None where there are none, or none are known."""
    declared = spec.choices
    if declared is None:
        return None
    found = catalog.choices(declared) if isinstance(declared, ChoiceSource) else declared
    return tuple(found)
