"""`ComfyAPI` in runs: progress, previews, interruption; node replacements."""

from __future__ import annotations

import io as bytes_io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from PIL import Image

from inglenook.engine.events import Interrupted, Progress, Succeeded
from inglenook.engine.graph import Graph
from inglenook.engine.replacement import NodeReplacement, replace_nodes
from inglenook.errors import NodeError
from inglenook.nodes.environment import Environment
from inglenook.packs.v3 import io, replacements
from inglenook.packs.v3.runtime import ComfyAPI, ComfyAPISync
from tests.engine.toys import Story, node
from tests.packs.v3.harness import Nodes, error_of


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    replacements.forget()


def run(execute: Callable[[Any], Any], *, interrupted: Callable[[Nodes], None] | None = None) -> Story:
    """Run one node whose `execute` that is."""

    class Works(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            return io.Schema("Works", is_output_node=True)

    Works.execute = classmethod(execute)  # type: ignore[assignment]
    nodes = Nodes(Works)
    story = nodes.run({"n": node("Works")})
    nodes.close()
    return story


def steps(story: Story) -> list[tuple[str, float, float]]:
    return [(event.node.node_id, event.value, event.total) for event in story.of(Progress)]


def test_progress_is_told_of_the_node_that_runs_or_of_another() -> None:
    def execute(cls: Any) -> None:
        api = ComfyAPISync()
        api.execution.set_progress(1, 4)
        api.execution.set_progress(value=0.5, max_value=2, node_id="other")

    story = run(execute)
    assert isinstance(story.end, Succeeded), error_of(story)
    assert steps(story) == [("n", 1, 4), ("other", 0.5, 2)]


def test_asynchronous_nodes_await_it() -> None:
    async def execute(cls: Any) -> None:
        for step in range(3):
            await ComfyAPI().execution.set_progress(step + 1, 3)

    assert steps(run(execute)) == [("n", 1, 3), ("n", 2, 3), ("n", 3, 3)]


def test_progress_outside_a_run_does_nothing() -> None:
    ComfyAPISync().execution.set_progress(1, 2, preview_image=Image.new("RGB", (4, 4)))


@pytest.mark.parametrize(
    ("preview", "media_type", "size"),
    [
        (Image.new("RGBA", (40, 20), (255, 0, 0, 255)), "image/jpeg", (40, 20)),
        (Image.new("RGB", (1024, 256), (255, 0, 0)), "image/jpeg", (512, 128)),
        (torch.tensor([1.0, 0, 0]).expand(20, 40, 3), "image/jpeg", (40, 20)),
        (torch.tensor([1.0, 0, 0]).expand(2, 20, 40, 3), "image/jpeg", (40, 20)),
        (("PNG", Image.new("RGB", (40, 20), (255, 0, 0)), 10), "image/png", (10, 5)),
        (("JPEG", Image.new("RGB", (1024, 256), (255, 0, 0)), None), "image/jpeg", (1024, 256)),
    ],
)
def test_preview_may_be_a_picture_a_tensor_or_a_picture_with_a_size(
    environment: Environment, preview: Any, media_type: str, size: tuple[int, int]
) -> None:
    (event,) = run(lambda cls: ComfyAPISync().execution.set_progress(1, 2, preview_image=preview)).of(Progress)
    assert event.preview.media_type == media_type
    with Image.open(bytes_io.BytesIO(event.preview.data)) as picture:
        assert picture.size == size
        red, green, _ = picture.convert("RGB").getpixel((1, 1))
        assert red > 240
        assert green < 15


def test_grey_preview_and_one_that_is_no_picture(environment: Environment) -> None:
    (event,) = run(lambda cls: ComfyAPISync().execution.set_progress(1, 2, preview_image=torch.ones(8, 8, 1))).of(
        Progress
    )
    assert event.preview.media_type == "image/jpeg"
    story = run(lambda cls: ComfyAPISync().execution.set_progress(1, 2, preview_image="a cat"))
    assert "a preview is a Pillow image or a tensor, not str" in error_of(story)


def test_progress_stops_a_node_whose_run_was_asked_to_stop() -> None:
    reached = []

    class Long(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            return io.Schema("Long", is_output_node=True)

        @classmethod
        async def execute(cls) -> None:
            api = ComfyAPI()
            await api.execution.set_progress(1, 2)
            reached.append(1)
            nodes.interrupted = True
            await api.execution.set_progress(2, 2)
            reached.append(2)

    nodes = Nodes(Long)
    assert isinstance(nodes.run({"n": node("Long")}).end, Interrupted)
    assert reached == [1]
    nodes.close()


async def test_replacements_are_collected_and_rewrite_graphs() -> None:
    replace = io.NodeReplace(
        "NewScale",
        "OldScale",
        old_widget_ids=["by"],
        input_mapping=[{"new_id": "mode", "set_value": "scale"}, {"new_id": "mode.by", "old_id": "by"}],
        output_mapping=[{"new_idx": 1, "old_idx": 0}],
    )
    await ComfyAPI().node_replacement.register(replace)
    ComfyAPISync().node_replacement.register(replace)  # again: kept once
    assert replace.as_dict()["old_widget_ids"] == ["by"]
    found = replacements.registered()
    assert found == {"OldScale": (NodeReplacement(**replace.as_dict()),)}
    graph, done = replace_nodes(Graph.parse({"1": node("OldScale", by=2.0)}), {"NewScale"}, found)
    assert [item.new_class for item in done] == ["NewScale"]
    assert graph.nodes["1"].inputs == {"mode": "scale", "mode.by": 2.0}


@pytest.mark.parametrize(
    "odd",
    [
        {"new_node_id": 5},
        {"input_mapping": [{"old_id": "by"}]},
        {"output_mapping": [{"new_idx": 1}]},
        {"output_mapping": "all"},
    ],
)
def test_a_replacement_that_cannot_be_used_is_refused_when_it_is_announced(odd) -> None:
    replace = io.NodeReplace(**{"new_node_id": "New", "old_node_id": "Old", **odd})
    with pytest.raises(NodeError, match="a replacement of a node class"):
        ComfyAPISync().node_replacement.register(replace)
    assert replacements.registered() == {}


def test_a_service_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="'telepathy'"):
        ComfyAPI().telepathy  # noqa: B018
