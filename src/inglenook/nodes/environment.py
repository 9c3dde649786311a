"""What built-in nodes share inside a device process: folders, models, how previews and metadata are made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inglenook.media.metadata import workflow_text
from inglenook.media.scratch import Scratch

if TYPE_CHECKING:
    from inglenook.media.folders import Folders
    from inglenook.models.memory import ModelStore


@dataclass(frozen=True, slots=True)
class Environment:
    """The services of one device process, set once at its start (or by a test)."""

    folders: Folders
    models: ModelStore
    max_megapixels: float = 256.0
    """Largest picture that is read, in millions of pixels."""
    save_metadata: bool = True
    """Whether saved files carry the workflow."""
    preview_method: str = "auto"
    preview_size: int = 512
    """Longest side of a preview, pixels."""

    def workflow_text(self, prompt: Any, extra_pnginfo: Any) -> dict[str, str]:
        """Keyword -> JSON text of what saved files carry; nothing when that is switched off."""
        return workflow_text(prompt, extra_pnginfo) if self.save_metadata else {}


_environment: ContextVar[Environment] = ContextVar("inglenook_environment")
_of_process: list[Environment] = []


def environment() -> Environment:
    """The current environment; LookupError outside a device process."""
    current = _environment.get(None)
    if current is None:
        if not _of_process:
            raise LookupError("there is no environment: this is no device process")
        current = _of_process[-1]
    return current


def scratch() -> Scratch:
    """Room for a file that is being encoded, where its folder has room."""
    return Scratch(environment().folders.temp)


def install(environment: Environment) -> None:
    """Make `environment` that of the whole process: threads that a node pack starts inherit no context."""
    _of_process[:] = [environment]


@contextmanager
def using(environment: Environment) -> Iterator[Environment]:
    """Make `environment` the current one."""
    token = _environment.set(environment)
    try:
        yield environment
    finally:
        _environment.reset(token)
