"""Makes the modules of `surface/` importable under the names that packs use (`folder_paths`, `comfy.utils`).

A finder in front of `sys.meta_path` owns these names altogether: a module below them that is missing here is an error
that says so, never a file of a ComfyUI checkout that happens to lie on the path.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

_SURFACE = Path(__file__).parent / "surface"
NAMES = frozenset(
    path.stem for path in _SURFACE.iterdir() if path.stem != "__init__" and (path.suffix == ".py" or path.is_dir())
) - {"__pycache__"}
"""Top-level names that belong to the surface."""


def missing(module: str, live: Mapping[str, Callable[[], Any]] | None = None) -> Callable[[str], Any]:
    """The `__getattr__` of a surface module: an AttributeError that names what is not there.

    live: attributes whose value is asked for each time. A module below a package is imported when it is first used as
    an attribute: packs import `comfy.utils` and then write `comfy.samplers`.
    """

    def getattr_(name: str) -> Any:
        if live and name in live:
            return live[name]()
        if not name.startswith("_") and _file_of([*module.split("."), name])[0].is_file():
            return importlib.import_module(f"{module}.{name}")
        raise AttributeError(f"inglenook's module {module!r} has no {name!r} (see docs/custom-nodes.md)")

    return getattr_


def _file_of(parts: Sequence[str]) -> tuple[Path, bool]:
    """The file of a surface module, whether or not it is there, and whether it is a package."""
    folder = _SURFACE.joinpath(*parts)
    package = folder / "__init__.py"
    return (package, True) if package.is_file() else (folder.with_suffix(".py"), False)


class _Loader(SourceFileLoader):
    """Runs a surface module; its `__file__` lies under the base folder, where packs look for folders beside it."""

    def __init__(self, fullname: str, path: str, shown: str) -> None:
        super().__init__(fullname, path)
        self._shown = shown

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        module.__file__ = self._shown


class SurfaceFinder(MetaPathFinder):
    """Finds surface modules."""

    def __init__(self, base: Path) -> None:
        self._base = base

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parts = fullname.split(".")
        if parts[0] not in NAMES:
            return None
        file, is_package = _file_of(parts)
        if not file.is_file():
            raise ModuleNotFoundError(f"inglenook has no module {fullname!r} (see docs/custom-nodes.md)", name=fullname)
        shown = self._base.joinpath(*file.relative_to(_SURFACE).parts)
        loader = _Loader(fullname, str(file), str(shown))
        return importlib.util.spec_from_file_location(
            fullname, file, loader=loader, submodule_search_locations=[str(file.parent)] if is_package else None
        )


def install(base: Path) -> SurfaceFinder:
    """Make the surface importable in this process, once; returns the finder."""
    for finder in sys.meta_path:
        if isinstance(finder, SurfaceFinder):
            return finder
    finder = SurfaceFinder(base)
    sys.meta_path.insert(0, finder)
    return finder


def uninstall() -> None:
    """Take the surface and its modules out of this process again, for tests."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, SurfaceFinder)]
    for name in [name for name in sys.modules if name.split(".")[0] in NAMES]:
        del sys.modules[name]
