"""Where the files of the editor's packages lie, found without importing the packages."""

from __future__ import annotations

import importlib.util
import pkgutil
from pathlib import Path

_TEMPLATES = "comfyui_workflow_templates"


def editor_folder() -> Path | None:
    """The built editor, or None when it is not installed."""
    folder = _folder("comfyui_frontend_package")
    return None if folder is None or not (folder / "static" / "index.html").is_file() else folder / "static"


def docs_folder() -> Path | None:
    """Help for node classes: `<class>/<language>.md`."""
    folder = _folder("comfyui_embedded_docs")
    return None if folder is None else folder / "docs"


def template_folders() -> tuple[Path, ...]:
    """Folders with workflow templates and their pictures, which come in several packages that share a name's start."""
    names = sorted(module.name for module in pkgutil.iter_modules() if module.name.startswith(_TEMPLATES))
    folders = (_folder(name) for name in names)
    return tuple(folder / "templates" for folder in folders if folder is not None and (folder / "templates").is_dir())


def _folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)  # of a package at the top this runs none of its code
    places = None if spec is None else spec.submodule_search_locations
    return Path(places[0]) if places else None
