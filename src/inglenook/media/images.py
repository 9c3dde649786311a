"""Pictures in and out: decoding of whatever users upload, under a limit, and encoding for browsers."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from inglenook.errors import MediaError

MAX_PIXELS = 256_000_000
"""Default limit of a picture, all frames together."""

# fmt: off
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "MPO", "AVIF", "ICO", "TGA", "PPM", "DDS", "JPEG2000", "QOI",
            "PCX", "DIB", "SGI", "ICNS", "XBM", "XPM", "MSP", "SUN", "BLP")
# fmt: on
"""What Pillow may open: pixel formats that it decodes itself (EPS and others would start programs)."""

_SINGLE_FRAME = frozenset({"MPO"})
"""Formats whose further frames are other views of the same picture."""

_LARGEST_SIDE = {"webp": 16383, "jpeg": 65535}

Source = Path | bytes


@dataclass(frozen=True, slots=True)
class Decoded:
    """The frames of a picture file."""

    images: NDArray[np.float32]
    """[frames, height, width, 3], 0..1"""
    masks: NDArray[np.float32] | None
    """[frames, height, width], 1 - alpha; None when no frame has transparency."""


@contextmanager
def opened(source: Source, max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """A Pillow image whose pixels are not decoded yet.

    Raises MediaError when it is no picture or has more than `max_pixels`; so does decoding inside the block.
    """
    name = source.name if isinstance(source, Path) else "the picture"
    _raise_pillow_limit(max_pixels)
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=_FORMATS) as image:
            _check_size(image.width, image.height, 1, max_pixels, name)
            yield image
    except (MediaError, FileNotFoundError, IsADirectoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise MediaError(f"{name} has more than {max_pixels / 1e6:g} megapixels") from None
    except MemoryError:
        raise MediaError(f"not enough memory to read {name}") from None
    except Exception as error:  # damaged files raise whatever the decoder stumbles over
        raise MediaError(f"cannot read {name}: {_reason(error)}") from error


def _raise_pillow_limit(max_pixels: int) -> None:
    """Let Pillow's own limit (an error at twice its figure) not come before ours."""
    if Image.MAX_IMAGE_PIXELS is not None and max_pixels > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = max_pixels


def _check_size(width: int, height: int, frames: int, max_pixels: int, name: str) -> None:
    if width * height * frames > max_pixels:
        size = f"{width}x{height}" + (f" pixels in {frames} frames" if frames > 1 else " pixels")
        raise MediaError(f"{name} has {size}, more than the limit of {max_pixels / 1e6:g} megapixels")


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "the format is unknown or the file is damaged"
    return str(error) or type(error).__name__


def decode(source: Source, max_pixels: int = MAX_PIXELS) -> Decoded:
    """All frames of a picture that have the size of the first one, turned as its EXIF orientation says.

    Raises MediaError as `opened` does, FileNotFoundError.
    """
    name = source.name if isinstance(source, Path) else "the picture"
    images: list[NDArray[np.float32]] = []
    masks: list[NDArray[np.float32] | None] = []
    with opened(source, max_pixels) as file:
        for frame in _frames(file):
            picture = _upright(frame)
            pixels = _rgb(picture)
            if images and pixels.shape != images[0].shape:
                continue
            _check_size(picture.width, picture.height, len(images) + 1, max_pixels, name)
            images.append(pixels)
            masks.append(_mask(picture))
    if all(mask is None for mask in masks):
        return Decoded(np.stack(images), None)
    opaque = np.zeros(images[0].shape[:2], np.float32)
    return Decoded(np.stack(images), np.stack([opaque if mask is None else mask for mask in masks]))


