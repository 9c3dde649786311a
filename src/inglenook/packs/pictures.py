"""Pictures that the code of node packs sends while it runs: `(format, PIL image, longest side or None)`."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageOps

from inglenook.errors import NodeError

_JPEG_QUALITY = 95


def encode_preview(preview: Any) -> tuple[bytes, str]:
    """The file bytes and the media type of a preview.

    preview: the format (`JPEG` or `PNG`, in any case), a PIL image, and the pixels of its longer side when it is to be
    scaled. Raises NodeError for anything else.
    """
    if not isinstance(preview, (tuple, list)) or not 2 <= len(preview) <= 3 or not isinstance(preview[1], Image.Image):
        raise NodeError("a preview is a tuple of format, PIL image and longest side (or None)")
    image_format, image = str(preview[0]).upper(), preview[1]
    longest_side = preview[2] if len(preview) == 3 else None
    if image_format not in ("JPEG", "JPG", "PNG"):
        raise NodeError(f"the format of a preview is {str(preview[0])[:50]!r}: use JPEG or PNG")
    if longest_side is not None:
        side = max(1, int(longest_side))
        image = ImageOps.contain(image, (side, side), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    if image_format == "PNG":
        image.save(buffer, "PNG", compress_level=1)
        return buffer.getvalue(), "image/png"
    image.convert("RGB").save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue(), "image/jpeg"
