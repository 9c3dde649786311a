"""The demo that ships with the package: a small checkpoint and a workflow that draws with it.

The checkpoint is an ordinary SD1.5 single file, only narrow; `scripts/demo_checkpoint/` trains it.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

CHECKPOINT_NAME = "inglenook-demo.safetensors"

__all__ = ["CHECKPOINT_NAME", "checkpoint_folder", "checkpoint_path", "load_workflow", "workflow_path"]


def checkpoint_folder() -> Path:
    """The folder to add to the checkpoint folders, so that a fresh install finds the demo checkpoint."""
    return Path(str(files(__name__)))


def checkpoint_path() -> Path:
    """The demo checkpoint."""
    return checkpoint_folder() / CHECKPOINT_NAME


def workflow_path() -> Path:
    """The demo workflow, text to image, in API format."""
    return checkpoint_folder() / "workflow.json"


def load_workflow() -> dict[str, Any]:
    """A fresh copy of the demo workflow: node id -> node."""
    workflow: dict[str, Any] = json.loads(workflow_path().read_text(encoding="utf-8"))
    return workflow
