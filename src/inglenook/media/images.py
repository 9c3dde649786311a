"""Pictures in and out: decoding of whatever users upload, under a limit, and encoding for browsers."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from inglenook.errors import MediaError

MAX_PIXELS = 256_000_000
"""Default limit of a picture, all frames together."""

# fmt: off
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "ICO", "TGA", "PPM", "DDS", "JPEG2000", "QOI",
            "PCX", "DIB", "SGI", "ICNS", "XBM", "XPM", "MSP", "SUN", "BLP")
# fmt: on
"""What Pillow may open: pixel formats that it decodes itself (EPS and others would start programs). A name that Pillow
has no opener for ends the search with an error, and MPO has none of its own: JPEG opens it."""

_LARGEST_SIDE = {"webp": 16383, "jpeg": 65535}

Source = Path | bytes


@contextmanager
def opened(source: Source, max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """A Pillow image whose pixels are not decoded yet.

    Raises MediaError when it is no picture or has more than `max_pixels`; so does decoding inside the block.
    """
    name = source.name if isinstance(source, Path) else "the picture"
    _raise_pillow_limit(max_pixels)
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=_FORMATS) as image:
            check_size(image.width, image.height, 1, max_pixels, name)
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


def check_size(width: int, height: int, frames: int, max_pixels: int, name: str) -> None:
    if width * height * frames > max_pixels:
        size = f"{width}x{height}" + (f" pixels in {frames} frames" if frames > 1 else " pixels")
        raise MediaError(f"{name} has {size}, more than the limit of {max_pixels / 1e6:g} megapixels")


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "the format is unknown or the file is damaged"
    return str(error) or type(error).__name__


def upright(image: Image.Image) -> Image.Image:
    """The image turned as its EXIF orientation says; damaged EXIF data counts as none."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        return image


def eight_bit(image: Image.Image) -> Image.Image:
    """The image upright, as RGB, or RGBA where it has transparency."""
    picture = upright(image)
    if picture.mode.startswith("I") or picture.mode == "F":
        from inglenook.media import pixels  # numpy, which the API process does without otherwise

        return pixels.eight_bit_grey(picture).convert("RGB")
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
