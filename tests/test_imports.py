"""What an import costs: the API side never loads torch, and importing starts nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"
HEAVY = {"torch", "diffusers", "transformers", "scipy", "av", "alembic"}


def modules_after(statement):
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["inglenook.api.server", "inglenook.workers.device", "inglenook.nodes.interfaces"])
def test_the_api_side_loads_nothing_heavy(module):
    assert not modules_after(f"import {module}") & HEAVY


def test_a_device_process_loads_no_web_framework_and_no_database():
    loaded = modules_after("import inglenook.workers.runtime")
    assert "torch" in loaded
    assert not loaded & {"fastapi", "uvicorn", "sqlalchemy"}
