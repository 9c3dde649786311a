"""Types that only links carry, by the names that packs use; some have a widget that the editor brings.

Conventions of the tensors: IMAGE [batch, height, width, channels] 0..1, MASK [batch, height, width] 0..1, LATENT a dict
with `samples`, AUDIO a dict with `waveform` [batch, channels, samples] and `sample_rate`, SIGMAS one axis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from inglenook.packs.v3.types import ComfyType, WidgetInput, comfytype, new_type

AnyType = new_type("AnyType", "*")
Image = new_type("Image", "IMAGE", Tensor)
Mask = new_type("Mask", "MASK", Tensor)
Latent = new_type("Latent", "LATENT", dict[str, Any], LatentDict=dict[str, Any])
Conditioning = new_type("Conditioning", "CONDITIONING", list[Any], CondList=list[Any])
Model = new_type("Model", "MODEL")
Clip = new_type("Clip", "CLIP")
Vae = new_type("Vae", "VAE")
ControlNet = new_type("ControlNet", "CONTROL_NET")
ClipVision = new_type("ClipVision", "CLIP_VISION")
ClipVisionOutput = new_type("ClipVisionOutput", "CLIP_VISION_OUTPUT")
StyleModel = new_type("StyleModel", "STYLE_MODEL")
Gligen = new_type("Gligen", "GLIGEN")
UpscaleModel = new_type("UpscaleModel", "UPSCALE_MODEL")
LatentUpscaleModel = new_type("LatentUpscaleModel", "LATENT_UPSCALE_MODEL")
ModelPatch = new_type("ModelPatch", "MODEL_PATCH")
LoraModel = new_type("LoraModel", "LORA_MODEL", dict[str, Any])
LossMap = new_type("LossMap", "LOSS_MAP", dict[str, Any])
Photomaker = new_type("Photomaker", "PHOTOMAKER")
AudioEncoder = new_type("AudioEncoder", "AUDIO_ENCODER")
AudioEncoderOutput = new_type("AudioEncoderOutput", "AUDIO_ENCODER_OUTPUT")

Sampler = new_type("Sampler", "SAMPLER")
Sigmas = new_type("Sigmas", "SIGMAS", Tensor)
Noise = new_type("Noise", "NOISE")
Guider = new_type("Guider", "GUIDER")
Hooks = new_type("Hooks", "HOOKS")
HookKeyframes = new_type("HookKeyframes", "HOOK_KEYFRAMES")
TimestepsRange = new_type("TimestepsRange", "TIMESTEPS_RANGE", tuple[int, int])
LatentOperation = new_type("LatentOperation", "LATENT_OPERATION", Callable[[Tensor], Tensor])
WanCameraEmbedding = new_type("WanCameraEmbedding", "WAN_CAMERA_EMBEDDING", Tensor)

Audio = new_type("Audio", "AUDIO", dict[str, Any], AudioDict=dict[str, Any])
Video = new_type("Video", "VIDEO")
SVG = new_type("SVG", "SVG")
Voxel = new_type("Voxel", "VOXEL")
Mesh = new_type("Mesh", "MESH")
File3DAny = new_type("File3DAny", "FILE_3D")
File3DGLB = new_type("File3DGLB", "FILE_3D_GLB")
File3DGLTF = new_type("File3DGLTF", "FILE_3D_GLTF")
File3DFBX = new_type("File3DFBX", "FILE_3D_FBX")
File3DOBJ = new_type("File3DOBJ", "FILE_3D_OBJ")
File3DSTL = new_type("File3DSTL", "FILE_3D_STL")
File3DUSDZ = new_type("File3DUSDZ", "FILE_3D_USDZ")
Load3D = new_type("Load3D", "LOAD_3D", dict[str, Any])
Load3DAnimation = new_type("Load3DAnimation", "LOAD_3D_ANIMATION", dict[str, Any])
Load3DCamera = new_type("Load3DCamera", "LOAD3D_CAMERA", dict[str, Any])

FlowControl = new_type("FlowControl", "FLOW_CONTROL", tuple[str, Any])
Accumulation = new_type("Accumulation", "ACCUMULATION", dict[str, Any])
Point = new_type("Point", "POINT")
FaceAnalysis = new_type("FaceAnalysis", "FACE_ANALYSIS")
BBOX = new_type("BBOX", "BBOX")
SEGS = new_type("SEGS", "SEGS")
Tracks = new_type("Tracks", "TRACKS", dict[str, Any])


@comfytype(io_type="WEBCAM")
class Webcam(ComfyType):
    Type = str
    Input = WidgetInput


class _DefaultInput(WidgetInput):
    """A widget with a default of its own and no further options."""

    own_default: Any = None

    def __init__(
        self,
        id: str,
        display_name: str | None = None,
        optional: bool = False,
        tooltip: str | None = None,
        socketless: bool | None = True,
        default: Any = None,
        **common: Any,
    ) -> None:
        chosen = self.own_default if default is None else default
        super().__init__(id, display_name, optional, tooltip, default=chosen, socketless=socketless, **common)


@comfytype(io_type="COLOR")
class Color(ComfyType):
    Type = str

    class Input(_DefaultInput):
        own_default = "#ffffff"


@comfytype(io_type="BOUNDING_BOX")
class BoundingBox(ComfyType):
    """A rectangle in pixels: `x`, `y`, `width`, `height`."""

    Type = dict[str, int]

    class Input(_DefaultInput):
        own_default: Mapping[str, int] = {"x": 0, "y": 0, "width": 512, "height": 512}


@comfytype(io_type="CURVE")
class Curve(ComfyType):
    """Points of a curve, each (x, y) in 0..1."""

    Type = list[tuple[float, float]]

    class Input(_DefaultInput):
        own_default: Sequence[tuple[float, float]] = ((0.0, 0.0), (1.0, 1.0))


@comfytype(io_type="IMAGECOMPARE")
class ImageCompare(ComfyType):
    """A widget that shows two pictures against each other."""

    Type = dict[str, Any]
    Input = _DefaultInput
