"""Let tests import the modules of `scripts/demo_checkpoint`, which is a folder of scripts and no package."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "demo_checkpoint"))
