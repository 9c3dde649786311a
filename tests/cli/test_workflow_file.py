"""Reading a workflow file and changing its inputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inglenook.cli.workflow_file import read_workflow, with_inputs
from inglenook.errors import WorkflowError

GRAPH: dict[str, Any] = {
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a dog", "clip": ["4", 1]}, "_meta": {"title": "Prompt"}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["4", 1]}, "_meta": {"title": "Negative"}},
    "8.1": {"class_type": "Batch", "inputs": {"images.image0": ["6", 0]}},
}


def changed(*assignments: str) -> dict[str, Any]:
    return with_inputs(GRAPH, assignments, lambda name: ("seed",) if name == "Batch" else ())


@pytest.mark.parametrize(
    ("assignment", "node", "name", "value"),
    [
        ("6.text=a cat", "6", "text", "a cat"),
        ('6.text="quoted"', "6", "text", "quoted"),
        ("6.text=a=b.c", "6", "text", "a=b.c"),
        ("6.text=", "6", "text", ""),
        ("6.text=12", "6", "text", 12),
        ('6.clip=["9", 0]', "6", "clip", ["9", 0]),
        ("Negative.text=blurred", "7", "text", "blurred"),
        ("Batch.seed=1", "8.1", "seed", 1),
        ("8.1.images.image0=null", "8.1", "images.image0", None),
    ],
)
def test_inputs_are_set(assignment: str, node: str, name: str, value: Any) -> None:
    assert changed(assignment)[node]["inputs"][name] == value


def test_the_given_graph_stays_as_it_is() -> None:
    before = json.dumps(GRAPH)
    changed("6.text=x")
    assert json.dumps(GRAPH) == before


@pytest.mark.parametrize(
    ("assignment", "complaint"),
    [
        ("text=x", "cannot read --set 'text=x'"),
        ("6.text", "cannot read --set '6.text'"),
        ("5.text=x", r"no node '5'; the workflow has 6 \(Prompt\), 7 \(Negative\), 8.1 \(Batch\)"),
        ("CLIPTextEncode.text=x", "'CLIPTextEncode' names several nodes: 6, 7"),
        ("6.txt=x", r"Prompt \(node 6\) has no input 'txt'; it has text, clip"),
    ],
)
def test_what_is_not_there_is_an_error_with_the_choices(assignment: str, complaint: str) -> None:
    with pytest.raises(WorkflowError, match=complaint):
        changed(assignment)


@pytest.mark.parametrize("text", [json.dumps(GRAPH), json.dumps({"prompt": GRAPH}), "\ufeff" + json.dumps(GRAPH)])
def test_api_format_is_read_bare_wrapped_or_with_a_byte_order_mark(tmp_path: Path, text: str) -> None:
    path = tmp_path / "w.json"
    path.write_text(text, encoding="utf-8")
    assert read_workflow(path) == GRAPH


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[]", "is no API-format workflow"),
        (b'{"nodes": [], "links": []}', "editor's format"),
        (b'{"1": {"inputs": {}}}', "is no API-format workflow"),
    ],
)
def test_other_files_are_refused_with_what_was_expected(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "w.json"
    path.write_bytes(content)
    with pytest.raises(WorkflowError, match=complaint):
        read_workflow(path)
