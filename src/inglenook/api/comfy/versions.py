"""Versions of the installed packages that `/system_stats` tells."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from typing import Any

_EDITOR = "comfyui-frontend-package"
_TEMPLATES = "comfyui-workflow-templates"
_EDITOR_PACKAGES = (_EDITOR, _TEMPLATES, "comfyui-embedded-docs")


@cache
def installed(package: str) -> str | None:
    """The version of a package, None when it is not installed. Found out once: looking takes milliseconds."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def editor_versions() -> dict[str, Any]:
    """What the editor compares with itself. What is installed is what is required: no other version is."""
    editor, templates = installed(_EDITOR), installed(_TEMPLATES)
    return {
        "required_frontend_version": editor,
        "installed_templates_version": templates,
        "required_templates_version": templates,
        "comfy_package_versions": [
            {"name": package, "installed": version, "required": version}
            for package in _EDITOR_PACKAGES
            if (version := installed(package)) is not None
        ],
    }
