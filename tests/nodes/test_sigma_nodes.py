"""Nodes that cut and change lists of noise levels, against ComfyUI's numbers."""

import json
from pathlib import Path

import pytest
import torch

DATA = Path(__file__).parents[1] / "data" / "reference" / "sigmas_nodes.json"
MINE = ("SplitSigmas", "SplitSigmasDenoise", "FlipSigmas", "SetFirstSigma")
CASES = [case for case in json.loads(DATA.read_text())["nodes"] if case["node"] in MINE]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["node"])
def test_sigmas_equal_the_reference(run, case):
    sigmas = torch.tensor(case["inputs"]["sigmas"]["sigmas"])
    before = sigmas.clone()
    others = {name: value for name, value in case["inputs"].items() if name != "sigmas"}
    assert [part.tolist() for part in run(case["node"], sigmas=sigmas, **others)] == case["sigmas"]
    assert torch.equal(sigmas, before)


@pytest.mark.parametrize(
    ("node", "inputs"),
    [("SplitSigmas", {"step": 3}), ("SplitSigmasDenoise", {"denoise": 0.5}), ("FlipSigmas", {}),
     ("SetFirstSigma", {"sigma": 1.0})],
)  # fmt: skip
def test_no_sigmas_stay_none(run, node, inputs):
    assert all(len(part) == 0 for part in run(node, sigmas=torch.tensor([]), **inputs))
