"""How many files and sockets this process may have open."""

from __future__ import annotations

import logging
import sys

if sys.platform != "win32":
    import resource

logger = logging.getLogger(__name__)

_ENOUGH = 1 << 20
"""Some systems allow a thousand million, and old programs close each at their start."""


def raise_descriptor_limit() -> None:
    """Let this process open as many files and sockets as the system allows it; call it once, at the start.

    The usual soft limit of 1024 is one websocket each for a thousand clients. Where the system refuses, or has no such
    limit (Windows), nothing changes.
    """
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError) as error:  # macOS allows less than it says
        logger.warning("the limit of %s open files could not be raised to %s: %s", soft, wanted, error)
