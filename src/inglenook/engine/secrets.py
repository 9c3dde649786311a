"""Values that a job brings for its nodes and that no message, history or log may repeat."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

SERVER_KEY = "api_key"
"""Key of the extra data that is for the server alone: who submits. No worker, no pack and no job gets it."""
SECRET_KEYS = ("auth_token_comfy_org", "api_key_comfy_org", SERVER_KEY)
"""Keys of a job's extra data."""
_SHORTEST = 8
"""Anything shorter is no key, and occurs in texts by chance."""
_INSTEAD = "[secret]"


def secret_values(extra_data: Mapping[str, Any]) -> tuple[str, ...]:
    """The secrets of a job, longest first."""
    values = {extra_data.get(key) for key in SECRET_KEYS if isinstance(extra_data.get(key), str)}
    return tuple(sorted((value for value in values if value and len(value) >= _SHORTEST), key=len, reverse=True))


def split_secrets(body: Any) -> tuple[Any, dict[str, Any]]:
    """What a `POST /prompt` carries without its secrets, and those that are for nodes."""
    extra_data = body.get("extra_data") if isinstance(body, dict) else None
    if not isinstance(extra_data, dict) or extra_data.keys().isdisjoint(SECRET_KEYS):
        return body, {}
    secrets = {key: extra_data[key] for key in SECRET_KEYS if key in extra_data and key != SERVER_KEY}
    return {**body, "extra_data": {key: extra_data[key] for key in extra_data if key not in SECRET_KEYS}}, secrets


def redact(text: str, secrets: Sequence[str]) -> str:
    """`text` with `[secret]` in place of each secret."""
    for secret in secrets:
        text = text.replace(secret, _INSTEAD)
    return text


_CREDENTIAL = re.compile(
    r"""(?ix)
    ( (?: \b(?:api[_-]?key|x-api-key|token|password|authorization|auth_token_comfy_org|api_key_comfy_org)
          ["']? \s* [=:] \s* ["']? (?:bearer\s+)?
        | \bbearer\s+ ) )
    [^\s"'&,;]{8,}
    """
)


def redact_credentials(text: str) -> str:
    """`text` with `[secret]` in place of what follows words such as `api_key=`, `token:` or `Bearer`."""
    return _CREDENTIAL.sub(rf"\1{_INSTEAD}", text)
