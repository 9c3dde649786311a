"""`inglenook serve`."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Mapping
from typing import Any

import typer

from inglenook import __version__
from inglenook.cli.logs import configure_logs
from inglenook.cli.options import make_settings

logger = logging.getLogger(__name__)


def has_engine() -> bool:
    """Whether what runs graphs is installed; looks for torch without importing it."""
    return importlib.util.find_spec("torch") is not None


def run_server(options: Mapping[str, Any]) -> None:
    """Serve until a signal. Raises SettingsError and JobStoreError for what keeps a server from starting."""
    settings = make_settings(options)
    configure_logs(settings.log_level, folder=settings.data_folder / "logs")
    from inglenook.api.server import serve

    def say_ready(url: str) -> None:
        typer.echo(f"inglenook {__version__} is ready at {url} (folder {settings.base_directory}); Ctrl-C stops it")
        if not has_engine():
            logger.warning("PyTorch is not installed, so no workflow can run: pip install 'inglenook[engine]'")

    serve(settings, say_ready)
