"""Pictures for clients, decoded in threads of their own: few at a time, each may take hundreds of megabytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")

_pictures = ThreadPoolExecutor(max_workers=2, thread_name_prefix="pictures")


async def in_picture_thread(function: Callable[..., Result], *arguments: Any) -> Result:
    """What the function returns, called in one of these threads."""
    return await asyncio.get_running_loop().run_in_executor(_pictures, function, *arguments)
