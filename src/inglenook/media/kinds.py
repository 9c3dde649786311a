"""What a file is, told from its name: media kind and content type, the same on every machine."""

from __future__ import annotations

import mimetypes
import os
from typing import Literal

Kind = Literal["image", "audio", "video", "latent", "3d"]

_TYPES = mimetypes.MimeTypes()  # the table of the standard library alone, not the system's files
for _type, _suffix in (
    ("image/webp", ".webp"),
    ("image/avif", ".avif"),
    ("image/apng", ".apng"),
    ("image/jxl", ".jxl"),
    ("image/heic", ".heic"),
    ("image/x-exr", ".exr"),
    ("video/x-matroska", ".mkv"),
    ("video/webm", ".webm"),
    ("video/x-m4v", ".m4v"),
    ("video/mp2t", ".ts"),
    ("audio/flac", ".flac"),
    ("audio/ogg", ".ogg"),
    ("audio/opus", ".opus"),
    ("audio/mp4", ".m4a"),
    ("audio/wav", ".wav"),
    ("model/gltf-binary", ".glb"),
    ("model/gltf+json", ".gltf"),
    ("model/obj", ".obj"),
    ("model/stl", ".stl"),
    ("model/vnd.fbx", ".fbx"),
    ("model/ply", ".ply"),
    ("application/xhtml+xml", ".xhtml"),
    ("application/xhtml+xml", ".xht"),
    ("application/xslt+xml", ".xslt"),
    ("text/markdown", ".md"),
    ("application/yaml", ".yaml"),
):
    _TYPES.add_type(_type, _suffix)


def content_type(filename: str) -> str:
    """The content type by the extension of the name, else `application/octet-stream`."""
    extension = os.path.splitext(filename)[1].lower()  # noqa: PTH122 - a name, not a path of this system
    return _TYPES.types_map[True].get(extension, "application/octet-stream")


def media_kind(filename: str) -> Kind | None:
    """The kind under which a loader node lists the file, or None."""
    if filename.lower().endswith(".latent"):
        return "latent"
    match content_type(filename).split("/", 1)[0]:
        case "image":
            return "image"
        case "audio":
            return "audio"
        case "video":
            return "video"
        case "model":
            return "3d"
        case _:
            return None


_TEXT_EXTENSIONS = (".txt", ".md", ".json", ".csv", ".log", ".srt", ".vtt", ".yaml", ".yml", ".xml", ".html")

FILE_KINDS = ("image", "video", "audio", "3d", "latent", "text", "other")


def file_kind(filename: str) -> str:
    """The kind under which a listing of results shows the file, one of FILE_KINDS."""
    return media_kind(filename) or ("text" if filename.lower().endswith(_TEXT_EXTENSIONS) else "other")
