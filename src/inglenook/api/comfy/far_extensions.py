"""Scripts of node packs that other servers have: the editor in front of them needs these too."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.cache_headers import cache_control
from inglenook.api.deps import Services
from inglenook.api.editor.static_files import page_type
from inglenook.api.errors import ApiError
from inglenook.api.etags import is_known
from inglenook.client import ClientError

if TYPE_CHECKING:
    from inglenook.workers.remote import RemoteWorker

_PATIENCE_S = 15.0


def far_packs(server: Services, own: Collection[str]) -> Mapping[str, RemoteWorker]:
    """Packs with scripts that are not on this machine -> the first server that has them."""
    found: dict[str, RemoteWorker] = {}
    for worker in server.dispatcher.workers:
        for pack in getattr(worker, "extensions", ()):
            if pack not in own:
                found.setdefault(pack, cast("RemoteWorker", worker))  # only these have extensions
    return found


async def far_file(server: Services, own: Collection[str], pack: str, path: str, request: Request) -> Response | None:
    """A file of such a pack, shown as one of this machine would be; None where there is none.

    Nothing of the request goes to the server but the path. Raises ApiError 502 when it does not answer.
    """
    worker = far_packs(server, own).get(pack)
    if worker is None:
        return None
    try:
        async with asyncio.timeout(_PATIENCE_S):
            content = await worker.extension_file(pack, path)
    except (ClientError, TimeoutError) as error:
        raise ApiError(502, "server_unreachable", f"Server {worker.name} did not send this file") from error
    if content is None:
        return None
    name = path.rpartition("/")[2]
    tag = f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    headers = {"Content-Type": page_type(name), "X-Content-Type-Options": "nosniff", "ETag": tag}
    if (rule := cache_control(name, 200)) is not None:
        headers["Cache-Control"] = rule
    if is_known(request.headers, tag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers)
