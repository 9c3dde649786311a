"""The asset library, and finding the job of an output file by its name.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    op.create_table(
        "assets",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("root", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("is_reference", sa.Boolean, nullable=False),
        sa.Column("hidden", sa.Boolean, nullable=False),
        sa.Column("hash", sa.Text),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("modified_ns", sa.BigInteger, nullable=False),
        sa.Column("mime_type", sa.Text),
        sa.Column("user_metadata", sa.Text, nullable=False),
        sa.Column("preview_id", sa.Text),
        sa.Column("job_id", sa.Text),
        sa.Column("node_id", sa.Text),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
        sa.Column("accessed_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_assets_place", "assets", ["root", "path"])
    op.create_index("ix_assets_hash", "assets", ["hash"])
    op.create_index("ix_assets_owner", "assets", ["owner", "hidden", "root", "id"])
    op.create_index("ix_assets_preview", "assets", ["preview_id"])
    for name in ("created_ms", "updated_ms", "accessed_ms", "name", "size"):
        op.create_index(f"ix_assets_by_{name}", "assets", ["hidden", "root", name, "id"])
    op.create_table(
        "asset_tags",
        sa.Column("asset_id", sa.Text, sa.ForeignKey("assets.id"), primary_key=True),
        sa.Column("tag", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_asset_tags_tag", "asset_tags", ["tag", "position", "asset_id"])
    op.create_index("ix_outputs_filename", "outputs", ["filename"])


def downgrade() -> None:
    op.drop_index("ix_outputs_filename", "outputs")
    op.drop_table("asset_tags")
    op.drop_table("assets")
