"""Image and mask nodes give the pictures that ComfyUI 0.3.64 gave for the same graphs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inglenook.media.folders import Folders

DATA = Path(__file__).parent.parent / "data" / "reference" / "nodes"
CASES = json.loads((DATA / "images.json").read_text())


@pytest.mark.parametrize("name", CASES)
def test_picture_equals_comfyuis(
    name: str, run_graph: Callable[..., Any], folders: Folders, implementations: Any
) -> None:
    shutil.copytree(DATA / "inputs", folders.input, dirs_exist_ok=True)
    case = CASES[name]
    run_graph(case["workflow"])
    for file in case["files"]:
        ours = np.asarray(Image.open(folders.output / file)).astype(int)
        theirs = np.asarray(Image.open(DATA / file)).astype(int)
        assert ours.shape == theirs.shape
        difference = np.abs(ours - theirs)
        assert difference.max() <= 1, f"{file} differs by up to {difference.max()}"
        assert (difference > 0).mean() < 0.01, f"{file}: {(difference > 0).mean():.2%} of the values differ by one"
