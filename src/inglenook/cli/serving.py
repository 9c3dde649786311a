"""`inglenook serve`."""

from __future__ import annotations

import importlib.util
import logging
import threading
import webbrowser
from collections.abc import Mapping
from typing import Any

import typer

from inglenook import __version__
from inglenook.cli import comfyui_flags
from inglenook.cli.logs import configure_logs
from inglenook.cli.options import make_settings

logger = logging.getLogger(__name__)


def has_engine() -> bool:
    """Whether what runs graphs is installed; looks for torch without importing it."""
    return importlib.util.find_spec("torch") is not None


def run_server(options: Mapping[str, Any], *, ignored: list[str], stop_when_started: bool = False) -> None:
    """Serve until a signal. Raises SettingsError and JobStoreError for what keeps a server from starting.

    ignored: options of ComfyUI that were given and mean nothing here. stop_when_started: end once the device process
    and its node packs are ready.
    """
    settings = make_settings(options)
    configure_logs(settings.log_level, folder=settings.data_folder / "logs", to_stdout=settings.log_to_stdout)
    if ignored:
        logger.warning(comfyui_flags.warning(ignored))
    from inglenook.api.editor import packages
    from inglenook.api.server import serve

    def say_ready(url: str) -> None:
        typer.echo(f"inglenook {__version__} is ready at {url} (folder {settings.base_directory}); Ctrl-C stops it")
        if settings.front_end_root is None and packages.editor_folder() is not None:
            typer.echo(f"ComfyUI's editor is at {url}/editor/")
        if not has_engine():
            logger.warning("PyTorch is not installed, so no workflow can run: pip install 'inglenook[engine]'")
        if settings.auto_launch:
            # In a thread that nobody waits for: a browser on a terminal runs until it is left.
            threading.Thread(target=webbrowser.open, args=(url,), name="browser", daemon=True).start()

    serve(settings, say_ready, stop_when_started=stop_when_started)