def decode_channel(source: Source, channel: str, max_pixels: int = MAX_PIXELS) -> NDArray[np.float32]:
    """One channel of the first frame of a picture as a mask [height, width], 0..1.

    channel: `red`, `green`, `blue`, or `alpha`, which is inverted: 1 where the picture is transparent.
    """
    with opened(source, max_pixels) as file:
        picture = _upright(file)
        if channel == "alpha":
            mask = _mask(picture)
            return np.zeros((picture.height, picture.width), np.float32) if mask is None else mask
        return np.ascontiguousarray(_rgb(picture)[..., ("red", "green", "blue").index(channel)])


def _frames(file: Image.Image) -> Iterator[Image.Image]:
    if getattr(file, "n_frames", 1) == 1 or file.format in _SINGLE_FRAME:
        yield file
    else:
        yield from ImageSequence.Iterator(file)


def _upright(image: Image.Image) -> Image.Image:
    """The image turned as its EXIF orientation says; damaged EXIF data counts as none."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        return image


def _rgb(image: Image.Image) -> NDArray[np.float32]:
    """[height, width, 3], 0..1."""
    grey = _deep_grey(image)
    if grey is not None:
        return np.repeat(grey[..., None], 3, axis=-1)
    if image.mode in ("RGBa", "La"):
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"), np.float32) / np.float32(255)


def _deep_grey(image: Image.Image) -> NDArray[np.float32] | None:
    """[height, width], 0..1, of an image with one channel of more than 8 bits."""
    if image.mode.startswith("I"):
        return _clipped(np.asarray(image).astype(np.float32), np.float32(65535))
    if image.mode == "F":
        values = np.nan_to_num(np.asarray(image, np.float32))
        return _clipped(values, np.float32(255 if values.max(initial=0) > 1 else 1))
    return None


def _clipped(values: NDArray[np.float32], scale: np.float32) -> NDArray[np.float32]:
    return (values / scale).clip(np.float32(0), np.float32(1))


def _mask(image: Image.Image) -> NDArray[np.float32] | None:
    if image.has_transparency_data:
        alpha = image.getchannel("A") if "A" in image.getbands() else image.convert("RGBA").getchannel("A")
        mask: NDArray[np.float32] = np.float32(1) - np.asarray(alpha, np.float32) / np.float32(255)
        return mask
    return None


def quantize(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """0..1 to 0..255, cut off as ComfyUI does, not rounded; any shape."""
    with np.errstate(invalid="ignore"):  # not-a-number becomes some byte
        scaled: NDArray[np.uint8] = (pixels * np.float32(255)).clip(0, 255).astype(np.uint8)
    return scaled


def eight_bit(image: Image.Image) -> Image.Image:
    """The image upright, as RGB, or RGBA where it has transparency."""
    picture = _upright(image)
    grey = _deep_grey(picture)
    if grey is not None:
        return Image.fromarray(quantize(grey)).convert("RGB")
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def encode(image: Image.Image, image_format: str, quality: int = 90) -> bytes:
    """The file bytes of an RGB or RGBA image; image_format: `webp`, `jpeg` (drops alpha) or `png`."""
    if max(image.size) > _LARGEST_SIDE.get(image_format, sys.maxsize):
        raise MediaError(f"{image_format} takes no picture of {image.width}x{image.height} pixels: ask for png")
    buffer = io.BytesIO()
    if image_format == "jpeg":
        image = image.convert("RGB")
    if image_format == "png":
        image.save(buffer, "PNG", compress_level=4)
    else:
        image.save(buffer, image_format.upper(), quality=quality)
    return buffer.getvalue()


def alpha_channel(image: Image.Image) -> Image.Image:
    """The alpha of an image, upright, as mode L; opaque when it has none."""
    picture = eight_bit(image)
    return picture.getchannel("A") if picture.mode == "RGBA" else Image.new("L", picture.size, 255)


def only_alpha(image: Image.Image) -> Image.Image:
    """An RGBA image of colour 0 with the alpha of `image`, opaque when it has none."""
    alpha = alpha_channel(image)
    result = Image.new("RGBA", alpha.size, (0, 0, 0, 0))
    result.putalpha(alpha)
    return result
