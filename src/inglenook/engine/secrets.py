"""Values that a job brings for its nodes and that no message, history or log may repeat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SECRET_KEYS = ("auth_token_comfy_org", "api_key_comfy_org", "api_key")
"""Keys of a job's extra data."""
_SHORTEST = 8
"""Anything shorter is no key, and occurs in texts by chance."""
_INSTEAD = "[secret]"


def secret_values(extra_data: Mapping[str, Any]) -> tuple[str, ...]:
    """The secrets of a job, longest first."""
    values = {extra_data.get(key) for key in SECRET_KEYS if isinstance(extra_data.get(key), str)}
    return tuple(sorted((value for value in values if value and len(value) >= _SHORTEST), key=len, reverse=True))


def redact(text: str, secrets: Sequence[str]) -> str:
    """`text` with `[secret]` in place of each secret."""
    for secret in secrets:
        text = text.replace(secret, _INSTEAD)
    return text
