"""Small mistakes in graphs of the API format: what is mended, what is left, and how it is told."""

import json
import random

import pytest

from inglenook.engine.graph import Graph
from inglenook.engine.validation import validate
from inglenook.workflows import apply_widget_values, repair, with_hints
from inglenook.workflows.repair import LARGEST_SEED


def drawing(**sampler):
    """Text to image; the picture is decoded by a VAEDecode."""
    text = {"class_type": "CLIPTextEncode", "inputs": {"text": "a", "clip": ["4", 1]}}
    inputs = {"seed": 5, "steps": 3, "cfg": 7, "sampler_name": "euler", "scheduler": "normal", "denoise": 1, **sampler}
    links = {"model": ["4", 0], "positive": ["6", 0], "negative": ["6", 0], "latent_image": ["5", 0]}
    return {
        "3": {"class_type": "KSampler", "inputs": {**inputs, **links}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "a.safetensors"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "6": text,
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "x"}},
    }


def undecoded(**more):
    graph = drawing()
    del graph["8"]
    graph["9"]["inputs"]["images"] = ["3", 0]
    return {**graph, **more}


def mended(document, catalog, seed=1):
    """(the validation after it, the repairs), as a submission has them."""
    graph = Graph.parse(document)
    found = repair(graph, validate(graph, catalog), catalog, random.Random(seed))
    return validate(found.graph, catalog), found.repairs


def test_a_valid_graph_is_the_same_object_afterwards(catalog):
    graph = Graph.parse(drawing())
    found = repair(graph, validate(graph, catalog), catalog, random.Random(1))
    assert found.graph is graph
    assert found.repairs == ()


@pytest.mark.parametrize("given", [-1, "-1", -1.0])
def test_a_seed_of_minus_one_is_drawn_for_each_node_anew(catalog, given):
    document = {**drawing(seed=given), "13": drawing(seed=given)["3"]}
    document["8"]["inputs"]["samples"] = ["13", 0]
    document["13"]["inputs"]["latent_image"] = ["3", 0]
    validation, repairs = mended(document, catalog)
    assert validation.node_errors == {}
    seeds = [validation.graph.nodes[node_id].inputs["seed"] for node_id in ("3", "13")]
    assert len({*seeds}) == 2
    assert all(0 <= seed <= LARGEST_SEED for seed in seeds)
    assert {(one.node_id, one.kind, one.before) for one in repairs} == {(n, "seed_drawn", given) for n in ("3", "13")}
    assert {one.after for one in repairs} == {*seeds}


@pytest.mark.parametrize("given", [-2, True, "x", -1.5])
def test_other_seeds_are_refused_as_they_are(catalog, given):
    _, repairs = mended(drawing(seed=given), catalog)
    assert repairs == ()


def test_minus_one_stays_where_the_class_allows_it_or_means_something_else(catalog):
    document = {"1": {"class_type": "CLIPSetLastLayer", "inputs": {"clip": ["4", 1], "stop_at_clip_layer": -1}}}
    validation, repairs = mended({**drawing(steps=-1), **document}, catalog)
    assert [*validation.node_errors] == ["3"]
    assert repairs == ()


def test_a_sampler_of_another_program_is_renamed(catalog):
    validation, (one,) = mended(drawing(sampler_name="euler_a"), catalog)
    assert validation.error is None
    assert (one.node_id, one.kind, one.before, one.after) == ("3", "name_replaced", "euler_a", "euler_ancestral")


@pytest.mark.parametrize("scheduler", ["normal", "Automatic"])
def test_a_name_of_sampler_and_scheduler_sets_both(catalog, scheduler):
    validation, repairs = mended(drawing(sampler_name="DPM++ 2M Karras", scheduler=scheduler), catalog)
    inputs = validation.graph.nodes["3"].inputs
    assert (inputs["sampler_name"], inputs["scheduler"]) == ("dpmpp_2m", "karras")
    assert [(one.before, one.after) for one in repairs] == [
        ("DPM++ 2M Karras", "dpmpp_2m"),
        (scheduler, "karras"),
    ]


def test_a_node_without_schedulers_takes_the_sampler_and_says_what_is_left(catalog):
    document = {
        "1": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "DPM++ 2M Karras"}},
        "2": {"class_type": "SaveLatent", "inputs": {"samples": ["1", 0], "filename_prefix": "x"}},
    }
    validation, (one,) = mended(document, catalog)
    assert validation.graph.nodes["1"].inputs["sampler_name"] == "dpmpp_2m"
    assert "karras" in one.message


def test_a_latent_is_decoded_with_the_only_vae(catalog):
    validation, (one,) = mended(undecoded(), catalog)
    assert validation.error is None
    assert (one.node_id, one.kind, one.before, one.after) == ("9", "latent_decoded", ["3", 0], ["10", 0])
    decoder = validation.graph.to_json()["10"]
    assert decoder["class_type"] == "VAEDecode"
    assert decoder["inputs"] == {"samples": ["3", 0], "vae": ["4", 2]}


