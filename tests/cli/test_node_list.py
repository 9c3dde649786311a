"""`inglenook nodes`."""

from __future__ import annotations

import json

from inglenook.nodes.interfaces import builtin_interfaces
from tests.cli.conftest import Run


def test_every_class_is_listed_under_its_category(run: Run) -> None:
    lines = run("nodes").stdout.splitlines()
    assert {line.strip() for line in lines if line.startswith("  ")} == set(builtin_interfaces())
    assert lines.index("loaders") < lines.index("  CheckpointLoaderSimple")


def test_json_is_the_shape_of_object_info(run: Run) -> None:
    assert json.loads(run("nodes", "--json").stdout) == builtin_interfaces()
    assert json.loads(run("nodes", "KSampler", "--json").stdout)["KSampler"]["output"] == ["LATENT"]


def test_one_class_shows_what_it_takes_and_gives(run: Run) -> None:
    lines = [line.strip() for line in run("nodes", "KSampler").stdout.splitlines()]
    assert "steps: INT, default 20, min 1, max 10000" in lines
    assert "-> LATENT: LATENT" in lines


def test_a_near_miss_is_offered(run: Run) -> None:
    done = run("nodes", "ksampler")
    assert done.returncode == 1
    assert "did you mean KSampler" in done.stderr
