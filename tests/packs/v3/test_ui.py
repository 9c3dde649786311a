"""Helpers of `ui`: the files they write, and what the editor is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image

from inglenook.errors import MediaError
from inglenook.media.folders import Folders
from inglenook.media.metadata import read_metadata
from inglenook.nodes.environment import Environment, using
from inglenook.packs.v3 import io, ui
from tests.engine.toys import node
from tests.packs.v3.harness import Nodes, error_of

WORKFLOW = {"workflow": {"nodes": ["日本語"]}}
TONE = {"waveform": torch.sin(torch.arange(44100) / 20).expand(1, 2, -1) * 0.5, "sample_rate": 44100}


@pytest.fixture
def save(environment: Environment) -> Callable[..., dict[str, Any]]:
    """Run an output node that hands what `make(cls)` gives to the editor; the ui data of the run."""

    def save(make: Callable[[Any], Any]) -> dict[str, Any]:
        class Saves(io.ComfyNode):
            @classmethod
            def define_schema(cls) -> io.Schema:
                return io.Schema("Saves", is_output_node=True)

            @classmethod
            def execute(cls) -> io.NodeOutput:
                return io.NodeOutput(ui=make(cls))

        nodes = Nodes(Saves)
        story = nodes.run({"n": node("Saves")}, extra_data={"extra_pnginfo": WORKFLOW})
        nodes.close()
        assert hasattr(story.end, "outputs"), error_of(story)
        assert "n" in story.end.outputs, error_of(story)
        return story.end.outputs["n"]  # type: ignore[no-any-return]

    return save


def pictures(count: int = 2) -> torch.Tensor:
    return torch.linspace(0, 1, count * 6 * 8 * 3).reshape(count, 6, 8, 3)


def path_of(folders: Folders, file: dict[str, str]) -> Path:
    return folders.directory(file["type"]) / file["subfolder"] / file["filename"]


def assert_has_workflow(text: dict[str, str]) -> None:
    assert json.loads(text["prompt"])["n"]["class_type"] == "Saves"
    assert json.loads(text["workflow"]) == WORKFLOW["workflow"]


def test_saved_pictures_are_png_files_with_the_workflow(save: Callable[..., Any], folders: Folders) -> None:
    images = pictures()
    told = save(lambda cls: ui.ImageSaveHelper.get_save_images_ui(images, filename_prefix="acme/a_%width%", cls=cls))
    assert told == {
        "images": [{"filename": f"a_8_0000{number}_.png", "subfolder": "acme", "type": "output"} for number in (1, 2)]
    }
    for file, image in zip(told["images"], images, strict=True):
        path = path_of(folders, file)
        assert_has_workflow(read_metadata(path))
        with Image.open(path) as opened:
            assert np.array_equal(np.asarray(opened), (image.numpy() * 255).astype(np.uint8))


def test_no_workflow_is_written_when_that_is_switched_off(folders: Folders, environment: Environment) -> None:
    class Knows:
        hidden = io.HiddenHolder(prompt={"n": {}}, extra_pnginfo=WORKFLOW)

    with using(replace(environment, save_metadata=False)):
        (file,) = ui.ImageSaveHelper.save_images(pictures(1), "a", io.FolderType.output, Knows)
    assert read_metadata(path_of(folders, file)) == {}


def test_animated_png_moves_and_has_the_workflow(save: Callable[..., Any], folders: Folders) -> None:
    told = save(
        lambda cls: ui.ImageSaveHelper.get_save_animated_png_ui(
            pictures(3), filename_prefix="a", cls=cls, fps=10.0, compress_level=1
        )
    )
    assert told["animated"] == [True]
    path = path_of(folders, told["images"][0])
    assert_has_workflow(read_metadata(path))
    with Image.open(path) as opened:
        assert (opened.n_frames, opened.size, opened.info["duration"]) == (3, (8, 6), 100)


def test_animated_webp_moves_and_has_the_workflow(save: Callable[..., Any], folders: Folders) -> None:
    told = save(
        lambda cls: ui.ImageSaveHelper.get_save_animated_webp_ui(
            pictures(3), filename_prefix="a", cls=cls, fps=5.0, lossless=True, quality=80, method=0
        )
    )
    assert told["images"][0]["filename"] == "a_00001_.webp"
    path = path_of(folders, told["images"][0])
    assert_has_workflow(read_metadata(path))
    with Image.open(path) as opened:
        assert opened.n_frames == 3
        opened.seek(1)
        assert opened.info["duration"] == 200


def test_an_animation_without_frames_or_rate_is_an_error(environment: Environment) -> None:
    with pytest.raises(MediaError, match="no frame"):
        ui.ImageSaveHelper.save_animated_png([], "a", io.FolderType.output, None, 5.0)
    with pytest.raises(MediaError, match="above 0"):
        ui.ImageSaveHelper.save_animated_webp(pictures(), "a", io.FolderType.output, None, 0.0)


@pytest.mark.parametrize(
    ("form", "quality", "rate"),
    [("flac", "128k", 44100), ("mp3", "V0", 44100), ("mp3", "320k", 44100), ("opus", "96k", 48000)],
)
def test_saved_sound_can_be_played_and_has_the_workflow(
    save: Callable[..., Any], folders: Folders, form: str, quality: str, rate: int
) -> None:
    told = save(
        lambda cls: ui.AudioSaveHelper.get_save_audio_ui(
            TONE, filename_prefix="audio/a", cls=cls, format=form, quality=quality
        )
    )
    assert told == {"audio": [{"filename": f"a_00001_.{form}", "subfolder": "audio", "type": "output"}]}
    with av.open(str(path_of(folders, told["audio"][0]))) as container:
        stream = container.streams.audio[0]
        tags = {**container.metadata, **stream.metadata}
        assert (stream.rate, stream.channels) == (rate, 2)
        samples = sum(frame.samples for frame in container.decode(stream))
    assert samples / rate == pytest.approx(1.0, abs=0.08)
    assert_has_workflow({key.lower(): value for key, value in tags.items()})


def test_flac_keeps_the_samples_and_each_item_of_a_batch_is_a_file(folders: Folders, environment: Environment) -> None:
    wave = torch.stack([torch.full((1, 1000), 0.25), torch.full((1, 1000), -0.5)])
    sound = {"waveform": wave, "sample_rate": 16000}
    files = ui.AudioSaveHelper.save_audio(sound, "a", io.FolderType.temp, None)
    for file, value in zip(files, (0.25, -0.5), strict=True):
        with av.open(str(path_of(folders, file))) as container:
            decoded = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
        assert decoded.shape == (1, 1000)
        scale = np.iinfo(decoded.dtype).max if decoded.dtype.kind == "i" else 1
        assert np.allclose(decoded / scale, value, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "text"),
    [({"format": "wma"}, "'wma'"), ({"format": "mp3", "quality": "best"}, "'best'")],
)
def test_sound_in_a_format_or_quality_that_is_unknown_is_an_error(
    environment: Environment, options: dict[str, str], text: str
) -> None:
    with pytest.raises(MediaError, match=text):
        ui.AudioSaveHelper.save_audio(TONE, "a", io.FolderType.temp, None, **options)


def test_previews_are_temporary_files(save: Callable[..., Any], folders: Folders) -> None:
    told = save(lambda cls: ui.PreviewImage(pictures(2), cls=cls))
    assert told["animated"] == [False]
    assert [file["type"] for file in told["images"]] == ["temp", "temp"]
    assert_has_workflow(read_metadata(path_of(folders, told["images"][1])))
    sound = save(lambda cls: ui.PreviewAudio(TONE, cls=cls))
    assert path_of(folders, sound["audio"][0]).suffix == ".flac"


@pytest.mark.parametrize("shape", [(6, 8), (2, 6, 8), (2, 1, 6, 8)])
def test_preview_of_masks_is_grey(save: Callable[..., Any], folders: Folders, shape: tuple[int, ...]) -> None:
    told = save(lambda cls: ui.PreviewMask(torch.ones(shape), cls=cls))
    assert len(told["images"]) == (1 if len(shape) == 2 else 2)
    with Image.open(path_of(folders, told["images"][0])) as opened:
        assert (opened.size, opened.getpixel((0, 0))) == ((8, 6), (255, 255, 255))


def test_payloads_have_the_keys_that_the_editor_reads(save: Callable[..., Any], folders: Folders) -> None:
    file = ui.SavedResult("v.mp4", "video", io.FolderType.output)
    assert (file.filename, file.subfolder, file.type) == ("v.mp4", "video", io.FolderType.output)
    plain = {"filename": "v.mp4", "subfolder": "video", "type": "output"}
    assert save(lambda cls: ui.PreviewVideo([file])) == {"images": [plain], "animated": [True]}
    assert save(lambda cls: ui.PreviewText("hello")) == {"text": ["hello"]}
    assert save(lambda cls: {"images": [file]}) == {"images": [plain]}
    told = save(lambda cls: ui.PreviewUI3D("a.glb", {"zoom": 2}, bg_image=pictures()[0]))["result"]
    assert told[:2] == ["a.glb", {"zoom": 2}]
    assert (folders.temp / told[2].removeprefix("temp/")).is_file()
    with pytest.raises(AttributeError, match="PreviewHologram"):
        ui.PreviewHologram  # type: ignore[attr-defined]  # noqa: B018
