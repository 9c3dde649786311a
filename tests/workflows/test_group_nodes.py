"""Group nodes of old files: inputs, outputs and values of the inner nodes."""

import pytest

from inglenook.workflows import to_graph
from tests.workflows.conftest import node, picture, preview, workflow


def inner(kind, values, inputs):
    return {"type": kind, "widgets_values": values, "inputs": [{"name": name, "type": "IMAGE"} for name in inputs]}


GROUP = {
    "nodes": [
        inner("ImageBlend", [0.1, "multiply"], ["image1", "image2"]),
        inner("ImageBlend", [0.2, "screen"], ["image1", "image2"]),
    ],
    "links": [[0, 0, 1, 0, "IMAGE"]],
    "external": [[1, 0, "IMAGE"]],
}


def grouped(instance, group=GROUP):
    return workflow(
        picture(1), picture(2), picture(3), instance, preview(9, 14),
        links=[(11, 1, 0, 5, 0, ""), (12, 2, 0, 5, 1, ""), (13, 3, 0, 5, 2, ""), (14, 5, 0, 9, 0, "IMAGE")],
        extra={"groupNodes": {"Two": group}},
    )  # fmt: skip


NAMES = ["image1", "image2", "ImageBlend image2"]


@pytest.mark.parametrize("names", [NAMES, ["a", "b", "c"]], ids=["named", "by order"])
def test_inputs_lead_to_the_inner_nodes_and_values_are_shared_out(catalog, names):
    sockets = [(name, "IMAGE", 11 + index) for index, name in enumerate(names)]
    graph = to_graph(grouped(node(5, "workflow>Two", [0.5, "normal", 0.9, "overlay"], sockets)), catalog).graph
    assert graph["5:0"]["inputs"] == {
        "blend_factor": 0.5,
        "blend_mode": "normal",
        "image1": ["1", 0],
        "image2": ["2", 0],
    }
    assert graph["5:1"]["inputs"] == {
        "blend_factor": 0.9,
        "blend_mode": "overlay",
        "image1": ["5:0", 0],
        "image2": ["3", 0],
    }
    assert graph["9"]["inputs"] == {"images": ["5:1", 0]}


def test_a_group_node_without_values_keeps_those_of_its_inner_nodes(catalog):
    graph = to_graph(grouped(node(5, "workflow/Two")), catalog).graph
    assert [graph[name]["inputs"]["blend_mode"] for name in ("5:0", "5:1")] == ["multiply", "screen"]


@pytest.mark.parametrize(("mode", "images"), [(2, None), (4, ["1", 0])])
def test_a_muted_group_node_is_left_out_and_a_bypassed_one_handed_through(catalog, mode, images):
    sockets = [(name, "IMAGE", 11 + index) for index, name in enumerate(NAMES)]
    outputs = [{"name": "IMAGE", "type": "IMAGE"}]
    graph = to_graph(grouped(node(5, "workflow>Two", None, sockets, mode=mode, outputs=outputs)), catalog).graph
    assert list(graph) == ["1", "2", "3", "9"]
    assert graph["9"]["inputs"].get("images") == images


def test_a_group_that_the_file_does_not_describe_is_a_missing_class(catalog):
    converted = to_graph(workflow(node(5, "workflow>Lost", title="Mine")), catalog)
    (missing,) = converted.missing
    assert (missing.class_type, missing.nodes) == ("workflow>Lost", (("5", "Mine"),))
