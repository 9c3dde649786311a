"""Whether a client has an answer already: RFC 9110, section 13.1.2."""

from __future__ import annotations

from starlette.datastructures import Headers


def is_known(asked: Headers, etag: str) -> bool:
    """Whether the If-None-Match of a request names the state with this tag (in quotes), or any."""
    return any(tag.strip().removeprefix("W/") in (etag, "*") for tag in asked.get("if-none-match", "").split(","))
