"""`folder_names_and_paths`: the model folders as packs know them, name -> (list of paths, set of extensions).

The lists and sets tell `media.folders.Folders` of each change, so that every list of files follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from inglenook.errors import NodeError
from inglenook.media.folders import ALIASES, Folders, ModelFolder
from inglenook.nodes.environment import environment

Entry = tuple["Places", "Extensions"]
_Method = Callable[..., Any]


def _telling(base: type, name: str) -> _Method:
    """A method of `base` that tells of the change afterwards."""
    original = getattr(base, name)

    def method(self: Any, *arguments: Any) -> Any:
        result = original(self, *arguments)
        self.changed()
        return result

    method.__name__ = name
    return method


class Places(list[str]):
    """The folders of an entry, searched in this order."""

    changed: Callable[[], None]


class Extensions(set[str]):
    """The extensions of an entry's files, with their dots; none: every file."""

    changed: Callable[[], None]


for _name in (
    "append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort",
    "__setitem__", "__delitem__", "__iadd__", "__imul__",
):  # fmt: skip
    setattr(Places, _name, _telling(list, _name))
for _name in (
    "add", "clear", "difference_update", "discard", "intersection_update", "pop", "remove",
    "symmetric_difference_update", "update", "__iand__", "__ior__", "__isub__", "__ixor__",
):  # fmt: skip
    setattr(Extensions, _name, _telling(set, _name))


class FolderTable(MutableMapping[str, Entry]):
    """The model folders of the current environment. Older names (`clip`, `unet`) work too, but are not listed."""

    def __init__(self) -> None:
        self._entries: WeakKeyDictionary[Folders, dict[str, Entry]] = WeakKeyDictionary()

    def __getitem__(self, name: str) -> Entry:
        folders = environment().folders
        folder = folders.model_folder(name)
        if folder is None:
            raise KeyError(name)
        entry = self._entries.setdefault(folders, {}).get(folder.name)
        if entry is None:
            entry = self._entries[folders][folder.name] = _entry(folders, folder.name)
        _refresh(entry, folder)
        return entry

    def __setitem__(self, name: str, value: tuple[Iterable[str], Iterable[str]]) -> None:
        try:
            places, extensions = value
            if isinstance(places, str) or isinstance(extensions, str):
                raise TypeError
            environment().folders.set_model_folder(name, [_place(path) for path in places], extensions)
        except (TypeError, ValueError):
            raise NodeError(
                f"folder_names_and_paths[{name!r}] must be (list of paths, set of extensions), not {value!r}"
            ) from None

    def __delitem__(self, name: str) -> None:
        raise NodeError(f"model folder {name!r} cannot be taken away from folder_names_and_paths")

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and environment().folders.model_folder(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(environment().folders.models)

    def __len__(self) -> int:
        return len(environment().folders.models)

    def copy(self) -> dict[str, Entry]:
        return dict(self)

    def __repr__(self) -> str:
        return repr(dict(self))


def _entry(folders: Folders, name: str) -> Entry:
    places, extensions = Places(), Extensions()
    places.changed = extensions.changed = lambda: _store(folders, name, places, extensions)
    return places, extensions


def _store(folders: Folders, name: str, places: Places, extensions: Extensions) -> None:
    folders.set_model_folder(name, [_place(path) for path in places], extensions)


def _refresh(entry: Entry, folder: ModelFolder) -> None:
    """Bring an entry up to date, without telling anybody: who kept the list sees what others added."""
    places, extensions = entry
    list.__setitem__(places, slice(None), [str(path) for path in folder.paths])
    set.clear(extensions)
    set.update(extensions, folder.extensions)


def _place(path: str | Path) -> Path:
    return Path(path).absolute()


def map_legacy(name: str) -> str:
    """The present name of a model folder that had another one."""
    return ALIASES.get(name, name)


table = FolderTable()
"""The one table: it follows the environment."""
