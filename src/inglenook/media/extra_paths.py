"""`extra_model_paths.yaml`: further folders for models and custom nodes, in the form that ComfyUI reads.

section:                 # any name
    base_path: /data     # optional; relative to the file
    is_default: true     # optional: these folders come first
    checkpoints: models/checkpoints
    loras: |
        models/loras
        models/lycoris
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from inglenook.errors import SettingsError


@dataclass(frozen=True, slots=True)
class ExtraPath:
    """One folder that a file adds to a model folder."""

    folder: str
    path: Path
    is_default: bool


def read(file: Path) -> list[ExtraPath]:
    """The folders that `file` names, in its order.

    Raises SettingsError when it cannot be read, is not YAML, or is not a mapping of sections.
    """
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the extra model paths file {file}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"the extra model paths file {file} is not valid YAML: {error}") from None
    if document is None:
        return []
    if not isinstance(document, Mapping):
        raise SettingsError(f"the extra model paths file {file} must hold sections, each with folder names and paths")
    return [path for name, section in document.items() for path in _section(file, str(name), section)]


def _section(file: Path, name: str, section: Any) -> Iterator[ExtraPath]:
    if section is None:
        return
    if not isinstance(section, Mapping):
        raise SettingsError(f"section {name!r} of {file} must hold folder names and paths, not {section!r}")
    home = file.absolute().parent
    base = section.get("base_path")
    root = home if base is None else home / os.path.expandvars(Path(str(base)).expanduser())
    is_default = bool(section.get("is_default", False))
    for folder, value in section.items():
        if folder in ("base_path", "is_default") or value is None:
            continue
        for line in _lines(value):
            yield ExtraPath(str(folder), Path(os.path.normpath(root / Path(line).expanduser())), is_default)


def _lines(value: Any) -> list[str]:
    lines = value if isinstance(value, list) else str(value).split("\n")
    return [str(line).strip() for line in lines if str(line).strip()]
