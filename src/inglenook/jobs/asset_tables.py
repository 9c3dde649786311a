"""The tables of the asset library (`inglenook.assets`), in the database of the jobs: one writer, one migration path."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Table, Text

from inglenook.jobs.tables import metadata

assets = Table(
    "assets",
    metadata,
    Column("id", Text, primary_key=True),
    # Whose it is; empty: everybody's.
    Column("owner", Text, nullable=False),
    Column("name", Text, nullable=False),
    # Where the file is: `input`, `output`, `temp` or `models`, and a path below it, for models with their folder first.
    Column("root", Text, nullable=False),
    Column("path", Text, nullable=False),
    # True for a further asset of a file that another one stands for.
    Column("is_reference", Boolean, nullable=False),
    # The user has removed it, its file is still there.
    Column("hidden", Boolean, nullable=False),
    # Of the file as it was when the server looked at it last.
    Column("hash", Text),
    Column("size", BigInteger, nullable=False),
    Column("modified_ns", BigInteger, nullable=False),
    Column("mime_type", Text),
    Column("user_metadata", Text, nullable=False),
    Column("preview_id", Text),
    Column("job_id", Text),
    Column("node_id", Text),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    # When its content was last asked for; 0: never.
    Column("accessed_ms", BigInteger, nullable=False),
)

Index("ix_assets_place", assets.c.root, assets.c.path)
Index("ix_assets_hash", assets.c.hash)
Index("ix_assets_owner", assets.c.owner, assets.c.hidden, assets.c.root, assets.c.id)
Index("ix_assets_preview", assets.c.preview_id)
# The orders of lists, in each folder: lists are of one or two of them.
for _key in ("created_ms", "updated_ms", "accessed_ms", "name", "size"):
    Index(f"ix_assets_by_{_key}", assets.c.hidden, assets.c.root, assets.c[_key], assets.c.id)

asset_tags = Table(
    "asset_tags",
    metadata,
    Column("asset_id", Text, ForeignKey("assets.id"), primary_key=True),
    Column("tag", Text, primary_key=True),
    # The role (`input`, `models`, ...) has 0 and comes first.
    Column("position", Integer, nullable=False),
    sqlite_with_rowid=False,
)

Index("ix_asset_tags_tag", asset_tags.c.tag, asset_tags.c.position, asset_tags.c.asset_id)
