"""What is known of a server's classes decides what is refused in front of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from inglenook.client.blackening import Blackener
from inglenook.engine.catalog import Catalog
from inglenook.engine.graph import Graph
from inglenook.engine.validation import Validation, validate
from inglenook.media.folders import Folders
from inglenook.nodes.interfaces import builtin_interfaces
from inglenook.workers.remote.catalog import read_catalog

SHOW = {"input": {"required": {"any": ["*"]}}, "output": [], "output_node": True}


def shown_by_servers(*names: str) -> dict[str, Any]:
    """Built-in classes as `/object_info` of another server lists them, with no file of ours."""
    own = Catalog.from_documents(
        {name: builtin_interfaces()[name] for name in names}, lambda source: (), lambda *_: False
    )
    shown: dict[str, Any] = orjson.loads(orjson.dumps(own.object_info()))
    return shown


def check(front: Folders, classes: Mapping[str, Any], class_type: str, **inputs: Any) -> Validation:
    documents = read_catalog(orjson.dumps({**classes, "Show": SHOW}), Blackener(None)).documents
    catalog = Catalog.from_documents(documents, front.choices, front.input_exists)
    graph = {
        "1": {"class_type": class_type, "inputs": inputs},
        "2": {"class_type": "Show", "inputs": {"any": ["1", 0]}},
    }
    return validate(Graph.parse(graph), catalog)


@pytest.mark.parametrize(
    ("class_type", "name", "more"),
    [
        ("LoadImage", "image", {}),
        ("LoadImageMask", "image", {"channel": "alpha"}),
        ("LoadAudio", "audio", {}),
        ("LoadVideo", "file", {}),
        ("LoadLatent", "latent", {}),
    ],
)
def test_a_file_of_any_folder_in_front_may_be_loaded_elsewhere(
    front: Folders, class_type: str, name: str, more: dict[str, Any]
) -> None:
    (front.input / "sub").mkdir()
    for path in (front.input / "sub" / "a.x", front.output / "b.x", front.temp / "c.x"):
        path.write_bytes(b"")
    classes = shown_by_servers(class_type)
    for value in ("sub/a.x", "sub/a.x [input]", "b.x [output]", "c.x [temp]"):
        assert check(front, classes, class_type, **{name: value}, **more).error is None, value
    (problem,) = check(front, classes, class_type, **{name: "b.x [temp]"}, **more).node_errors["1"]["errors"]
    assert problem["type"] == "custom_validation_failed"


def test_a_built_in_class_with_other_inputs_elsewhere_is_known_all_the_same(front: Folders) -> None:
    combine = shown_by_servers("VHS_VideoCombine")["VHS_VideoCombine"]
    del combine["input"]["required"]["frame_rate"]
    assert "VHS_VideoCombine" in read_catalog(orjson.dumps({"VHS_VideoCombine": combine}), Blackener(None)).documents
    assert "frame_rate" not in check(front, {"VHS_VideoCombine": combine}, "VHS_VideoCombine").node_errors


def test_numbers_beyond_the_range_of_a_packs_input_are_refused_in_front(front: Folders) -> None:
    pack = {"input": {"required": {"seconds": ["FLOAT", {"min": 0, "max": 5}], "file": [["a"]]}}, "output": ["INT"]}
    (problem,) = check(front, {"Wait": pack}, "Wait", seconds=-5, file="a").node_errors["1"]["errors"]
    assert problem["type"] == "value_smaller_than_min"
    assert check(front, {"Wait": pack}, "Wait", seconds=1, file="what its own validator may take").error is None


def test_lists_that_clients_fetch_from_here_stay_empty(front: Folders) -> None:
    (front.input / "in.png").write_bytes(b"")
    classes = shown_by_servers("LoadImageOutput")
    documents = read_catalog(orjson.dumps(classes), Blackener(None)).documents
    assert documents["LoadImageOutput"]["input"] == classes["LoadImageOutput"]["input"]
