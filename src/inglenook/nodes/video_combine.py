"""VHS_VideoCombine: pictures, and perhaps sound, as a video or an animated picture.

The interface is the one that workflows know from ComfyUI-VideoHelperSuite; a pack that brings the class itself takes
its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from inglenook.errors import NodeError
from inglenook.media import animation, pixels, png
from inglenook.media.folders import FileKind
from inglenook.media.naming import FileRef, write_output
from inglenook.media.scratch import Scratch
from inglenook.media.video_encoding import AV1, FFV1, H264, H265, PRORES, VP9, Track, VideoFormat, encode
from inglenook.models.handles import Vae
from inglenook.models.vae import decode_latents
from inglenook.nodes.audio import Audio, waveform
from inglenook.nodes.environment import environment, scratch
from inglenook.nodes.registry import node
from inglenook.nodes.resampling import to_numpy
from inglenook.nodes.video_values import reported

_VIDEOS: Mapping[str, VideoFormat] = {
    "video/h264-mp4": replace(H264, crf=19),
    "video/h265-mp4": replace(H265, crf=22),
    "video/webm": replace(VP9, crf=20),
    "video/av1-webm": replace(AV1, crf=23),
    "video/ProRes": PRORES,
    "video/ffv1-mkv": FFV1,
}
_PIXEL_FORMATS: Mapping[str, tuple[str, ...]] = {
    "video/h264-mp4": ("yuv420p", "yuv420p10le", "yuv444p", "yuv444p10le"),
    "video/h265-mp4": ("yuv420p", "yuv420p10le", "yuv444p", "yuv444p10le"),
    "video/webm": ("yuv420p", "yuva420p", "yuv444p"),
    "video/av1-webm": ("yuv420p", "yuv420p10le"),
}
"""Format -> how its pixels may be stored."""
_FFV1_FORMATS = {"rgb24": "bgr0", "bgra": "bgra"}
_PRORES_PROFILES: Mapping[str, tuple[str, str]] = {
    "lt": ("1", "yuv422p10le"),
    "standard": ("2", "yuv422p10le"),
    "hq": ("3", "yuv422p10le"),
    "4444": ("4", "yuva444p10le"),
    "4444xq": ("5", "yuva444p10le"),
}
_WITH_ALPHA = ("yuva", "bgra")
_GIFS = ("image/gif", "video/ffmpeg-gif")


@dataclass(frozen=True, slots=True)
class _Film:
    """Pictures in the order in which they are shown."""

    images: Tensor
    order: list[int]
    frame_rate: Fraction

    def frames(self, channels: int) -> Iterator[NDArray[np.uint8]]:
        shown = (pixels.quantize(to_numpy(self.images[number, ..., :channels])) for number in self.order)
        return reported(shown, len(self.order))


@node("VHS_VideoCombine")
def combine_video(
    images: Any,
    frame_rate: float,
    loop_count: int,
    filename_prefix: str,
    format: str,
    pingpong: bool,
    save_output: bool,
    audio: Audio | None = None,
    vae: Vae | None = None,
    crf: float | None = None,
    pix_fmt: str | None = None,
    save_metadata: bool = True,
    trim_to_audio: bool = False,
    prompt: Any = None,
    extra_pnginfo: Any = None,
    **of_format: Any,
) -> dict[str, Any]:
    pictures = _pictures(images, vae)
    film = _film(pictures, frame_rate, pingpong, audio if trim_to_audio else None)
    text = environment().workflow_text(prompt, extra_pnginfo) if save_metadata else {}
    with scratch() as target:
        if format in _VIDEOS:
            form = _video_format(format, crf, pix_fmt, of_format)
            extension = form.extension
            looped = replace(film, order=film.order * (loop_count + 1))
            _encode_video(target, looped, form, audio, text)
        else:
            extension = "gif" if format in _GIFS else "webp"
            _encode_picture(target, film, extension, loop_count, of_format, text)
        return _place(target, extension, film, filename_prefix, format, save_output, text)


def _pictures(images: Any, vae: Vae | None) -> Tensor:
    if isinstance(images, Mapping):
        if vae is None:
            raise NodeError("VHS_VideoCombine was given a latent: connect vae, or put a VAEDecode between")
        images = decode_latents(vae, images["samples"])
    if not isinstance(images, Tensor) or images.ndim != 4 or not len(images):
        raise NodeError("VHS_VideoCombine: images must be a batch of pictures with at least one in it")
    return images


def _film(images: Tensor, frame_rate: float, pingpong: bool, ends_with: Audio | None) -> _Film:
    if not isinstance(frame_rate, (int, float)) or not 0 < frame_rate <= 1000:
        raise NodeError(f"VHS_VideoCombine: frame_rate is {frame_rate!r}; it must be a number up to 1000")
    rate = Fraction(frame_rate).limit_denominator(1001)
    order = [*range(len(images))]
    if pingpong:
        order += order[-2:0:-1]
    if ends_with is not None:
        length_s = waveform(ends_with).shape[-1] / ends_with["sample_rate"]
        order = order[: max(round(length_s * rate), 1)]
    return _Film(images, order, rate)


def _video_format(name: str, crf: float | None, pix_fmt: str | None, of_format: Mapping[str, Any]) -> VideoFormat:
    form = _VIDEOS[name].at_quality(crf)
    if name == "video/ProRes":
        profile = str(of_format.get("profile", "hq"))
        if profile not in _PRORES_PROFILES:
            raise NodeError(f"VHS_VideoCombine: unknown profile {profile!r}; use {', '.join(_PRORES_PROFILES)}")
        number, stored = _PRORES_PROFILES[profile]
        return replace(form, options={**form.options, "profile": number}, pixel_format=stored)
    if name == "video/ffv1-mkv":
        return replace(form, pixel_format=_FFV1_FORMATS.get(pix_fmt or "", form.pixel_format))
    known = _PIXEL_FORMATS[name]
    if pix_fmt is not None and pix_fmt not in known:
        raise NodeError(f"VHS_VideoCombine: {name} cannot store pix_fmt {pix_fmt!r}; use {', '.join(known)}")
    return form if pix_fmt is None else replace(form, pixel_format=pix_fmt)


def _encode_video(
    target: Scratch, film: _Film, form: VideoFormat, audio: Audio | None, text: Mapping[str, str]
) -> None:
    has_alpha = film.images.shape[-1] == 4 and form.pixel_format.startswith(_WITH_ALPHA)
    sound = None if audio is None else _sound(audio, Fraction(len(film.order)) / film.frame_rate)
    encode(target, film.frames(4 if has_alpha else 3), film.frame_rate, form, sound=sound, text=text)


def _sound(audio: Audio, length_s: Fraction) -> Track:
    """The first sound of the batch, cut or continued in silence to the length of the pictures."""
    wave, rate = waveform(audio)[0], int(audio["sample_rate"])
    samples = round(length_s * rate)
    return Track(to_numpy(F.pad(wave[:, :samples], (0, max(samples - wave.shape[-1], 0)))), rate)


def _encode_picture(
    target: Scratch,
    film: _Film,
    extension: str,
    loop_count: int,
    of_format: Mapping[str, Any],
    text: Mapping[str, str],
) -> None:
    frames, rate = [*film.frames(4)], float(film.frame_rate)
    if extension == "gif":
        animation.encode_gif(target, frames, rate, loops=loop_count)
    else:
        lossless = bool(of_format.get("lossless", True))
        animation.encode_webp(target, frames, rate, lossless=lossless, loops=loop_count, text=text)


def _place(
    target: Scratch, extension: str, film: _Film, prefix: str, format: str, save_output: bool, text: Mapping[str, str]
) -> dict[str, Any]:
    """Give the file its name, and write a picture of its first frame beside it that carries the workflow, too."""
    kind: FileKind = "output" if save_output else "temp"
    folders, (height, width) = environment().folders, film.images.shape[1:3]
    first = png.encode(pixels.quantize(to_numpy(film.images[0])), text=text)
    picture = write_output(folders, kind, prefix, "png", first, width=width, height=height)
    file = write_output(folders, kind, prefix, extension, target, width=width, height=height, beside=picture)
    shown = {
        **file.as_json(),
        "format": format,
        "frame_rate": float(film.frame_rate),
        "workflow": picture.filename,
        "fullpath": f"{file.type}/{_relative(file)}",  # where the folder lies on the server is nobody's business
    }
    paths = [str(folders.directory(kind) / _relative(one)) for one in (picture, file)]
    return {"ui": {"gifs": [shown]}, "result": ((save_output, paths),)}


def _relative(file: FileRef) -> str:
    return f"{file.subfolder}/{file.filename}" if file.subfolder else file.filename
