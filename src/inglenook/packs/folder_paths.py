"""The functions of ComfyUI's `folder_paths` over `media.folders`: names of model files, paths of inputs and results.

Paths are strings, as packs expect them. What leaves its folder is refused: UnsafePath, or None from `get_full_path`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from inglenook.errors import MediaError, ModelError
from inglenook.media import naming, paths
from inglenook.media.folders import Folders, split_annotation
from inglenook.media.kinds import content_type
from inglenook.nodes.environment import environment
from inglenook.packs.model_folders import table

SYSTEM_USER_PREFIX = "__"
"""Folders below the user folder that begin so belong to no user."""
_ANY_KIND = ""


def _folders() -> Folders:
    return environment().folders


# Model folders


def get_filename_list(folder_name: str) -> list[str]:
    """Relative names of a model folder's files. Raises KeyError for an unknown folder."""
    _known(folder_name)
    return _folders().list(folder_name)


def get_folder_paths(folder_name: str) -> list[str]:
    """The folders that are searched for models of a kind. Raises KeyError for an unknown one."""
    _known(folder_name)
    return [*table[folder_name][0]]


def get_full_path(folder_name: str, filename: str) -> str | None:
    """The path of a model file; None when there is no such folder or file, or the name leaves the folder."""
    try:
        return str(_folders().find(folder_name, filename))
    except (ModelError, MediaError):
        return None


def get_full_path_or_raise(folder_name: str, filename: str) -> str:
    """The path of a model file. Raises FileNotFoundError that says where it was looked for."""
    try:
        return str(_folders().find(folder_name, filename))
    except (ModelError, MediaError) as error:
        raise FileNotFoundError(str(error)) from None


def add_model_folder_path(folder_name: str, full_folder_path: str, is_default: bool = False) -> None:
    """Search a further folder for models of a kind, which may be new; `is_default`: before the others."""
    _folders().add_model_folder(folder_name, Path(full_folder_path).absolute(), first=is_default)


def _known(folder_name: str) -> None:
    if folder_name not in table:
        raise KeyError(f"there is no model folder {folder_name!r}; known ones: {', '.join(table)}")


# Input, output, temp, user


def get_input_directory() -> str:
    return str(_folders().input)


def get_output_directory() -> str:
    return str(_folders().output)


def get_temp_directory() -> str:
    return str(_folders().temp)


def get_user_directory() -> str:
    return str(_folders().user)


def set_input_directory(input_dir: str) -> None:
    _folders().move("input", Path(input_dir).absolute())


def set_output_directory(output_dir: str) -> None:
    _folders().move("output", Path(output_dir).absolute())


def set_temp_directory(temp_dir: str) -> None:
    _folders().move("temp", Path(temp_dir).absolute())


def set_user_directory(user_dir: str) -> None:
    _folders().move("user", Path(user_dir).absolute())


def get_directory_by_type(type_name: str) -> str | None:
    """The folder for `input`, `output` or `temp`, None for another word."""
    try:
        return str(_folders().directory(type_name))
    except MediaError:
        return None


def get_public_user_directory(user_id: str) -> str | None:
    """The folder of a user's files, None for ids of the system's own. Raises UnsafePath."""
    if user_id.startswith(SYSTEM_USER_PREFIX) or not user_id:
        return None
    return str(paths.resolve(_folders().user, user_id))


def get_system_user_directory(name: str = "system") -> str:
    """A folder below the user folder that clients do not reach. Raises ValueError for what is no simple name."""
    if not name.isidentifier() or name.startswith("_"):
        raise ValueError(f"{name!r} cannot be the name of a system folder: use letters, digits and _")
    return str(_folders().user / (SYSTEM_USER_PREFIX + name))


# Names of inputs


def annotated_filepath(name: str) -> tuple[str, str | None]:
    """`a.png [output]` -> (`a.png`, the output folder); without annotation the folder is None."""
    plain, kind = split_annotation(name, _ANY_KIND)
    return plain, get_directory_by_type(kind) if kind else None


def get_annotated_filepath(name: str, default_dir: str | None = None) -> str:
    """The path of `a.png`, `sub/a.png` or `a.png [output]`, in the input folder (or `default_dir`) without annotation.

    Raises UnsafePath for a name that leaves its folder.
    """
    plain, folder = annotated_filepath(name)
    return str(paths.resolve(Path(folder or default_dir or get_input_directory()), plain))


def exists_annotated_filepath(name: str) -> bool:
    """Whether there is such a file; False for a name that leaves its folder."""
    return _folders().input_exists(name)


def get_input_subfolders() -> list[str]:
    """The folders below the input folder, as relative names, sorted."""
    root = get_input_directory()
    found = [Path(folder, name).relative_to(root).as_posix() for folder, names, _ in os.walk(root) for name in names]
    return sorted(found)


# Names of results


def get_save_image_path(
    filename_prefix: str, output_dir: str, image_width: int = 0, image_height: int = 0
) -> tuple[str, str, int, str, str]:
    """Where the next result goes: (folder, beginning of the file name, its number, subfolder, the prefix filled in).

    The name is to be `<beginning>_<number>_.<extension>`, the number with five digits. The folder is made. Fills in
    `%width%`, `%height%` and the time. Raises UnsafePath for a prefix that leaves `output_dir`.
    """
    root = Path(output_dir).absolute()
    prefix = naming.expand(filename_prefix, image_width, image_height)
    if Path(prefix).is_absolute() and Path(prefix).is_relative_to(root):
        prefix = Path(prefix).relative_to(root).as_posix()
    folder, subfolder, name = naming.split_prefix(root, prefix)
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder), name, naming.highest_number(folder, name) + 1, subfolder, prefix


# Lists of files


def recursive_search(
    directory: str, excluded_dir_names: Collection[str] | None = None
) -> tuple[list[str], dict[str, float]]:
    """Files below a folder as relative names, and every folder that was read with the time of its last change."""
    excluded = frozenset(excluded_dir_names or ())
    files: list[str] = []
    changed: dict[str, float] = {}
    for folder, names, found in os.walk(directory, followlinks=True):
        names[:] = [name for name in names if name not in excluded]
        changed[folder] = Path(folder).stat().st_mtime
        files += [os.path.relpath(Path(folder, name), directory) for name in found]
    return files, changed


def filter_files_extensions(files: Iterable[str], extensions: Collection[str]) -> list[str]:
    """Those with one of the extensions (with dot, lower case), sorted; all when there are none."""
    return sorted(name for name in files if not extensions or Path(name).suffix.lower() in extensions)


def filter_files_content_types(files: Iterable[str], content_types: Collection[str]) -> list[str]:
    """Those whose name says that they are of a kind: `image`, `audio`, `video`, `model`."""
    return [name for name in files if content_type(name).split("/", 1)[0] in content_types]


def cached_filename_list_(folder_name: str) -> tuple[list[str], dict[str, float], float] | None:
    """The names of a model folder with what a cache would know besides; None for an unknown folder."""
    return (_folders().list(folder_name), {}, time.perf_counter()) if folder_name in table else None


class CacheHelper:
    """Packs switch a cache of lists on and off with it; lists of files are read again only after a change anyway."""

    active = False

    def get(self, key: str, default: Any = None) -> Any:
        return default

    def set(self, key: str, value: Any) -> None:
        """Nothing is kept."""

    def clear(self) -> None:
        """Nothing is kept."""

    def __enter__(self) -> CacheHelper:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is kept."""
