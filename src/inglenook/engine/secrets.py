"""Values that a job brings for its nodes and that no message, history or log may repeat."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

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


def split_secrets(body: Any, keys: Sequence[str] = ()) -> tuple[Any, dict[str, Any]]:
    """What a `POST /prompt` carries without its secrets, and those that are for nodes.

    keys: those of the server that the request gave. At any depth of the extra data neither they nor the secrets are
    left: much of it goes into history and pictures.
    """
    extra_data = body.get("extra_data") if isinstance(body, dict) else None
    if not isinstance(extra_data, dict):
        return body, {}
    secrets = {key: extra_data[key] for key in SECRET_KEYS if key in extra_data and key != SERVER_KEY}
    kept = {key: extra_data[key] for key in extra_data if key not in SECRET_KEYS}
    values = (*keys, *secret_values(extra_data))
    if _may_have(kept, values):
        kept = _without_secrets(kept, values)
    elif len(kept) == len(extra_data):
        return body, {}
    return {**body, "extra_data": kept}, secrets


def _may_have(value: Any, secrets: Sequence[str]) -> bool:
    """Whether a secret, or the name of one, is written in it: faster than to look at each part of a workflow."""
    try:
        text = orjson.dumps(value)
        return any(orjson.dumps(word)[1:-1] in text for word in (*SECRET_KEYS, *secrets))
    except TypeError:  # text that is no Unicode
        return True


def _without_secrets(value: Any, secrets: Sequence[str]) -> Any:
    """A JSON value without the texts under the names of secrets, and `[secret]` in place of each secret elsewhere."""
    match value:
        case dict():
            return {
                redact(name, secrets): _without_secrets(part, secrets)
                for name, part in value.items()
                if name not in SECRET_KEYS or isinstance(part, dict | list)  # such as the link of a node's input
            }
        case list():
            return [_without_secrets(part, secrets) for part in value]
        case str():
            return redact(value, secrets)
        case _:
            return value


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
