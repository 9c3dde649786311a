"""Who uses a server: names in `user/users.json`, and a folder for each below `user`, as a ComfyUI folder has them."""

from __future__ import annotations

import logging
import os
import re
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from inglenook.errors import InglenookError, UnsafePath
from inglenook.media import paths
from inglenook.media.json_file import JsonFile
from inglenook.media.user_files import UserFiles

logger = logging.getLogger(__name__)

DEFAULT_USER = "default"
"""Everybody, unless the server tells its users apart. Always there, listed only where the file lists it."""

MAX_USERS = 10_000
MAX_NAME = 100
"""Longest name, characters."""

_RESERVED = "__"
"""Ids that begin so are kept for the server itself."""
_LOOK_AGAIN_S = 1.0
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9\-_]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class UserRefused(InglenookError):
    """A user that cannot be added; the message says why."""


class Users:
    """The users of one server. `data_folder`, with its database and keys, lies among their folders but is none."""

    def __init__(self, folder: Path, data_folder: Path) -> None:
        self._folder = folder
        self._data_folder = data_folder
        self._file = JsonFile(folder / "users.json")
        self._settings: dict[str, JsonFile] = {}
        self._lock = Lock()
        self._listed: Mapping[str, Any] = {}
        self._names: dict[str, str] = {}
        self._read_at = float("-inf")

    def names(self) -> dict[str, str]:
        """The names of the listed users by their ids."""
        now = time.monotonic()
        if now - self._read_at > _LOOK_AGAIN_S:  # the file may be edited by hand; each request asks
            self._read_at = now
            listed = self._file.read()
            if listed is not self._listed:
                self._names = {key: name for key, name in listed.items() if _is_text(name) and self._may_be_folder(key)}
                self._listed = listed
        return self._names

    def knows(self, user_id: str) -> bool:
        """Whether there is such a user."""
        return user_id == DEFAULT_USER or user_id in self.names()

    def add(self, name: str) -> str:
        """Add a user; return the id. Raises UserRefused for a name that is taken or none, MediaError."""
        name = name.strip()
        user_id = _new_id(name)

        def put(users: dict[str, Any]) -> None:
            if name in users.values():
                raise UserRefused("Duplicate username.")
            if len(users) >= MAX_USERS:
                raise UserRefused(f"There are {MAX_USERS} users, and no more may be added.")
            users[user_id] = name

        self._change(put)
        return user_id

    def remove(self, user_id: str) -> bool:
        """Take a user off the list, whose files stay; False when it was not there. Raises UserRefused, MediaError."""
        if user_id == DEFAULT_USER:
            raise UserRefused("The default user cannot be deleted.")
        found = False

        def take(users: dict[str, Any]) -> None:
            nonlocal found
            found = users.pop(user_id, None) is not None

        if user_id in self.names():
            self._change(take)
        return found

    def _change(self, change: Callable[[dict[str, Any]], None]) -> None:
        try:
            self._file.update(change)
        finally:
            self._read_at = float("-inf")

    # Folders

    def files(self, user_id: str) -> UserFiles:
        """The files of a user. Raises UnsafePath for an id that names no folder of a user."""
        if not self._is_usable(user_id):
            raise UnsafePath(f"{user_id[:100]!r} names no folder of a user")
        return UserFiles(self._folder / user_id, self._data_folder)

    def settings(self, user_id: str) -> JsonFile:
        """The settings of a user: one object for one user, because its lock keeps changes from being lost."""
        files = self.files(user_id)
        with self._lock:
            return self._settings.setdefault(user_id, JsonFile(files.root / "comfy.settings.json"))

    def _may_be_folder(self, user_id: str) -> bool:
        """Whether an id can name a folder of files that clients may see, by the look of it."""
        try:
            if user_id.startswith(_RESERVED) or paths.parts(user_id) != (user_id,):
                return False
        except UnsafePath:
            return False
        return not self._is_of_the_server(str(self._folder / user_id), str(self._folder), str(self._data_folder))

    def _is_usable(self, user_id: str) -> bool:
        """The same with links followed."""
        if not self._may_be_folder(user_id):
            return False
        places = (self._folder / user_id, self._folder, self._data_folder)
        return not self._is_of_the_server(*(os.path.realpath(place) for place in places))

    @staticmethod
    def _is_of_the_server(place: str, folder: str, data: str) -> bool:
        """Whether a place is the data folder or lies in it, on file systems that fold case, too."""
        place, folder, data = place.casefold(), folder.casefold(), data.casefold()
        if _is_in(folder, data):  # the folders of all users lie in it: by the wish of whoever set it
            return False
        return _is_in(place, data)


def _new_id(name: str) -> str:
    if not name:
        raise UserRefused("The username is empty.")
    if len(name) > MAX_NAME or _CONTROL.search(name):
        raise UserRefused(f"A username has at most {MAX_NAME} characters, none of them a control character.")
    if name.startswith(_RESERVED):
        raise UserRefused(f"Usernames that begin with {_RESERVED} are reserved.")
    return f"{_NOT_IN_IDS.sub('-', name)}_{uuid.uuid4()}"


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