def test_inputs_with_the_same_latent_share_a_decoder_also_one_that_was_there(catalog):
    preview = {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}}
    validation, repairs = mended(undecoded(a=preview), catalog)
    assert {one.after[0] for one in repairs} == {"10"}
    validation, repairs = mended({**drawing(), "a": preview}, catalog)
    assert {one.after[0] for one in repairs} == {"8"}
    assert len(validation.graph.nodes) == 7


VAE = {"class_type": "VAELoader", "inputs": {"vae_name": "a.safetensors"}}


@pytest.mark.parametrize(
    "document",
    [undecoded(**{"20": VAE}), {**undecoded(), "4": {**drawing()["4"], "class_type": "UNETLoader"}}],
    ids=["two", "none"],
)
def test_without_a_clear_vae_the_error_says_what_is_missing(catalog, document):
    if document["4"]["class_type"] == "UNETLoader":
        document = {"5": document["5"], "9": {**document["9"], "inputs": {"images": ["5", 0], "filename_prefix": "x"}}}
    validation, repairs = mended(document, catalog)
    assert repairs == ()
    assert validation.error["type"] == "prompt_outputs_failed_validation"
    (before,) = validation.node_errors["9"]["errors"]
    hinted = with_hints(validation)
    (after,) = hinted.node_errors["9"]["errors"]
    assert after["details"].startswith(before["details"])
    assert "VAEDecode" in after["details"]
    assert after["details"] in hinted.error["details"]
    assert after["extra_info"] == before["extra_info"]


def test_a_vae_that_decodes_something_else_is_not_in_doubt(catalog):
    other = {
        "20": VAE,
        "21": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["20", 0]}},
        "22": {"class_type": "PreviewImage", "inputs": {"images": ["21", 0]}},
    }
    validation, (one,) = mended(undecoded(**other), catalog)
    assert validation.error is None
    assert validation.graph.to_json()[one.after[0]]["inputs"]["vae"] == ["4", 2]


def test_a_graph_with_many_faults_is_mended_in_one_go(catalog):
    count = 4000
    document = {}
    for index in range(count):
        document[str(index)] = {**drawing(seed=-1, sampler_name="euler_a", scheduler="Karras")["3"]}
        document[str(index)]["inputs"] = {
            **document[str(index)]["inputs"],
            "latent_image": ["5x", 0], "model": ["4x", 0], "positive": ["6x", 0], "negative": ["6x", 0],
        }  # fmt: skip
        document[f"p{index}"] = {"class_type": "PreviewImage", "inputs": {"images": [str(index), 0]}}
    one = drawing()
    document |= {"4x": one["4"], "5x": one["5"], "6x": {**one["6"], "inputs": {"text": "", "clip": ["4x", 1]}}}
    document["vae"] = VAE
    validation, repairs = mended(document, catalog)
    assert len(repairs) == 3 * count
    assert len(validation.node_errors) == count  # two VAEs: the latents stay


def test_edited_widget_values_of_a_graph_are_applied_in_widget_order(catalog):
    document = drawing()
    document["3"]["widgets_values"] = [5, "fixed", 9, 7, "heun", "normal", 1]
    document["6"]["widgets_values"] = ["a dog"]
    document["8"]["widgets_values"] = []
    found = apply_widget_values(Graph.parse(document), catalog)
    graph = found.graph.to_json()
    assert graph["3"]["inputs"]["steps"] == 9
    assert graph["3"]["inputs"]["sampler_name"] == "heun"
    assert graph["6"]["inputs"] == {"text": "a dog", "clip": ["4", 1]}
    assert [(one.node_id, one.before, one.after) for one in found.repairs] == [
        ("3", 3, 9),
        ("3", "euler", "heun"),
        ("6", "a", "a dog"),
    ]
    assert "widgets_values" not in json.dumps(graph)


def test_links_win_over_edited_widget_values(catalog):
    document = drawing()
    document["3"]["inputs"]["steps"] = ["5", 0]
    document["3"]["widgets_values"] = [5, "fixed", 9]
    found = apply_widget_values(Graph.parse(document), catalog)
    assert found.graph.to_json()["3"]["inputs"]["steps"] == ["5", 0]
    assert found.repairs == ()


@pytest.mark.parametrize("values", [None, 5, "x", {}, {"unknown": 1}, [None] * 3, [[]] * 3, [{"a": 1}]])
def test_odd_widget_values_change_nothing_that_would_not_be_refused_anyway(catalog, values):
    document = {**drawing(), "7": {"class_type": "Unknown", "inputs": {}, "widgets_values": values}}
    document["3"]["widgets_values"] = values
    graph = apply_widget_values(Graph.parse(document), catalog).graph.to_json()
    assert set(graph["3"]["inputs"]) == set(document["3"]["inputs"])


def test_widget_values_by_name_are_applied_too(catalog):
    document = drawing()
    document["3"]["widgets_values"] = {"steps": 9, "control_after_generate": "fixed"}
    (one,) = apply_widget_values(Graph.parse(document), catalog).repairs
    assert (one.before, one.after) == (3, 9)
