"""Helpers that nodes call to write pictures and sound, with the workflow inside, and to say so to the editor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from inglenook.media import animation, pixels
from inglenook.media.folders import FileKind
from inglenook.media.metadata import workflow_text
from inglenook.media.naming import FileRef, write_output
from inglenook.media.scratch import Scratch
from inglenook.nodes.audio import save_sound
from inglenook.nodes.environment import environment, scratch
from inglenook.nodes.image import save_pictures
from inglenook.nodes.resampling import to_numpy
from inglenook.packs.v3.options import FolderType, value_of
from inglenook.packs.v3.payloads import SavedAudios, SavedImages, SavedResult


def workflow_of(node_class: Any) -> dict[str, str]:
    """What files of a node carry, by its class's hidden values: nothing without a class, or when it is switched off."""
    hidden = getattr(node_class, "hidden", None)
    if hidden is None or not environment().save_metadata:
        return {}
    return workflow_text(hidden.prompt, hidden.extra_pnginfo)


def pictures(images: Any) -> list[Any]:
    """The pictures [height, width, channels] of a batch, or of one picture without a batch axis."""
    if isinstance(images, Tensor) and images.ndim == 3:
        images = images[None]
    return [*images]


def saved(file: FileRef) -> SavedResult:
    """A written file as nodes hand it on."""
    return SavedResult(file.filename, file.subfolder, FolderType(file.type))


def _kind(folder: Any) -> FileKind:
    kind: FileKind = FolderType(value_of(folder)).value
    return kind


class ImageSaveHelper:
    """Saves pictures. images: [batch, height, width, channels], 0..1; cls: the node class, for the workflow."""

    @staticmethod
    def save_images(
        images: Iterable[Tensor], filename_prefix: str, folder_type: FolderType, cls: Any, compress_level: int = 4
    ) -> list[SavedResult]:
        """Write each picture as a PNG file."""
        files = save_pictures(
            pictures(images), _kind(folder_type), filename_prefix, workflow_of(cls), level=compress_level
        )
        return [saved(file) for file in files]

    @staticmethod
    def get_save_images_ui(
        images: Iterable[Tensor], filename_prefix: str, cls: Any, compress_level: int = 4
    ) -> SavedImages:
        """Write each picture as a PNG file into the output folder; the data for the editor."""
        return SavedImages(ImageSaveHelper.save_images(images, filename_prefix, FolderType.output, cls, compress_level))

    @staticmethod
    def save_animated_png(
        images: Iterable[Tensor],
        filename_prefix: str,
        folder_type: FolderType,
        cls: Any,
        fps: float,
        compress_level: int = 4,
    ) -> SavedResult:
        """Write all pictures into one animated PNG."""
        frames = _frames(images)
        with scratch() as target:
            animation.encode_png(target, frames, fps, level=compress_level, text=workflow_of(cls))
            return _write(frames, folder_type, filename_prefix, "png", target)

    @staticmethod
    def get_save_animated_png_ui(
        images: Iterable[Tensor], filename_prefix: str, cls: Any, fps: float, compress_level: int = 4
    ) -> SavedImages:
        """The same into the output folder; the data for the editor."""
        result = ImageSaveHelper.save_animated_png(images, filename_prefix, FolderType.output, cls, fps, compress_level)
        return SavedImages([result], is_animated=True)

    @staticmethod
    def save_animated_webp(
        images: Iterable[Tensor],
        filename_prefix: str,
        folder_type: FolderType,
        cls: Any,
        fps: float,
        lossless: bool = True,
        quality: int = 80,
        method: int = 4,
    ) -> SavedResult:
        """Write all pictures into one animated WebP."""
        frames = _frames(images)
        with scratch() as target:
            animation.encode_webp(
                target, frames, fps, lossless=lossless, quality=quality, method=method, text=workflow_of(cls)
            )
            return _write(frames, folder_type, filename_prefix, "webp", target)

    @staticmethod
    def get_save_animated_webp_ui(
        images: Iterable[Tensor],
        filename_prefix: str,
        cls: Any,
        fps: float,
        lossless: bool = True,
        quality: int = 80,
        method: int = 4,
    ) -> SavedImages:
        """The same into the output folder; the data for the editor."""
        result = ImageSaveHelper.save_animated_webp(
            images, filename_prefix, FolderType.output, cls, fps, lossless, quality, method
        )
        return SavedImages([result], is_animated=True)


def _frames(images: Iterable[Tensor]) -> list[NDArray[np.uint8]]:
    return [pixels.quantize(to_numpy(image)) for image in pictures(images)]


def _write(
    frames: list[NDArray[np.uint8]], folder_type: FolderType, prefix: str, extension: str, data: Scratch
) -> SavedResult:
    height, width = frames[0].shape[:2]
    folders = environment().folders
    return saved(write_output(folders, _kind(folder_type), prefix, extension, data, width=width, height=height))


class AudioSaveHelper:
    """Saves sound. audio: `waveform` [batch, channels, samples], -1..1, and `sample_rate`."""

    @staticmethod
    def save_audio(
        audio: Mapping[str, Any],
        filename_prefix: str,
        folder_type: FolderType,
        cls: Any,
        format: str = "flac",
        quality: str = "128k",
    ) -> list[SavedResult]:
        """Write each item of the batch as a file; format: `flac`, `mp3` or `opus`."""
        return [
            saved(_write_sound(wave, audio, number, filename_prefix, folder_type, cls, format, quality))
            for number, wave in enumerate(audio["waveform"])
        ]

    @staticmethod
    def get_save_audio_ui(
        audio: Mapping[str, Any], filename_prefix: str, cls: Any, format: str = "flac", quality: str = "128k"
    ) -> SavedAudios:
        """The same into the output folder; the data for the editor."""
        return SavedAudios(AudioSaveHelper.save_audio(audio, filename_prefix, FolderType.output, cls, format, quality))


def _write_sound(
    wave: Tensor,
    sound: Mapping[str, Any],
    number: int,
    prefix: str,
    folder_type: FolderType,
    node_class: Any,
    form: str,
    quality: str,
) -> FileRef:
    return save_sound(
        wave, int(sound["sample_rate"]), number, _kind(folder_type), prefix, form, quality, workflow_of(node_class)
    )
