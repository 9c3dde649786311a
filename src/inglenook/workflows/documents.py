"""What a client sends as a workflow, told apart: a file, JSON text, a wrapper, UI format, API format."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from inglenook.errors import MediaError
from inglenook.media.metadata import metadata_of
from inglenook.workflows.convert import is_ui_format
from inglenook.workflows.errors import WorkflowFormatError

_WRAPPERS = ("prompt", "output", "workflow")
"""Keys that a graph may stand under; the API form is taken where a document has both."""
_MOST_WRAPPERS = 4
_ENCODINGS = ("utf-8-sig", "gb18030")
"""Tried in this order. Editors on Windows write a byte order mark, or GBK (a part of GB 18030)."""
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

ReadMedia = Callable[[bytes], Mapping[str, str]]
"""Bytes of a media file -> keyword -> text of what it carries; MediaError when it is none."""
ParseJson = Callable[[bytes], Any]
"""Parses JSON in UTF-8; WorkflowFormatError when it is none."""


def is_bare_graph(document: Any) -> bool:
    """Whether a document is a graph in API format with nothing around it: every value has a `class_type`."""
    return (
        isinstance(document, Mapping)
        and bool(document)
        and all(isinstance(node, Mapping) and "class_type" in node for node in document.values())
    )


def unwrap(document: Any, parse: ParseJson | None = None) -> Any:
    """The graph inside `{"prompt": ...}`, `{"workflow": ...}` or `{"output": ..., "workflow": ...}`.

    Also inside JSON text and the bytes of a file, which `parse` reads, or `parse_json`.
    Raises WorkflowFormatError when bytes or text hold no JSON, and what `parse` raises.
    """
    parse = parse or parse_json
    for _ in range(_MOST_WRAPPERS):
        if isinstance(document, bytes):
            document = read_file(document, parse)
        elif isinstance(document, str):
            document = parse(document.encode("utf-8", "replace"))
        elif is_ui_format(document) or is_bare_graph(document) or not isinstance(document, Mapping):
            return document
        else:
            inner = next((document[key] for key in _WRAPPERS if document.get(key) is not None), None)
            if not isinstance(inner, (Mapping, str, bytes)) or (isinstance(inner, Mapping) and "class_type" in inner):
                return document
            document = inner
    return document


def is_text_of_workflow(text: str) -> bool:
    """Whether a text is JSON of a workflow rather than something to draw."""
    if not text.lstrip("\ufeff \t\r\n").startswith("{"):
        return False
    try:
        return isinstance(parse_json(text.encode("utf-8", "replace")), Mapping)
    except WorkflowFormatError:
        return False


def read_file(data: bytes, parse: ParseJson | None = None, read_media: ReadMedia = metadata_of) -> Any:
    """The document in a file: JSON, or a picture (what `read_media` reads) that carries the workflow that made it.

    Raises WorkflowFormatError, and what `parse` raises.
    """
    parse = parse or parse_json
    if _looks_like_text(data):
        return parse(as_utf8(data))
    try:
        texts = read_media(data)
    except MediaError as error:
        raise WorkflowFormatError(f"The file is neither JSON nor a picture that can be read: {error}") from error
    for key in ("prompt", "workflow"):
        if key in texts:
            try:
                return parse(texts[key].encode("utf-8", "replace"))
            except WorkflowFormatError:
                continue
    found = f"it carries only {', '.join(sorted(texts)[:5])}" if texts else "it carries no metadata"
    raise WorkflowFormatError(f"The file has no workflow in it: {found}"[:300])


def _looks_like_text(data: bytes) -> bool:
    start = data[:64]
    if start.startswith(_UTF16_MARKS):
        return True
    return start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[", b'"')


def as_utf8(data: bytes) -> bytes:
    """Text in one of the encodings that workflow files have, as UTF-8."""
    if data.startswith(_UTF16_MARKS):
        return data.decode("utf-16", "replace").encode("utf-8", "replace")
    for encoding in _ENCODINGS:
        try:
            return data.decode(encoding).encode()
        except UnicodeDecodeError:
            continue
    return data


def parse_json(data: bytes) -> Any:
    """The JSON in UTF-8; NaN, which saved prompts may hold, becomes null. Raises WorkflowFormatError."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        cleaned = without_constants(data)
        if cleaned is None:
            raise WorkflowFormatError(f"The text is not valid JSON: {error}") from None
    return orjson.loads(cleaned)


def without_constants(data: bytes) -> bytes | None:
    """JSON with null for NaN and Infinity, which Python writes and no standard allows; None when that does not help."""
    if b"NaN" not in data and b"Infinity" not in data:
        return None
    try:
        cleaned = json.dumps(json.loads(data, parse_constant=lambda _: None)).encode()
        orjson.loads(cleaned)
    except (ValueError, RecursionError):
        return None
    return cleaned
