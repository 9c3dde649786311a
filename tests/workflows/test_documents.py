"""What clients send as a workflow is told apart, whatever it is wrapped in and however it is encoded."""

import io
import json

import pytest
from PIL import Image

from inglenook.media.metadata import exif, workflow_text
from inglenook.media.png import text_chunks
from inglenook.workflows import WorkflowFormatError, normalize, read_file, unwrap
from tests.workflows.conftest import node, picture, preview, workflow

GRAPH = {"1": {"class_type": "EmptyImage", "inputs": {}}, "2": {"class_type": "PreviewImage", "inputs": {"x": "ü 猫"}}}
UI = workflow(picture(), preview(2, 5), links=[(5, 1, 0, 2, 0, "IMAGE")], title="ü 猫")


def png(texts):
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, "PNG")
    data = buffer.getvalue()
    end = data.index(b"IDAT") - 4
    return data[:end] + b"".join(text_chunks(texts)) + data[end:]


def webp(texts):
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, "WEBP", exif=exif(texts))
    return buffer.getvalue()


@pytest.mark.parametrize("graph", [GRAPH, UI])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda graph: graph,
        lambda graph: {"prompt": graph},
        lambda graph: {"workflow": graph},
        lambda graph: {"prompt": {"prompt": graph}, "client_id": "a"},
        lambda graph: {"workflow": json.dumps(graph)},
        lambda graph: json.dumps(graph),
        lambda graph: json.dumps({"prompt": graph}).encode("utf-8-sig"),
        lambda graph: json.dumps(graph, ensure_ascii=False).encode("gbk", "xmlcharrefreplace"),
        lambda graph: json.dumps(graph, ensure_ascii=False).encode("utf-16"),
        lambda graph: png({"workflow": json.dumps(graph)}),
        lambda graph: webp({"workflow": json.dumps(graph)}),
    ],
)
def test_a_workflow_is_found_in_its_wrapping(graph, wrap):
    found = unwrap(wrap(graph))
    assert [*found] == [*graph]
    assert len(found.get("nodes", found)) == 2


def test_of_both_forms_in_one_document_or_picture_the_one_that_ran_is_taken():
    assert unwrap({"output": GRAPH, "workflow": UI}) == GRAPH
    assert unwrap({"workflow": UI, "prompt": None}) == UI
    texts = workflow_text(GRAPH, {"workflow": UI})
    assert read_file(png(texts)) == GRAPH
    assert read_file(webp(texts)) == GRAPH
    assert read_file(png({**texts, "prompt": "{damaged"})) == UI


def test_gbk_is_read_as_gbk():
    assert unwrap(json.dumps(GRAPH, ensure_ascii=False).encode("gb18030"))["2"]["inputs"]["x"] == "ü 猫"


def test_values_that_no_json_has_are_null_in_what_a_picture_carries():
    text = '{"1": {"class_type": "EmptyImage", "inputs": {"a": NaN}, "is_changed": [NaN, -Infinity]}}'
    assert read_file(png({"prompt": text}))["1"] == {
        "class_type": "EmptyImage",
        "inputs": {"a": None},
        "is_changed": [None, None],
    }


def test_a_graph_with_nodes_named_like_wrappers_is_a_graph():
    graph = {"prompt": GRAPH["1"], "workflow": GRAPH["2"]}
    assert unwrap(graph) == graph
    assert unwrap({"prompt": graph}) == graph


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "neither JSON nor a picture"),
        (b"{", "not valid JSON"),
        (b'{"a": "\\ud800", "b": NaN}', "not valid JSON"),
        (b"{" * 10_000 + b"NaN", "not valid JSON"),
        (b"\x89PNG\r\n\x1a\n", "no metadata"),
        (b"RIFF\0\0\0\0WEBP", "neither JSON nor a picture"),
        (b"\xff\xfe{\0", "not valid JSON"),
        (png({"parameters": "a cat, Steps: 20"}), "carries only parameters"),
        (png({}), "no metadata"),
    ],
)
def test_a_file_without_a_workflow_is_refused_and_the_refusal_says_why(data, reason):
    with pytest.raises(WorkflowFormatError, match=reason):
        read_file(data)


@pytest.mark.parametrize("document", [None, 5, [], [GRAPH], "[]", b'"text"', "5"])
def test_what_is_no_object_is_no_workflow(catalog, document):
    with pytest.raises(WorkflowFormatError):
        normalize(document, catalog)


def test_a_graph_in_api_format_stays_as_it_is_and_its_unknown_classes_are_told(catalog):
    graph = {**GRAPH, "3": {"class_type": "PreviewImag", "inputs": {}, "_meta": {"title": "Look"}}}
    normalized = normalize({"prompt": graph}, catalog)
    assert normalized.graph == graph
    assert normalized.repairs == ()
    (missing,) = normalized.missing
    assert missing.nodes == (("3", "Look"),)
    assert missing.near_matches[0] == "PreviewImage"


def test_a_workflow_of_the_editor_is_kept_beside_the_graph_made_of_it(catalog):
    normalized = normalize({"workflow": workflow(picture(), node(2, "Note"))}, catalog)
    assert list(normalized.graph) == ["1"]
    assert [entry["id"] for entry in normalized.workflow["nodes"]] == [1, 2]
