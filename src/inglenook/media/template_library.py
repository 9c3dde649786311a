"""Workflows that a server offers as templates: `<name>.json` in one folder, with a picture `<name>.jpg` beside it."""

from __future__ import annotations

from pathlib import Path

from inglenook.errors import MediaError, UnsafePath
from inglenook.media import paths, uploads, writing

MAX_TEMPLATES = 10_000
MAX_NAME_BYTES = 200
_ENDING = ".json"


class TemplateLibrary:
    """Blocks on the disk. Names have no folders and no ending."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """The names, sorted."""
        try:
            found = [path.stem for path in self.folder.iterdir() if path.suffix == _ENDING and _is_shown(path.stem)]
        except OSError:
            return []
        return sorted(found)

    def read(self, name: str) -> bytes:
        """The workflow as JSON. Raises FileNotFoundError, UnsafePath."""
        return self._existing(name).read_bytes()

    def add(self, name: str, workflow: bytes) -> None:
        """Keep a workflow. Raises FileExistsError, UnsafePath, MediaError."""
        path = self._path(name)
        if path.exists():
            raise FileExistsError(path)
        if len(self.names()) >= MAX_TEMPLATES:
            raise MediaError(f"the library has {MAX_TEMPLATES} templates, and no more may be added")
        if not uploads.place_as(path.parent, path.name, workflow):
            raise FileExistsError(path)

    def put(self, name: str, workflow: bytes) -> bool:
        """Keep a workflow in place of the one that has this name; True without such a one. Raises as `add`."""
        path = self._path(name)
        if not path.exists():
            try:
                self.add(name, workflow)
                return True
            except FileExistsError:
                pass
        writing.replace(path, workflow, flush=True)
        return False

    def remove(self, name: str) -> None:
        """Remove a template and its picture. Raises FileNotFoundError, UnsafePath."""
        path = self._existing(name)
        path.unlink()
        path.with_suffix(".jpg").unlink(missing_ok=True)

    def _existing(self, name: str) -> Path:
        path = self._path(name)
        if not path.is_file():
            raise FileNotFoundError(path)
        return path

    def _path(self, name: str) -> Path:
        name = name.removesuffix(_ENDING)
        if paths.parts(name) != (name,) or not _is_shown(name) or len(name.encode()) > MAX_NAME_BYTES:
            text = f"a template has a name of at most {MAX_NAME_BYTES} bytes without folders, not {name[:100]!r}"
            raise UnsafePath(text)
        return paths.resolve(self.folder, f"{name}{_ENDING}")


def _is_shown(name: str) -> bool:
    return bool(name) and not name.startswith(".") and paths.is_utf8(name)
