"""SaveImage and PreviewImage as packs extend them: they set `output_dir`, `type`, `prefix_append`, `compress_level`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast, get_args

from inglenook.errors import NodeError
from inglenook.media.folders import FileKind
from inglenook.media.naming import temporary_prefix
from inglenook.nodes.environment import environment
from inglenook.nodes.image import PREVIEW_LEVEL, SAVE_LEVEL, save_pictures

_DEFAULT_PREFIX = "ComfyUI"


class SaveImage:
    """Writes pictures into a folder under a prefix, the workflow inside; also the base of such classes in packs."""

    FUNCTION = "save_images"

    def __init__(self) -> None:
        self.output_dir = str(environment().folders.output)
        self.type = "output"
        self.prefix_append = ""
        self.compress_level = SAVE_LEVEL

    def save_images(
        self,
        images: Iterable[Any],
        filename_prefix: str = _DEFAULT_PREFIX,
        prompt: Any = None,
        extra_pnginfo: Any = None,
    ) -> dict[str, Any]:
        """Write each of `images`, [batch, height, width, channels]; returns ui data that names the files."""
        if self.type not in get_args(FileKind):
            raise NodeError(f"{type(self).__name__}.type is {self.type!r}; it must be input, output or temp")
        return save_pictures(
            images,
            cast(FileKind, self.type),
            f"{filename_prefix}{self.prefix_append}",
            self.compress_level,
            prompt,
            extra_pnginfo,
            root=Path(self.output_dir).absolute(),
        )


class PreviewImage(SaveImage):
    """The same into the temporary folder."""

    def __init__(self) -> None:
        self.output_dir = str(environment().folders.temp)
        self.type = "temp"
        self.prefix_append = temporary_prefix().removeprefix(_DEFAULT_PREFIX)
        self.compress_level = PREVIEW_LEVEL
