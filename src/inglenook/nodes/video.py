"""Videos from files, from pictures, and to files."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from torch import Tensor

from inglenook.errors import NodeError
from inglenook.media import pixels
from inglenook.media.naming import FileRef, write_output
from inglenook.media.video_encoding import AV1, VP9, encode
from inglenook.nodes.audio import Audio, waveform
from inglenook.nodes.environment import environment, scratch
from inglenook.nodes.files import content_hash, input_path
from inglenook.nodes.registry import node
from inglenook.nodes.resampling import to_numpy
from inglenook.nodes.video_values import (
    VideoCodec,
    VideoComponents,
    VideoContainer,
    VideoFromComponents,
    VideoFromFile,
    VideoInput,
    reported,
)

_WEBM = {"vp9": VP9, "av1": AV1}


def _fingerprint(file: str, **_: Any) -> str:
    return content_hash(file)


@node("LoadVideo", fingerprint=_fingerprint)
def load_video(file: str) -> tuple[VideoInput]:
    """A file, which is read when it is used."""
    video = VideoFromFile(input_path(file))
    video.get_dimensions()  # says at this node, not later, what is no video
    return (video,)


@node("GetVideoComponents")
def get_components(video: VideoInput) -> tuple[Tensor, Mapping[str, Any] | None, float]:
    parts = video.get_components()
    return parts.images, parts.audio, float(parts.frame_rate)


@node("CreateVideo")
def create_video(images: Tensor, fps: float, audio: Audio | None = None) -> tuple[VideoInput]:
    sound = None if audio is None else {"waveform": waveform(audio), "sample_rate": audio["sample_rate"]}
    return (VideoFromComponents(VideoComponents(images, Fraction(fps), sound)),)


@node("SaveVideo")
def save_video(
    video: VideoInput,
    filename_prefix: str,
    format: str,
    codec: str,
    prompt: Any = None,
    extra_pnginfo: Any = None,
) -> dict[str, Any]:
    width, height = video.get_dimensions()
    container = VideoContainer(format)
    metadata = _workflow(prompt, extra_pnginfo)
    with scratch() as target:
        video.write_to(target, container, VideoCodec(codec), metadata)
        file = write_output(
            environment().folders,
            "output",
            filename_prefix,
            VideoContainer.get_extension(container),
            target,
            width=width,
            height=height,
        )
    return shown(file)


def _workflow(prompt: Any, extra_pnginfo: Any) -> dict[str, Any] | None:
    """Tag -> value of what the file carries."""
    if not environment().save_metadata:
        return None
    extra = extra_pnginfo if isinstance(extra_pnginfo, Mapping) else {}
    return {**({} if prompt is None else {"prompt": prompt}), **extra}


@node("SaveWEBM")
def save_webm(
    images: Tensor,
    filename_prefix: str,
    codec: str,
    fps: float,
    crf: float,
    prompt: Any = None,
    extra_pnginfo: Any = None,
) -> dict[str, Any]:
    if not len(images):
        raise NodeError("SaveWEBM: there is no picture to save")
    height, width = images.shape[1:3]
    frames = reported((pixels.quantize(to_numpy(image[..., :3])) for image in images), len(images))
    text = environment().workflow_text(prompt, extra_pnginfo)
    with scratch() as target:
        encode(target, frames, Fraction(round(fps * 1000), 1000), _WEBM[codec].at_quality(crf), text=text)
        file = write_output(
            environment().folders, "output", filename_prefix, "webm", target, width=width, height=height
        )
    return shown(file)


def shown(file: FileRef) -> dict[str, Any]:
    """The ui data of a video file."""
    return {"ui": {"images": [file.as_json()], "animated": [True]}}
