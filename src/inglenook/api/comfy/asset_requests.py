"""What clients ask the asset library for, read from queries, JSON bodies and forms. Everything raises ApiError 400."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast, get_args

import orjson
from starlette.datastructures import FormData, QueryParams
from starlette.requests import Request

from inglenook.api.bodies import exceeds_depth, object_body
from inglenook.api.comfy.asset_shape import is_uuid, parsed_cursor
from inglenook.api.deps import settings
from inglenook.api.errors import ApiError
from inglenook.api.forms import text_field
from inglenook.api.query_numbers import whole_number
from inglenook.assets import MISSING, ROLES, AssetFilter, Page, Sort, is_hash

LIMIT = 20
MOST = 500
_MOST_TAGS = 64
_LONGEST_TAG = 200
_LONGEST_NAME = 255
_LONGEST_METADATA = 1 << 20
_NOT_IN_TAGS = re.compile(r"[\x00-\x1f\x7f,]")
_NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f]")
LARGEST_OFFSET = 1 << 40
_LONGEST_FILTER = 8192
_MOST_KEYS = 8
_MOST_ITEMS = 64

# Queries

TAGS: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "maxItems": _MOST_TAGS,
    "items": {
        "type": "string",
        "pattern": r"^[^\x00-\x1f\x7f,]*[^\x00-\x20\x7f,][^\x00-\x1f\x7f,]*$",
        "maxLength": _LONGEST_TAG,
    },
}
_ANY_TAGS: dict[str, Any] = {
    "type": ["array", "null"],
    "maxItems": _MOST_TAGS,
    "items": {"type": "string", "pattern": r"^[^\x00-\x1f\x7f,]*$", "maxLength": _LONGEST_TAG},
}
HASH: dict[str, Any] = {"type": "string", "pattern": "^blake3:[0-9a-fA-F]{64}$"}
HASH_OR_NONE: dict[str, Any] = {"type": "string", "pattern": "^(blake3:[0-9a-fA-F]{64})?$"}
_PLAIN = r"^[^\x00-\x1f\x7f]*$"
ASSET_FIELDS: dict[str, Any] = {
    "name": {"type": ["string", "null"], "maxLength": _LONGEST_NAME, "pattern": _PLAIN},
    "tags": _ANY_TAGS,
    "user_metadata": {"type": ["object", "null"]},
    "mime_type": {"type": ["string", "null"], "maxLength": 100, "pattern": _PLAIN},
    "preview_id": {"type": ["string", "null"], "description": "Id of an asset"},
}
"""Schemas of what the readers below take, for the OpenAPI page."""


def asset_filter(query: QueryParams, user: str | None) -> AssetFilter:
    """Which assets a query means."""
    wanted = query.get("hash") or None
    if wanted is not None and not is_hash(wanted.lower()):
        raise ApiError(400, "INVALID_QUERY", "hash must be blake3: and 64 hexadecimal digits")
    return AssetFilter(
        user=user,
        tags_all=_query_tags(query, "tags_all", "include_tags"),
        tags_any=_query_tags(query, "tags_any"),
        tags_none=_query_tags(query, "tags_none", "exclude_tags"),
        name_contains=_clean(query.get("name_contains") or "", "name_contains"),
        hash=None if wanted is None else wanted.lower(),
        metadata=_metadata_filter(query.get("metadata_filter") or ""),
    )


def _metadata_filter(text: str) -> str:
    """A filter of metadata in the form that equal ones share; empty for one that asks for nothing."""
    try:
        wanted = orjson.loads(text) if len(text) <= _LONGEST_FILTER else None
    except orjson.JSONDecodeError:
        wanted = {} if not text else None
    if not isinstance(wanted, dict) or len(wanted) > _MOST_KEYS or not all(map(_is_filter, wanted.values())):
        said = f"an object of up to {_MOST_KEYS} keys, each with a text, number, true, false, null or a list of these"
        raise ApiError(400, "INVALID_QUERY", f"metadata_filter must be {said}")
    return orjson.dumps(wanted, option=orjson.OPT_SORT_KEYS).decode() if wanted else ""


def _is_filter(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return len(items) <= _MOST_ITEMS and not any(isinstance(item, (dict, list)) for item in items)


def _query_tags(query: QueryParams, *names: str) -> tuple[str, ...]:
    """Tags of a query, comma-separated or repeated."""
    given = [tag.strip() for name in names for value in query.getlist(name) for tag in value.split(",")]
    tags = tuple(dict.fromkeys(tag for tag in given if tag))
    if len(tags) > _MOST_TAGS or any(len(tag) > _LONGEST_TAG or "\0" in tag for tag in tags):
        text = f"{names[0]} takes up to {_MOST_TAGS} tags of up to {_LONGEST_TAG} characters"
        raise ApiError(400, "INVALID_TAG_FILTER", text)
    return tags


def _clean(text: str, name: str) -> str:
    if "\0" in text or len(text) > 1000:
        raise ApiError(400, "INVALID_QUERY", f"{name} is not a text that names can contain")
    return text


def asset_part(query: QueryParams) -> Page:
    """Which part of the assets, in which order, a query means."""
    sort, order = query.get("sort") or "created_at", query.get("order") or "desc"
    if sort not in get_args(Sort):
        raise ApiError(400, "INVALID_QUERY", f"sort must be one of {', '.join(get_args(Sort))}")
    if order not in ("asc", "desc"):
        raise ApiError(400, "INVALID_QUERY", "order must be asc or desc")
    after = query.get("after") or None
    return Page(
        sort=cast(Sort, sort),
        descending=order == "desc",
        limit=whole_number(query, "limit", LIMIT, least=1, most=MOST),
        # A page behind another one begins there.
        offset=0 if after else whole_number(query, "offset", 0, least=0, most=LARGEST_OFFSET),
        after=None if after is None else parsed_cursor(after, sort, order == "desc"),
    )


# Bodies


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client says of an asset; None: nothing."""

    name: str | None = None
    tags: tuple[str, ...] | None = None
    user_metadata: Mapping[str, Any] | None = None
    mime_type: str | None = None
    preview_id: str | None = None
    hash: str | None = None
    names_preview: bool = False
    """`preview_id` was given, perhaps as none."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The tags without those that say where the file is."""
        return tuple(tag for tag in self.tags or () if tag not in (*ROLES, MISSING))

    @property
    def role(self) -> str | None:
        """The tag that says where the file is to be."""
        return next((tag for tag in self.tags or () if tag in ROLES), None)


