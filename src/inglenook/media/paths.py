"""One rule for every path that a request or a node names: it stays below its folder.

Names use `/`; a backslash counts as one, as clients on Windows send it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from inglenook.errors import UnsafePath

_MAX_COMPONENT_BYTES = 255
_MAX_NAME_BYTES = 4096
_MAX_DEPTH = 100
"""Most folders in a name; making or walking a thousand inside each other is no use to anybody."""
_ROOM_BYTES = 64
"""For the end of a path, and the temporary names that files have until they are whole."""
_DRIVE = re.compile(r"^[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_WINDOWS_DEVICE = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.IGNORECASE)


def parts(name: str) -> tuple[str, ...]:
    """Split a relative name into its components; `()` for an empty name or `.`.

    Raises UnsafePath for an absolute name, `..`, a drive letter, a control character (NUL among them), a name that is
    not UTF-8, for what no file system stores (components over 255 bytes), and for more than 100 folders.
    """
    if _CONTROL.search(name):
        raise UnsafePath(f"a control character in the path {_shown(name)}")
    slashed = name.replace("\\", "/")
    if slashed.startswith("/"):
        raise UnsafePath(f"the path {_shown(name)} is absolute: give one relative to its folder")
    components = tuple(part for part in slashed.split("/") if part not in ("", "."))
    if len(components) > _MAX_DEPTH:
        raise UnsafePath(f"the path {_shown(name)} has more than {_MAX_DEPTH} folders")
    for part in components:
        _check_component(part, name)
    if len(slashed.encode()) > _MAX_NAME_BYTES:
        raise UnsafePath(f"the path {_shown(name)} is longer than {_MAX_NAME_BYTES} bytes")
    return components


def _check_component(part: str, name: str) -> None:
    if part == "..":
        raise UnsafePath(f"the path {_shown(name)} leaves its folder ('..')")
    if _DRIVE.match(part):
        raise UnsafePath(f"a drive letter in the path {_shown(name)}")
    try:
        length = len(part.encode())
    except UnicodeEncodeError:
        raise UnsafePath(f"the path {_shown(name)} is not valid text") from None
    if length > _MAX_COMPONENT_BYTES:
        raise UnsafePath(f"a name in the path {_shown(name)} is longer than {_MAX_COMPONENT_BYTES} bytes")
    if os.name == "nt" and (":" in part or part[-1] in " ." or _WINDOWS_DEVICE.match(part)):
        raise UnsafePath(f"the name {part!r} is not allowed on this system")


def is_utf8(name: str) -> bool:
    """Whether a name can stand in JSON: one of the disk that is not UTF-8 has lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def join(root: Path, *names: str) -> Path:
    """The path of relative names below `root`, by the look of the names alone (see `parts`)."""
    return root.joinpath(*(part for name in names for part in parts(name)))


def resolve(root: Path, *names: str) -> Path:
    """The path of relative names below `root`, which need not exist.

    Raises UnsafePath as `parts` does, and when a symbolic link on the way leads out of `root`.
    """
    path = join(root, *names)
    if len(os.fsencode(path)) > _MAX_NAME_BYTES - _ROOM_BYTES:
        raise UnsafePath(f"the path {_shown('/'.join(names))} is too long for this system")
    try:
        real_path = os.path.realpath(path)
        if real_path.startswith(f"{root}{os.sep}"):  # then there are no links in `root`; half as many looks at the disk
            return path
        real_root = os.path.realpath(root)
    except OSError as error:  # a loop of links
        raise UnsafePath(f"the path {_shown('/'.join(names))} cannot be followed: {error.strerror}") from None
    if real_path != real_root and not real_path.startswith(real_root.rstrip(os.sep) + os.sep):
        raise UnsafePath(f"the path {_shown('/'.join(names))} leads out of its folder through a symbolic link")
    return path


def _shown(name: str) -> str:
    return repr(name if len(name) <= 100 else name[:97] + "...")
