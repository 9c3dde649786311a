"""What the API process and the device process agree on about the routes of node packs. Needs no aiohttp."""

import shutil
from pathlib import Path

UNMATCHED = "X-Inglenook-Unmatched"
"""Marks an answer that no route gave: the API process then answers in its own words."""

FOLDER_PREFIX = "inglenook-routes-"
"""How the names of the folders begin in which the sockets lie."""


def discard_socket(path: str) -> None:
    """Remove the socket at `path` and its folder: the process that served there has ended."""
    folder = Path(path).parent
    if folder.name.startswith(FOLDER_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)
