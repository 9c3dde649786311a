"""What packs call `ui.X`: data for the editor, and helpers that write the files it names.

A node hands one of these, or a dict, to `io.NodeOutput(ui=...)`. Previews go into the temp folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from inglenook.media.naming import temporary_prefix
from inglenook.packs.surface_finder import missing
from inglenook.packs.v3.options import FolderType
from inglenook.packs.v3.payloads import SavedAudios, SavedImages, SavedResult
from inglenook.packs.v3.saving import AudioSaveHelper, ImageSaveHelper, pictures

__all__ = [
    "AudioSaveHelper",
    "ImageSaveHelper",
    "PreviewAudio",
    "PreviewImage",
    "PreviewMask",
    "PreviewText",
    "PreviewUI3D",
    "PreviewVideo",
    "SavedAudios",
    "SavedImages",
    "SavedResult",
]

_PREVIEW_LEVEL = 1


class PreviewImage:
    """Pictures [batch, height, width, channels], 0..1, written as temporary PNG files."""

    def __init__(self, image: Tensor, animated: bool = False, cls: Any = None, **_: Any) -> None:
        self.values = ImageSaveHelper.save_images(
            image, temporary_prefix(), FolderType.temp, cls, compress_level=_PREVIEW_LEVEL
        )
        self.animated = animated

    def as_dict(self) -> dict[str, Any]:
        return {"images": self.values, "animated": (self.animated,)}


class PreviewMask(PreviewImage):
    """Masks [batch, height, width], or one, as grey pictures."""

    def __init__(self, mask: Tensor, animated: bool = False, cls: Any = None, **_: Any) -> None:
        grey = mask.reshape(-1, *mask.shape[-2:])[..., None]
        super().__init__(grey.expand(-1, -1, -1, 3), animated, cls)


class PreviewAudio:
    """Sound, written as temporary FLAC files."""

    def __init__(self, audio: Mapping[str, Any], cls: Any = None, **_: Any) -> None:
        self.values = AudioSaveHelper.save_audio(audio, temporary_prefix(), FolderType.temp, cls)

    def as_dict(self) -> dict[str, Any]:
        return {"audio": self.values}


class PreviewVideo:
    """Video files that were written before."""

    def __init__(self, values: Sequence[SavedResult | Mapping[str, str]], **_: Any) -> None:
        self.values = list(values)

    def as_dict(self) -> dict[str, Any]:
        return {"images": self.values, "animated": (True,)}


class PreviewText:
    """A text."""

    def __init__(self, value: str, **_: Any) -> None:
        self.value = value

    def as_dict(self) -> dict[str, Any]:
        return {"text": (self.value,)}


class PreviewUI3D:
    """A 3D file, the camera that looks at it, perhaps before a picture [height, width, channels]."""

    def __init__(self, model_file: str, camera_info: Any, bg_image: Tensor | None = None, **_: Any) -> None:
        self.model_file = model_file
        self.camera_info = camera_info
        self.bg_image_path: str | None = None
        if bg_image is not None:
            first = pictures(bg_image)[:1]
            (file,) = ImageSaveHelper.save_images(first, f"bg_{temporary_prefix()}", FolderType.temp, None)
            self.bg_image_path = f"temp/{file.filename}"

    def as_dict(self) -> dict[str, Any]:
        return {"result": [self.model_file, self.camera_info, self.bg_image_path]}


__getattr__ = missing("comfy_api.latest.ui")
