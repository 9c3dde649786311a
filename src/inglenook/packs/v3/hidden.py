"""What the engine gives a node besides its inputs: the workflow, its own id, tokens."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Hidden(StrEnum):
    """Hidden inputs by the name under which `cls.hidden` has them."""

    unique_id = "UNIQUE_ID"
    prompt = "PROMPT"
    extra_pnginfo = "EXTRA_PNGINFO"
    dynprompt = "DYNPROMPT"
    auth_token_comfy_org = "AUTH_TOKEN_COMFY_ORG"
    api_key_comfy_org = "API_KEY_COMFY_ORG"
    comfy_usage_source = "COMFY_USAGE_SOURCE"


class HiddenHolder:
    """The hidden values of one call; what the schema does not ask for is None."""

    def __init__(self, **values: Any) -> None:
        for kind in Hidden:
            setattr(self, kind.name, values.pop(kind.name, None))
        vars(self).update(values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None

    @classmethod
    def from_dict(cls, values: Mapping[Any, Any] | None) -> HiddenHolder:
        """Values by `Hidden` member or by its name."""
        return cls(
            **{key.name if isinstance(key, Hidden) else str(key): value for key, value in (values or {}).items()}
        )
