"""A text alone finds the positive prompt of whatever workflow is the default."""

from random import Random

import pytest

from inglenook.demo import load_workflow
from inglenook.engine.graph import Graph
from inglenook.workflows import WorkflowFormatError, fill_prompt


def filled(document, catalog):
    found = fill_prompt(Graph.parse(document), "a red circle", catalog, Random(1))
    return found.graph.to_json(), found.repairs


def test_the_demo_draws_the_text_with_a_fresh_seed(catalog):
    graph, repairs = filled(load_workflow(), catalog)
    assert graph["2"]["inputs"]["text"] == "a red circle"
    assert graph["3"]["inputs"]["text"] == ""
    assert graph["5"]["inputs"]["seed"] != load_workflow()["5"]["inputs"]["seed"]
    assert [(one.node_id, one.kind) for one in repairs] == [("2", "prompt_filled"), ("5", "seed_drawn")]


def test_the_positive_side_is_followed_through_what_stands_between(catalog):
    graph = load_workflow()
    graph["10"] = {
        "class_type": "ConditioningCombine",
        "inputs": {"conditioning_1": ["2", 0], "conditioning_2": ["3", 0]},
    }
    graph["5"]["inputs"]["positive"] = ["10", 0]
    assert filled(graph, catalog)[0]["2"]["inputs"]["text"] == "a red circle"


def test_a_guider_leads_to_the_prompt_too(catalog):
    graph = load_workflow()
    del graph["5"]["inputs"]["positive"]
    graph["11"] = {"class_type": "BasicGuider", "inputs": {"model": ["1", 0], "conditioning": ["2", 0]}}
    assert filled(graph, catalog)[0]["2"]["inputs"]["text"] == "a red circle"


@pytest.mark.parametrize("broken", ["none", "circle", "no text"])
def test_a_workflow_without_a_positive_prompt_is_told(catalog, broken):
    graph = load_workflow()
    if broken == "none":
        del graph["5"]["inputs"]["positive"]
    elif broken == "circle":
        graph["5"]["inputs"]["positive"] = ["5", 0]
        for name in ("model", "negative", "latent_image"):
            del graph["5"]["inputs"][name]
    else:
        graph["2"]["inputs"] = {"clip": ["1", 1]}
    with pytest.raises(WorkflowFormatError, match="positive prompt"):
        filled(graph, catalog)
