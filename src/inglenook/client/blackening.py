"""Takes the key that a server is given out of what the server says: answers may repeat the headers of a request."""

from __future__ import annotations

import base64
import dataclasses
import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

_INSTEAD = "[secret]"
_SHORT = 8
"""A key with fewer characters may be a part of other words, so that it is looked for between them."""
_DEEPEST = 200


class Blackener:
    """Knows one key, as it is and as it is written in URLs, JSON, HTML and basic authentication."""

    def __init__(self, key: str | None) -> None:
        self._pattern = None if not key else re.compile("|".join(_patterns(key)), re.IGNORECASE)

    def text(self, text: str) -> str:
        """The text with `[secret]` in place of the key."""
        return text if self._pattern is None else self._pattern.sub(_INSTEAD, text)

    def body(self, content: bytes) -> bytes:
        """The same for the content of an answer."""
        if self._pattern is None:
            return content
        text = content.decode("utf-8", "surrogateescape")
        return self.text(text).encode("utf-8", "surrogateescape")

    def value(self, value: Any) -> Any:
        """The same for every text in a value: see `with_texts`."""
        return value if self._pattern is None else with_texts(value, self.text)


def with_texts(value: Any, change: Callable[[str], str], depth: int = 0) -> Any:
    """A value, of JSON or an object of a dataclass, with each text changed; what lies very deep is left."""
    if depth > _DEEPEST:
        return value
    match value:
        case str():
            return change(value)
        case list() | tuple():
            items = [with_texts(item, change, depth + 1) for item in value]
            return tuple(items) if isinstance(value, tuple) else items
        case Mapping():
            return {
                with_texts(key, change, depth + 1): with_texts(item, change, depth + 1) for key, item in value.items()
            }
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            found = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            cleaned = {name: with_texts(item, change, depth + 1) for name, item in found.items()}
            changed = {name: item for name, item in cleaned.items() if item != found[name]}
            return dataclasses.replace(value, **changed) if changed else value
    return value


def of_headers(headers: Mapping[str, str]) -> Blackener:
    """For the key that headers of a request carry."""
    _, _, key = headers.get("Authorization", "").partition("Bearer ")
    return Blackener(key or None)


def _patterns(key: str) -> Iterator[str]:
    """Regular expressions, longest forms first."""
    if len(key) >= _SHORT:
        yield from sorted({re.escape(part) for part in _encoded(key)}, key=len, reverse=True)
    forms = {key, quote(key, safe=""), quote(key), quote_plus(key), json.dumps(key)[1:-1], html.escape(key)}
    for form in sorted(forms, key=len, reverse=True):
        yield re.escape(form) if len(key) >= _SHORT else rf"(?<!\w){re.escape(form)}(?!\w)"


def _encoded(key: str) -> Iterator[str]:
    """The key in base64, wherever it begins in what is encoded, without the characters that its neighbours share."""
    raw = key.encode()
    for before in range(3):
        shifted = b"\0" * before + raw
        whole = shifted[: len(shifted) - len(shifted) % 3]
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(whole).decode()[(before * 8 + 5) // 6 :]
