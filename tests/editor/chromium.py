"""Where a Chromium is, and why there is none."""

from __future__ import annotations

import importlib.util
import os
import shutil

from inglenook.api.editor import packages

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str | None:
    """The browser that INGLENOOK_CHROMIUM names, else the first on the path."""
    named = os.environ.get("INGLENOOK_CHROMIUM")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


def why_not() -> str | None:
    """Why no browser tests can run here; None when they can."""
    if packages.editor_folder() is None:
        return "the editor is not installed: pip install 'inglenook[editor]'"
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed: pip install 'inglenook[dev]'"
    if chromium() is None:
        return f"no Chromium: install one, or name it in INGLENOOK_CHROMIUM (looked for {', '.join(NAMES)})"
    return None
