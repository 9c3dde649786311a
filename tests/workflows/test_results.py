"""What a workflow makes, and the files that it names in vain."""

import pytest

from inglenook.engine.catalog import Catalog
from inglenook.nodes.interfaces import builtin_interfaces
from inglenook.workflows.missing_files import find_missing_files
from inglenook.workflows.results import find_results


def entry(class_type, title=None, **inputs):
    return {"class_type": class_type, "inputs": inputs, **({"_meta": {"title": title}} if title else {})}


@pytest.mark.parametrize(
    ("class_type", "kind", "is_preview"),
    [
        ("SaveImage", "image", False),
        ("PreviewImage", "image", True),
        ("MaskPreview", "image", True),
        ("SaveAnimatedWEBP", "image", False),
        ("SaveVideo", "video", False),
        ("SaveWEBM", "video", False),
        ("VHS_VideoCombine", "video", False),
        ("SaveAudioMP3", "audio", False),
        ("PreviewAudio", "audio", True),
        ("SaveLatent", "latent", False),
    ],
)
def test_the_kind_of_a_result_is_told_from_the_class(class_type, kind, is_preview, catalog):
    (found,) = find_results({"9": entry(class_type, "结果")}, catalog)
    assert (found.node_id, found.title, found.kind, found.is_preview) == ("9", "结果", kind, is_preview)


def test_a_node_of_a_pack_that_shows_a_linked_text_makes_text():
    info = {"input": {"required": {"value": ["STRING", {}]}}, "output": [], "output_node": True}
    catalog = Catalog.from_documents({"ShowText": info}, lambda source: (), lambda value, kind: False)
    graph = {"1": entry("ShowText", value=["2", 0])}
    assert [one.kind for one in find_results(graph, catalog)] == ["text"]


@pytest.mark.parametrize("graph", [{"1": 5}, {"1": {}}, {"1": {"class_type": 5}}, {"1": {"class_type": "Nothing"}}, {}])
def test_what_is_no_output_node_makes_nothing(graph, catalog):
    assert find_results(graph, catalog) == []
    assert find_missing_files(graph, catalog) == []


@pytest.fixture
def shelf():
    files = {"checkpoints": ("sd15/dreamshaper_8.safetensors", "sdxl.safetensors"), "image": ("cat.png",)}
    return Catalog.from_documents(
        builtin_interfaces(),
        lambda source: files.get(source.key, ()),
        lambda value, kind: value == "sub/dog.png",
    )


def test_a_missing_model_is_told_with_its_folder_and_similar_files(shelf):
    graph = {"4": entry("CheckpointLoaderSimple", ckpt_name="DreamShaper_7.safetensors")}
    (found,) = find_missing_files(graph, shelf)
    assert (found.kind, found.folder, found.node_id, found.input_name) == ("model", "checkpoints", "4", "ckpt_name")
    assert found.near_matches == ("sd15/dreamshaper_8.safetensors",)


def test_files_that_are_there_are_not_missing(shelf):
    graph = {
        "1": entry("CheckpointLoaderSimple", ckpt_name="sdxl.safetensors"),
        "2": entry("LoadImage", image="cat.png"),
        "3": entry("LoadImage", image="sub/dog.png"),
        "4": entry("LoadImage", image=["1", 0]),
        "5": entry("LoadImage", image="gone.png"),
    }
    assert [(one.kind, one.value) for one in find_missing_files(graph, shelf)] == [("input", "gone.png")]
