"""What an asset is, and how assets are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

ROLES = ("input", "output", "temp", "models")
"""The folders that assets lie in; each asset has its own as its first tag."""

MISSING = "missing"
"""Tag of an asset whose file is gone."""

Sort = Literal["created_at", "updated_at", "name", "size", "last_access_time"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is: below one of the folders, for models with the name of their own folder first."""

    root: str
    path: str
    """With `/`: `sub/a.png`, `checkpoints/sub/a.safetensors`."""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def loader_path(self) -> str:
        """How a loader node names the file."""
        return self.path.partition("/")[2] if self.root == "models" else self.path

    @property
    def subfolder(self) -> str:
        return self.loader_path.rpartition("/")[0]

    def tags(self) -> tuple[str, ...]:
        """The tags that a file has by its place: its role; of a model also its folder, in both forms that the editor
        looks for."""
        if self.root != "models":
            return (self.root,)
        folder = self.path.partition("/")[0]
        return ("models", folder, f"model_type:{folder}")


@dataclass(frozen=True, slots=True)
class Found:
    """A file that is to be in the library."""

    place: Place
    size: int
    modified_ns: int
    mime_type: str | None = None
    hash: str | None = None
    owner: str = ""
    """The user who has made it; empty: it is everybody's."""
    name: str | None = None
    """That of the file without one."""
    job_id: str | None = None
    node_id: str | None = None
    tags: tuple[str, ...] = ()
    """Further ones."""
    user_metadata: Mapping[str, Any] = field(default_factory=dict)
    preview_id: str | None = None
    is_news: bool = False
    """Somebody has just made it: it is shown again if it was hidden."""


class Asset(msgspec.Struct, frozen=True, gc=False):
    """A file under a stable id, with what users say of it. Times in milliseconds since the epoch.

    A page has 500 of them: as dataclasses they took as long as the database.
    """

    id: str
    owner: str
    name: str
    place: Place
    is_reference: bool
    """A further asset of a file that another one stands for."""
    hash: str | None
    """`blake3:` and 64 hexadecimal digits; None when nobody has computed it."""
    size: int
    modified_ns: int
    mime_type: str | None
    user_metadata: Mapping[str, Any]
    preview_id: str | None
    job_id: str | None
    node_id: str | None
    created_ms: int
    updated_ms: int
    accessed_ms: int
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AssetFilter:
    """Which assets. Every condition must hold."""

    user: str | None = None
    """Only those that this user may see; None: all."""
    tags_all: tuple[str, ...] = ()
    tags_any: tuple[str, ...] = ()
    tags_none: tuple[str, ...] = ()
    name_contains: str = ""
    hash: str | None = None
    metadata: str = ""
    """A JSON object: what `user_metadata` has under some keys, a value or a list of which one is enough. As a text,
    since filters are compared, and for Python 1 is true."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the value of its order and the id of its last asset."""

    value: str | int
    id: str


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of the assets, in which order."""

    sort: Sort = "created_at"
    descending: bool = True
    limit: int = 20
    offset: int = 0
    after: Cursor | None = None


@dataclass(frozen=True, slots=True)
class AssetPage:
    """A part of the assets that match."""

    assets: tuple[Asset, ...]
    total: int
    """How many match in all."""
    next: Cursor | None
    """Where the next page begins, if there is one."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a user changes of an asset; None: nothing."""

    name: str | None = None
    mime_type: str | None = None
    user_metadata: Mapping[str, Any] | None = None
    preview_id: str | None = None
    removes_preview: bool = False
    tags: tuple[str, ...] | None = None
    """The tags that users gave it, all of them."""


@dataclass(frozen=True, slots=True)
class TagCount:
    """A tag and how many assets have it."""

    name: str
    count: int