async def json_wanted(request: Request) -> Wanted:
    """What the JSON object in a body says of an asset."""
    return _wanted(await object_body(request, settings(request).max_json_depth))


def form_wanted(request: Request, form: FormData) -> Wanted:
    """What the texts of a form say of an asset: tags as a JSON list, comma-separated or repeated."""
    fields: dict[str, Any] = {
        name: text for name in ("name", "hash", "mime_type", "preview_id") if (text := text_field(form, name))
    }
    tags = [tag for value in form.getlist("tags") for tag in _form_tags(value)]
    if tags:
        fields["tags"] = tags
    metadata = text_field(form, "user_metadata")
    if metadata:
        fields["user_metadata"] = _json(metadata, "user_metadata")
        if exceeds_depth(fields["user_metadata"], settings(request).max_json_depth):
            raise _invalid("user_metadata nests too deep")
    return _wanted(fields)


def _form_tags(value: Any) -> list[Any]:
    if not isinstance(value, str):
        raise _invalid("tags must be text")
    if value.lstrip().startswith("["):
        found = _json(value, "tags")
        return found if isinstance(found, list) else [found]
    return [tag for tag in value.split(",") if tag.strip()]


def _json(text: str, name: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _invalid(f"{name} is not valid JSON") from None


def _wanted(body: Mapping[str, Any]) -> Wanted:
    metadata = body.get("user_metadata")
    if metadata is not None and (not isinstance(metadata, dict) or len(json.dumps(metadata)) > _LONGEST_METADATA):
        raise _invalid("user_metadata must be an object of up to 1 MB")
    content, preview = _text(body, "hash", 100), _text(body, "preview_id", 100)
    if content is not None and not is_hash(content.lower()):
        raise ApiError(400, "INVALID_HASH", "hash must be blake3: and 64 hexadecimal digits")
    if preview and not is_uuid(preview):
        raise _invalid("preview_id must be the id of an asset")
    return Wanted(
        name=_text(body, "name", _LONGEST_NAME) or None,
        tags=None if body.get("tags") is None else body_tags(body),
        user_metadata=metadata,
        mime_type=_text(body, "mime_type", 100) or None,
        preview_id=preview or None,
        hash=None if content is None else content.lower(),
        names_preview="preview_id" in body,
    )


def body_tags(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The list `tags` of a body, each once."""
    given = body.get("tags")
    if not isinstance(given, list) or not all(isinstance(tag, str) for tag in given):
        raise _invalid("tags must be a list of texts")
    tags = tuple(dict.fromkeys(stripped for tag in given if (stripped := tag.strip())))
    if len(given) > _MOST_TAGS or any(len(tag) > _LONGEST_TAG or _NOT_IN_TAGS.search(tag) for tag in tags):
        raise _invalid(f"tags: up to {_MOST_TAGS}, of up to {_LONGEST_TAG} characters, without commas")
    return tags


def _text(body: Mapping[str, Any], name: str, longest: int) -> str | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > longest or _NOT_IN_NAMES.search(value):
        raise _invalid(f"{name} must be a text of up to {longest} characters")
    return value


def _invalid(message: str) -> ApiError:
    return ApiError(400, "INVALID_BODY", message)


# Scans


@dataclass(frozen=True, slots=True)
class ScanWanted:
    """What a scan is to look through."""

    roots: tuple[str, ...] = field(default=("models", "input", "output"))


async def scan_wanted(request: Request) -> ScanWanted:
    """What the body of a request for a scan says."""
    roots = (await object_body(request, settings(request).max_json_depth)).get("roots")
    if roots is None:
        return ScanWanted()
    allowed = ScanWanted().roots
    if not isinstance(roots, list) or not roots or not all(isinstance(r, str) and r in allowed for r in roots):
        raise _invalid(f"roots must be a list of {', '.join(allowed)}")
    return ScanWanted(tuple(dict.fromkeys(roots)))
