"""What a node pack needs beside inglenook, as its files say it, and what of that is installed. Runs no code of packs.

`requirements.txt` counts; without one, `[project] dependencies` of `pyproject.toml`. What inglenook itself needs stays
as it is installed: a pack that asks for another torch does not get it.
"""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Specification
from packaging.utils import canonicalize_name

from inglenook.errors import SettingsError

_SIZE_LIMIT = 1 << 20
_INCLUDES_LIMIT = 20
_ALWAYS_KEPT = frozenset(
    ("inglenook", "torch", "torchvision", "torchaudio", "numpy", "diffusers", "transformers", "safetensors", "pillow")
)
_COMMENT = re.compile(r"(^|\s)#.*$")
_INCLUDE = re.compile(r"^(?:-r\s*|--requirement(?:\s+|\s*=\s*))(\S.*)$")
_OPTION = re.compile(r"\s+--?[a-z].*$")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")


class State(Enum):
    """How a requirement stands."""

    INSTALLED = "installed"
    MISSING = "missing"
    OTHER_VERSION = "another version is installed"
    KEPT = "inglenook keeps another version"
    NOT_HERE = "not needed on this system"
    UNKNOWN = "an address or a file"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that a pack needs."""

    line: str
    """As pip takes it."""
    state: State
    installed: str | None = None
    """The version that is installed."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a pack's files say."""

    source: Path | None = None
    """The file; None when the pack has none."""
    entries: tuple[Requirement, ...] = ()
    options: tuple[str, ...] = ()
    """Lines that are not for a package but for pip itself: `--extra-index-url ...`."""

    def having(self, *states: State) -> list[Requirement]:
        return [entry for entry in self.entries if entry.state in states]

    @property
    def missing(self) -> list[str]:
        """What would have to be installed, as the pack says it."""
        return [entry.line for entry in self.having(State.MISSING, State.OTHER_VERSION)]


def requirements_of(path: Path) -> Requirements:
    """What the pack at `path` (a folder, or a file, which needs nothing) says that it needs.

    Raises SettingsError for files that cannot be read.
    """
    source = path / "requirements.txt"
    if source.is_file():
        lines = list(_lines(source, path, []))
    else:
        source = path / "pyproject.toml"
        if not source.is_file():
            return Requirements()
        lines = _project_dependencies(source)
    kept = kept_versions()
    entries = tuple(_examined(line, kept) for line in lines if not line.startswith("-") or _is_editable(line))
    return Requirements(
        source, entries, tuple(line for line in lines if line.startswith("-") and not _is_editable(line))
    )


def kept_versions() -> dict[str, str]:
    """Packages that stay as they are installed, with their versions: inglenook and what it needs."""
    names = {canonicalize_name(name) for name in _ALWAYS_KEPT}
    with contextlib.suppress(metadata.PackageNotFoundError):
        for line in metadata.requires("inglenook") or ():
            with contextlib.suppress(InvalidRequirement):
                specification = Specification(line)
                if "dev" not in str(specification.marker):
                    names.add(canonicalize_name(specification.name))
    versions = {name: _installed(name) for name in names}
    return {name: version for name, version in sorted(versions.items()) if version is not None}


def constraints() -> str:
    """The text of a constraints file for pip that keeps those packages."""
    return "".join(f"{name}=={version}\n" for name, version in kept_versions().items())


# Files


def _lines(file: Path, pack: Path, seen: list[Path]) -> Iterator[str]:
    """The lines of a requirements file without comments, those of files that it includes in their place."""
    seen.append(file)
    for line in _logical_lines(_read(file)):
        include = _INCLUDE.match(line)
        if include is None:
            yield line
            continue
        included = (file.parent / include[1].strip("\"' ")).resolve()
        if not included.is_relative_to(pack.resolve()):
            raise SettingsError(f"{file} includes {include[1]!r}, which is not in the pack")
        if len(seen) > _INCLUDES_LIMIT:
            raise SettingsError(f"{file} includes more than {_INCLUDES_LIMIT} files, perhaps itself")
        yield from _lines(included, pack, seen)


def _logical_lines(text: str) -> Iterator[str]:
    for line in re.sub(r"\\\r?\n", "", text).splitlines():
        bare = _COMMENT.sub("", line).strip()
        if bare:
            yield bare


def _project_dependencies(file: Path) -> list[str]:
    try:
        document = tomllib.loads(_read(file))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not valid TOML: {error}") from None
    project = document.get("project")
    dependencies = project.get("dependencies", []) if isinstance(project, dict) else []
    if not isinstance(dependencies, list) or not all(isinstance(line, str) for line in dependencies):
        raise SettingsError(f"{file}: the dependencies of the project must be a list of text")
    return [line.strip() for line in dependencies if line.strip()]


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(_SIZE_LIMIT + 1)
    except OSError as error:
        raise SettingsError(f"cannot read {file}: {error.strerror}") from None
    if len(data) > _SIZE_LIMIT:
        raise SettingsError(f"{file} is larger than {_SIZE_LIMIT} bytes")
    for encoding in ("utf-8-sig", "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1"):
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode(encoding)
    raise SettingsError(f"{file} is no text")


# What is installed


def _is_editable(line: str) -> bool:
    return bool(re.match(r"^(-e|--editable)\b", line))


def _examined(line: str, kept: dict[str, str]) -> Requirement:
    try:
        specification = Specification(_OPTION.sub("", line))
    except InvalidRequirement:
        return _examined_address(line)
    if not _applies(specification):
        return Requirement(line, State.NOT_HERE)
    name = canonicalize_name(specification.name)
    version = _installed(name)
    if version is None:
        return Requirement(line, State.MISSING)
    if specification.specifier.contains(version, prereleases=True):
        return Requirement(line, State.INSTALLED, version)
    return Requirement(line, State.KEPT if name in kept else State.OTHER_VERSION, version)


def _examined_address(line: str) -> Requirement:
    """A line that names no package, unless the address ends with `#egg=name`."""
    egg = _EGG.search(line)
    version = None if egg is None else _installed(egg[1])
    return Requirement(line, State.UNKNOWN if version is None else State.INSTALLED, version)


def _applies(specification: Specification) -> bool:
    return specification.marker is None or specification.marker.evaluate({"extra": ""})


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except (metadata.PackageNotFoundError, ValueError):
        return None


def to_install(requirements: Requirements) -> list[str]:
    """The lines of a requirements file for pip with what is not there, the options first."""
    wanted = requirements.having(State.MISSING, State.OTHER_VERSION, State.UNKNOWN)
    return [*requirements.options, *_unique(entry.line for entry in wanted)] if wanted else []


def _unique(lines: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(lines))
