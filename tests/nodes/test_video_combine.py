"""VHS_VideoCombine and VHS_LoadVideo."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from inglenook.engine import context
from inglenook.engine.events import NodeRef
from inglenook.errors import MediaError, NodeError, UnsafePath
from inglenook.media.folders import Folders
from inglenook.media.metadata import read_metadata
from inglenook.nodes.environment import Environment, using

from .conftest import Run
from .sounds import tags_of, tone

PROMPT, EXTRA = {"1": {"class_type": "A"}}, {"workflow": {"name": "日本"}, "seed": 5}
LEVELS = torch.linspace(0.1, 0.9, 5)
COMBINE: dict[str, Any] = {
    "frame_rate": 10.0, "loop_count": 0, "filename_prefix": "sub/film", "format": "video/h264-mp4", "pingpong": False,
    "save_output": True,
}  # fmt: skip
LOAD = {
    "force_rate": 0, "custom_width": 0, "custom_height": 0, "frame_load_cap": 0, "skip_first_frames": 0,
    "select_every_nth": 1,
}  # fmt: skip


def grey(levels: Tensor = LEVELS, height: int = 64, width: int = 96) -> Tensor:
    return levels[:, None, None, None].expand(-1, height, width, 3)


def path_of(result: Any, folders: Folders) -> Path:
    (file,) = result["ui"]["gifs"]
    return folders.directory(file["type"]) / file["subfolder"] / file["filename"]


def levels_of(path: Path) -> list[float]:
    """The brightness of each frame."""
    if path.suffix in (".gif", ".webp"):
        with Image.open(path) as picture:
            levels = []
            for number in range(picture.n_frames):  # type: ignore[attr-defined]
                picture.seek(number)
                levels.append(float(np.asarray(picture.convert("RGB")).mean()) / 255)
            return levels
    with av.open(str(path)) as container:
        return [float(frame.to_ndarray(format="rgb24").mean()) / 255 for frame in container.decode(video=0)]


def about(levels: Any) -> Any:
    return pytest.approx([float(level) for level in levels], abs=0.03)


@pytest.mark.parametrize(
    ("format", "extension", "codec"),
    [
        ("image/gif", "gif", "gif"),
        ("image/webp", "webp", "webp"),
        ("video/ffmpeg-gif", "gif", "gif"),
        ("video/h264-mp4", "mp4", "h264"),
        ("video/h265-mp4", "mp4", "hevc"),
        ("video/webm", "webm", "vp9"),
        ("video/av1-webm", "webm", "av1"),
        ("video/ProRes", "mov", "prores"),
        ("video/ffv1-mkv", "mkv", "ffv1"),
    ],
)
def test_each_format_is_a_file_of_its_kind(run: Run, folders: Folders, format: str, extension: str, codec: str) -> None:
    result = run("VHS_VideoCombine", images=grey(), **{**COMBINE, "format": format}, prompt=PROMPT, extra_pnginfo=EXTRA)
    assert result["ui"]["gifs"] == [
        {
            "filename": f"film_00001_.{extension}",
            "subfolder": "sub",
            "type": "output",
            "format": format,
            "frame_rate": 10.0,
            "workflow": "film_00001_.png",
            "fullpath": f"output/sub/film_00001_.{extension}",
        }
    ]
    path = path_of(result, folders)
    first = path.with_suffix(".png")
    assert result["result"] == ((True, [str(first), str(path)]),)
    assert levels_of(path) == about(LEVELS)
    found = {key: json.loads(value) for key, value in read_metadata(first).items()}
    assert found == {"prompt": PROMPT, **EXTRA}
    if extension == "webp":
        assert json.loads(read_metadata(path)["workflow"]) == EXTRA["workflow"]
    elif extension != "gif":
        with av.open(str(path)) as container:
            assert container.streams.video[0].codec_context.codec.canonical_name == codec
            assert container.streams.video[0].average_rate == 10
        assert json.loads(tags_of(path)["workflow"]) == EXTRA["workflow"]
        assert json.loads(tags_of(path)["prompt"]) == PROMPT


def test_the_next_film_has_the_next_number(run: Run) -> None:
    names = [run("VHS_VideoCombine", images=grey(), **COMBINE)["ui"]["gifs"][0]["filename"] for _ in range(2)]
    assert names == ["film_00001_.mp4", "film_00002_.mp4"]


def test_a_film_that_is_not_saved_is_a_preview(run: Run, folders: Folders) -> None:
    result = run("VHS_VideoCombine", images=grey(), **{**COMBINE, "save_output": False})
    assert result["ui"]["gifs"][0]["type"] == "temp"
    assert path_of(result, folders).is_file()
    assert not [*folders.output.rglob("*.*")]
    assert result["result"][0][0] is False


@pytest.mark.parametrize("format", ["image/gif", "video/h264-mp4"])
def test_pingpong_goes_back_without_showing_the_ends_twice(run: Run, folders: Folders, format: str) -> None:
    result = run("VHS_VideoCombine", images=grey(), **{**COMBINE, "format": format, "pingpong": True})
    assert levels_of(path_of(result, folders)) == about([*LEVELS, *LEVELS[1:-1].flip(0)])


def test_loops_are_frames_of_a_video_and_a_number_in_an_animated_picture(run: Run, folders: Folders) -> None:
    video = path_of(run("VHS_VideoCombine", images=grey(), **{**COMBINE, "loop_count": 2}), folders)
    assert levels_of(video) == about([*LEVELS] * 3)
    for format, loops in (("image/gif", 2), ("image/webp", 2), ("image/gif", 0)):
        inputs = {**COMBINE, "format": format, "loop_count": loops}
        with Image.open(path_of(run("VHS_VideoCombine", images=grey(), **inputs), folders)) as picture:
            assert picture.info["loop"] == loops


def test_one_picture_is_a_film(run: Run, folders: Folders) -> None:
    for pingpong in (False, True):
        result = run("VHS_VideoCombine", images=grey(LEVELS[:1]), **{**COMBINE, "pingpong": pingpong})
        assert levels_of(path_of(result, folders)) == about(LEVELS[:1])


@pytest.mark.parametrize(("trim", "seconds", "frames", "heard"), [
    (False, 0.2, 5, 0.5), (False, 2.0, 5, 0.5), (True, 0.2, 2, 0.2), (True, 2.0, 5, 0.5),
])  # fmt: skip
def test_sound_is_as_long_as_the_pictures_or_they_as_long_as_it(
    run: Run, folders: Folders, trim: bool, seconds: float, frames: int, heard: float
) -> None:
    result = run("VHS_VideoCombine", images=grey(), audio=tone(seconds), **COMBINE, trim_to_audio=trim)
    path = path_of(result, folders)
    assert len(levels_of(path)) == frames
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.name == "aac"
        assert float(stream.duration * stream.time_base) == pytest.approx(heard, abs=0.06)


def test_webm_has_opus_sound(run: Run, folders: Folders) -> None:
    result = run("VHS_VideoCombine", images=grey(), audio=tone(), **{**COMBINE, "format": "video/webm"})
    with av.open(str(path_of(result, folders))) as container:
        assert container.streams.audio[0].codec_context.name == "opus"


def test_widgets_of_the_format_are_used(run: Run, folders: Folders) -> None:
    noise = torch.rand(3, 64, 64, 3, generator=torch.Generator().manual_seed(1))
    sizes = []
    for crf in (45, 5):
        result = run("VHS_VideoCombine", images=noise, **COMBINE, crf=crf, pix_fmt="yuv420p10le", megabit=3)
        with av.open(str(path_of(result, folders))) as container:
            assert container.streams.video[0].codec_context.pix_fmt == "yuv420p10le"
        sizes.append(path_of(result, folders).stat().st_size)
    assert sizes[0] < sizes[1]
    lossless, lossy = (
        path_of(run("VHS_VideoCombine", images=noise, **{**COMBINE, "format": "image/webp"}, lossless=wanted), folders)
        for wanted in (True, False)
    )
    assert lossy.stat().st_size < lossless.stat().st_size
    with Image.open(lossless) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert np.array_equal(pixels, (noise[0].numpy() * np.float32(255)).astype(np.uint8))


@pytest.mark.parametrize(
    ("format", "inputs"),
    [
        ("video/webm", {"pix_fmt": "yuva420p"}),
        ("video/ProRes", {"profile": "4444"}),
        ("video/ffv1-mkv", {"pix_fmt": "bgra"}),
        ("image/webp", {}),
        ("image/gif", {}),
    ],
)
def test_transparency_is_kept_where_the_format_can(
    run: Run, folders: Folders, format: str, inputs: dict[str, str]
) -> None:
    images = torch.cat([grey(), torch.zeros(5, 64, 96, 1)], -1)
    images[:, :, 48:, 3] = 1
    path = path_of(run("VHS_VideoCombine", images=images, **{**COMBINE, "format": format}, **inputs), folders)
    if path.suffix in (".webp", ".gif"):
        with Image.open(path) as picture:
            alpha = np.asarray(picture.convert("RGBA"))[..., 3]
    else:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            decoder = av.CodecContext.create("libvpx-vp9", "r") if format == "video/webm" else stream.codec_context
            packet = next(container.demux(stream))
            frame = next(iter([*decoder.decode(packet), *decoder.decode(None)]))
            alpha = frame.to_ndarray(format="rgba")[..., 3]
    assert alpha[:, :40].max() < 10
    assert alpha[:, 56:].min() > 245


def test_the_workflow_can_be_left_out(run: Run, folders: Folders, environment: Environment) -> None:
    workflow = {"prompt": PROMPT, "extra_pnginfo": EXTRA}
    run("VHS_VideoCombine", images=grey(), **COMBINE, **workflow, save_metadata=False)
    with using(Environment(environment.folders, environment.models, save_metadata=False)):
        run("VHS_VideoCombine", images=grey(), **{**COMBINE, "format": "image/webp"}, **workflow)
    for path in folders.output.rglob("*.*"):
        assert b"class_type" not in path.read_bytes()


def test_latents_are_decoded_with_the_vae(run: Run, checkpoint: str, folders: Folders) -> None:
    _, _, vae = run("CheckpointLoaderSimple", ckpt_name=checkpoint)
    latent = {"samples": torch.zeros(2, 4, 4, 4)}
    path = path_of(run("VHS_VideoCombine", images=latent, vae=vae, **COMBINE), folders)
    assert len(levels_of(path)) == 2
    with pytest.raises(NodeError, match="connect vae"):
        run("VHS_VideoCombine", images=latent, **COMBINE)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"images": grey()[:0]}, "at least one"),
        ({"images": None}, "batch of pictures"),
        ({"frame_rate": "ten"}, "frame_rate is 'ten'"),
        ({"frame_rate": 0}, "frame_rate is 0"),
        ({"frame_rate": float("nan")}, "frame_rate is nan"),
        ({"frame_rate": 1e9}, "frame_rate"),
        ({"pix_fmt": "yuva420p"}, "cannot store pix_fmt 'yuva420p'; use yuv420p,"),
        ({"format": "video/ProRes", "profile": "x"}, "unknown profile 'x'"),
    ],
)
def test_what_cannot_be_combined_is_said(run: Run, inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(NodeError, match=message):
        run("VHS_VideoCombine", **{"images": grey(), **COMBINE, **inputs})


def test_a_prefix_that_leaves_the_folder_is_refused(run: Run, folders: Folders) -> None:
    with pytest.raises(UnsafePath):
        run("VHS_VideoCombine", images=grey(), **{**COMBINE, "filename_prefix": "../../x"})


@pytest.mark.parametrize("format", ["video/h264-mp4", "image/gif", "image/webp"])
def test_combining_stops_when_asked(run: Run, folders: Folders, format: str) -> None:
    told: list[Any] = []
    running = context.NodeContext("job", NodeRef("1", "1", None, "1"), told.append, lambda: len(told) >= 2)
    with context.running(running), pytest.raises(context.InterruptProcessing):
        run("VHS_VideoCombine", images=grey(), **{**COMBINE, "format": format})
    assert not [*folders.output.rglob("*.*")]
    assert not [*folders.temp.iterdir()]


# VHS_LoadVideo


@pytest.fixture
def film(run: Run, folders: Folders) -> str:
    """Ten frames at ten a second, with sound."""
    levels = torch.linspace(0.05, 0.95, 10)
    result = run("VHS_VideoCombine", images=grey(levels), audio=tone(1.0), **{**COMBINE, "filename_prefix": "film"})
    return f"{path_of(result, folders).name} [output]"


def test_all_frames_of_a_video_are_loaded_with_its_sound(run: Run, film: str) -> None:
    images, count, audio, info = run("VHS_LoadVideo", video=film, **LOAD)
    assert images.shape == (10, 64, 96, 3)
    assert count == 10
    assert audio["waveform"].shape[2] / audio["sample_rate"] == pytest.approx(1.0, abs=0.01)
    assert info == {
        "source_fps": 10.0, "source_frame_count": 10, "source_duration": pytest.approx(1.0, abs=0.01),
        "source_width": 96, "source_height": 64,
        "loaded_fps": 10.0, "loaded_frame_count": 10, "loaded_duration": 1.0, "loaded_width": 96, "loaded_height": 64,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("inputs", "wanted", "heard"),
    [
        ({"frame_load_cap": 3}, [0, 1, 2], 0.3),
        ({"skip_first_frames": 7}, [7, 8, 9], 0.3),
        ({"select_every_nth": 4}, [0, 4, 8], 1.0),
        ({"skip_first_frames": 1, "select_every_nth": 3, "frame_load_cap": 2}, [1, 4], 0.6),
        ({"force_rate": 5}, [0, 2, 4, 6, 8], 1.0),
        ({"force_rate": 20, "frame_load_cap": 5}, [0, 0, 1, 1, 2], 0.25),
        ({"frame_load_cap": 2**53 - 1}, [*range(10)], 1.0),
    ],
)
def test_frames_are_chosen(run: Run, film: str, inputs: dict[str, Any], wanted: list[int], heard: float) -> None:
    images, count, audio, info = run("VHS_LoadVideo", video=film, **{**LOAD, **inputs})
    levels = torch.linspace(0.05, 0.95, 10)[wanted]
    assert images.mean(dim=(1, 2, 3)).tolist() == about(levels)
    assert count == info["loaded_frame_count"] == len(wanted)
    assert audio["waveform"].shape[2] / audio["sample_rate"] == pytest.approx(heard, abs=0.03)


@pytest.mark.parametrize(
    ("width", "height", "wanted"), [(48, 0, (32, 48)), (0, 128, (128, 192)), (40, 40, (40, 40)), (96, 64, (64, 96))]
)
def test_frames_are_made_another_size(run: Run, film: str, width: int, height: int, wanted: tuple[int, int]) -> None:
    images, *_ = run("VHS_LoadVideo", video=film, **{**LOAD, "custom_width": width, "custom_height": height})
    assert images.shape == (10, *wanted, 3)


def test_what_cannot_be_loaded_is_said(run: Run, film: str, folders: Folders) -> None:
    with pytest.raises(NodeError, match="no frame is left"):
        run("VHS_LoadVideo", video=film, **{**LOAD, "skip_first_frames": 10})
    with pytest.raises(NodeError, match="force_rate is 'x'"):
        run("VHS_LoadVideo", video=film, **{**LOAD, "force_rate": "x"})
    (folders.input / "a.mp4").write_bytes(b"no video")
    with pytest.raises(MediaError, match=r"cannot read a\.mp4"):
        run("VHS_LoadVideo", video="a.mp4", **LOAD)
