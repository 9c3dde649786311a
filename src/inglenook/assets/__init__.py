"""The asset library: what is known of the files in the input, output, temp and model folders, under stable ids."""

from inglenook.assets.asset import (
    MISSING,
    ROLES,
    Asset,
    AssetFilter,
    AssetPage,
    Change,
    Cursor,
    Found,
    Page,
    Place,
    Sort,
    TagCount,
)
from inglenook.assets.hashing import Cancelled, content_hash
from inglenook.assets.library import AssetGone, AssetLibrary, AssetProtected
from inglenook.assets.recorder import OutputRecorder
from inglenook.assets.scan import Scanner
from inglenook.media.content_hashes import is_hash

__all__ = [
    "MISSING",
    "ROLES",
    "Asset",
    "AssetFilter",
    "AssetGone",
    "AssetLibrary",
    "AssetPage",
    "AssetProtected",
    "Cancelled",
    "Change",
    "Cursor",
    "Found",
    "OutputRecorder",
    "Page",
    "Place",
    "Scanner",
    "Sort",
    "TagCount",
    "content_hash",
    "is_hash",
]
