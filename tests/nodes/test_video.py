"""Video and animation nodes: real files, read back with PyAV and Pillow."""

import io
import json
import struct
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from inglenook.engine import context
from inglenook.engine.events import NodeRef, Progress
from inglenook.engine.implementation import NodeImplementation
from inglenook.errors import MediaError, NodeError, UnsafePath
from inglenook.media.folders import Folders
from inglenook.media.metadata import read_metadata
from inglenook.nodes.environment import Environment, using

from .conftest import Run
from .sounds import tags_of, tone

PROMPT, EXTRA = {"1": {"class_type": "A"}}, {"workflow": {"name": "日本"}, "seed": 5}
SAVE_VIDEO = {"filename_prefix": "video/ComfyUI", "format": "auto", "codec": "auto"}
WEBM = {"filename_prefix": "v", "codec": "vp9", "fps": 10.0, "crf": 32.0}


def grey(frames: int = 6, height: int = 64, width: int = 96) -> Tensor:
    """Frames that get brighter."""
    return torch.linspace(0.1, 0.9, frames)[:, None, None, None].expand(frames, height, width, 3)


def saved_path(result: Any, folders: Folders) -> Path:
    (file,) = result["ui"]["images"]
    return folders.directory(file["type"]) / file["subfolder"] / file["filename"]


def brightness(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.to_ndarray(format="rgb24").mean()) / 255 for frame in container.decode(video=0)]


def test_pictures_and_sound_become_a_file_and_come_back(run: Run, folders: Folders) -> None:
    (video,) = run("CreateVideo", images=grey(), fps=12.0, audio=tone(0.5))
    result = run("SaveVideo", video=video, prompt=PROMPT, extra_pnginfo=EXTRA, **SAVE_VIDEO)
    assert result["ui"] == {
        "images": [{"filename": "ComfyUI_00001_.mp4", "subfolder": "video", "type": "output"}],
        "animated": [True],
    }
    tags = tags_of(saved_path(result, folders))
    assert {key: json.loads(tags[key]) for key in ("prompt", "workflow", "seed")} == {"prompt": PROMPT, **EXTRA}
    (loaded,) = run("LoadVideo", file="video/ComfyUI_00001_.mp4 [output]")
    images, audio, fps = run("GetVideoComponents", video=loaded)
    assert images.shape == (6, 64, 96, 3)
    assert images.dtype == torch.float32
    assert torch.allclose(images.mean(dim=(1, 2, 3)), torch.linspace(0.1, 0.9, 6), atol=0.02)
    assert fps == 12.0
    assert audio["sample_rate"] == 44100
    assert audio["waveform"].shape[2] / 44100 == pytest.approx(0.5, abs=0.05)


def test_a_loaded_video_is_saved_without_encoding_it_again(run: Run, folders: Folders) -> None:
    (video,) = run("CreateVideo", images=grey(), fps=24.0)
    first = saved_path(run("SaveVideo", video=video, prompt={"a": 1}, extra_pnginfo=EXTRA, **SAVE_VIDEO), folders)
    (loaded,) = run("LoadVideo", file="video/ComfyUI_00001_.mp4 [output]")
    second = saved_path(run("SaveVideo", video=loaded, prompt={"b": 2}, **SAVE_VIDEO), folders)

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(video=0)]

    assert packets(first) == packets(second)
    assert second.name == "ComfyUI_00002_.mp4"
    assert json.loads(tags_of(second)["prompt"]) == {"b": 2}
    assert json.loads(tags_of(second)["workflow"]) == EXTRA["workflow"]


@pytest.mark.parametrize("fps", [1.0, 23.976, 29.97, 59.94, 120.0])
def test_frame_rates_are_kept(run: Run, folders: Folders, fps: float) -> None:
    (video,) = run("CreateVideo", images=grey(4), fps=fps)
    path = saved_path(run("SaveVideo", video=video, **SAVE_VIDEO), folders)
    with av.open(str(path)) as container:
        assert float(container.streams.video[0].average_rate) == pytest.approx(fps, rel=1e-3)
        assert container.streams.video[0].frames == 4


@pytest.mark.parametrize("size", [(63, 95), (1, 1), (2, 400)])
def test_odd_sizes_are_made_even(run: Run, folders: Folders, size: tuple[int, int]) -> None:
    (video,) = run("CreateVideo", images=grey(2, *size), fps=5.0)
    path = saved_path(run("SaveVideo", video=video, **SAVE_VIDEO), folders)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.height, stream.width) == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    assert brightness(path) == pytest.approx([0.1, 0.9], abs=0.02)


def test_a_video_of_one_frame_is_a_video(run: Run, folders: Folders) -> None:
    (video,) = run("CreateVideo", images=grey(1), fps=5.0, audio=tone(3.0))
    path = saved_path(run("SaveVideo", video=video, **SAVE_VIDEO), folders)
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 1
        assert float(container.streams.audio[0].duration * container.streams.audio[0].time_base) < 0.3
    images, _, fps = run("GetVideoComponents", video=run("LoadVideo", file="video/ComfyUI_00001_.mp4 [output]")[0])
    assert (len(images), fps) == (1, 5.0)


def test_transparency_is_left_out_of_mp4(run: Run, folders: Folders) -> None:
    (video,) = run("CreateVideo", images=torch.cat([grey(), torch.zeros(6, 64, 96, 1)], -1), fps=5.0)
    path = saved_path(run("SaveVideo", video=video, **SAVE_VIDEO), folders)
    assert brightness(path)[5] == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize(("seconds", "heard"), [(0.2, 0.2), (9.0, 0.5)])
def test_sound_is_cut_to_the_pictures(run: Run, folders: Folders, seconds: float, heard: float) -> None:
    (video,) = run("CreateVideo", images=grey(6), fps=12.0, audio=tone(seconds))
    run("SaveVideo", video=video, **SAVE_VIDEO)
    (loaded,) = run("LoadAudio", audio="video/ComfyUI_00001_.mp4 [output]")
    assert loaded["waveform"].shape[2] / loaded["sample_rate"] == pytest.approx(heard, abs=0.06)


def test_sound_and_pictures_lie_side_by_side_in_the_file(run: Run, folders: Folders) -> None:
    (video,) = run("CreateVideo", images=grey(40), fps=10.0, audio=tone(4.0))
    path = saved_path(run("SaveVideo", video=video, **SAVE_VIDEO), folders)
    with av.open(str(path)) as container:
        positions = {kind: [p.pos for p in container.demux() if p.stream.type == kind and p.pos] for kind in ("audio",)}
    with av.open(str(path)) as container:
        pictures = [p.pos for p in container.demux() if p.stream.type == "video" and p.pos]
    assert positions["audio"][0] < pictures[-1]


def test_a_silent_video_gives_no_sound(run: Run) -> None:
    (video,) = run("CreateVideo", images=grey(), fps=5.0)
    run("SaveVideo", video=video, **SAVE_VIDEO)
    _, audio, _ = run("GetVideoComponents", video=run("LoadVideo", file="video/ComfyUI_00001_.mp4 [output]")[0])
    assert audio is None


def test_metadata_can_be_switched_off(run: Run, environment: Environment) -> None:
    (video,) = run("CreateVideo", images=grey(), fps=5.0)
    workflow = {"prompt": PROMPT, "extra_pnginfo": EXTRA}
    with using(Environment(environment.folders, environment.models, save_metadata=False)):
        results = [
            run("SaveVideo", video=video, **SAVE_VIDEO, **workflow),
            run("SaveWEBM", images=grey(), **WEBM, **workflow),
            run("SaveAnimatedPNG", images=grey(), fps=5.0, compress_level=4, **workflow),
            run("SaveAnimatedWEBP", images=grey(), fps=5.0, filename_prefix="x", lossless=True, quality=80,
                method="default", **workflow),
        ]  # fmt: skip
    for result in results:
        assert b"class_type" not in saved_path(result, environment.folders).read_bytes()


@pytest.mark.parametrize(("codec", "found"), [("vp9", "vp9"), ("av1", "av1")])
def test_webm_has_the_workflow_and_the_codec_that_was_chosen(
    run: Run, folders: Folders, codec: str, found: str
) -> None:
    result = run(
        "SaveWEBM", images=grey(), **{**WEBM, "codec": codec, "fps": 23.98}, prompt=PROMPT, extra_pnginfo=EXTRA
    )
    assert result["ui"] == {
        "images": [{"filename": "v_00001_.webm", "subfolder": "", "type": "output"}],
        "animated": [True],
    }
    path = saved_path(result, folders)
    tags = tags_of(path)
    assert {key: json.loads(tags[key]) for key in ("prompt", "workflow", "seed")} == {"prompt": PROMPT, **EXTRA}
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.codec.canonical_name == found
        assert float(stream.average_rate) == pytest.approx(23.98, abs=0.02)
    assert brightness(path) == pytest.approx(torch.linspace(0.1, 0.9, 6).tolist(), abs=0.03)


@pytest.mark.parametrize("codec", ["vp9", "av1"])
def test_a_lower_crf_makes_a_larger_webm(run: Run, folders: Folders, codec: str) -> None:
    noise = torch.rand(3, 64, 64, 3, generator=torch.Generator().manual_seed(1))
    sizes = [
        saved_path(run("SaveWEBM", images=noise, **{**WEBM, "codec": codec, "crf": crf}), folders).stat().st_size
        for crf in (60.0, 10.0)
    ]
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize(("codec", "size"), [("vp9", (63, 65)), ("av1", (63, 65)), ("vp9", (1, 1))])
def test_webm_of_odd_sizes(run: Run, folders: Folders, codec: str, size: tuple[int, int]) -> None:
    path = saved_path(run("SaveWEBM", images=grey(2, *size), **{**WEBM, "codec": codec}), folders)
    assert brightness(path) == pytest.approx([0.1, 0.9], abs=0.05)


def test_what_an_encoder_does_not_take_is_said(run: Run, folders: Folders) -> None:
    with pytest.raises(NodeError, match="no picture"):
        run("SaveWEBM", images=grey()[:0], **WEBM)
    with pytest.raises(MediaError, match="no frame"):
        run("SaveVideo", video=run("CreateVideo", images=grey()[:0], fps=5.0)[0], **SAVE_VIDEO)
    with pytest.raises(MediaError, match="encoder refuses"):
        run("SaveWEBM", images=grey(1, 2, 70_000), **{**WEBM, "codec": "av1"})
    with pytest.raises(UnsafePath):
        run("SaveWEBM", images=grey(), **{**WEBM, "filename_prefix": "../x"})
    assert not [*folders.output.rglob("*.*")]
    assert not [*folders.temp.iterdir()]


# Progress and interruption


def encoding_nodes(run: Run) -> dict[str, dict[str, Any]]:
    (video,) = run("CreateVideo", images=grey(5), fps=5.0)
    webp = {"filename_prefix": "x", "lossless": False, "quality": 80, "method": "fastest"}
    return {
        "SaveVideo": {"video": video, **SAVE_VIDEO},
        "SaveWEBM": {"images": grey(5), **WEBM},
        "SaveAnimatedPNG": {"images": grey(5), "fps": 5.0, "compress_level": 1},
        "SaveAnimatedWEBP": {"images": grey(5), "fps": 5.0, **webp},
    }


@pytest.mark.parametrize("node", ["SaveVideo", "SaveWEBM", "SaveAnimatedPNG", "SaveAnimatedWEBP"])
def test_encoding_tells_its_progress_and_stops_when_asked(run: Run, folders: Folders, node: str) -> None:
    events: list[Any] = []
    running = context.NodeContext("job", NodeRef("1", "1", None, "1"), events.append, lambda: len(events) >= 3)
    with context.running(running), pytest.raises(context.InterruptProcessing):
        run(node, **encoding_nodes(run)[node])
    told = [(event.value, event.total) for event in events if isinstance(event, Progress)]
    assert len(told) == 3  # Pillow looks at the first picture of a PNG twice
    assert {(0, 5), (1, 5)} <= set(told) <= {(0, 5), (1, 5), (2, 5)}
    assert not [*folders.output.rglob("*.*")]


# Animated pictures


@pytest.mark.parametrize("extension", ["png", "webp"])
def test_an_animated_picture_has_the_frames_the_pace_and_the_workflow(
    run: Run, folders: Folders, extension: str
) -> None:
    inputs: dict[str, Any] = {"images": grey(), "fps": 8.0, "prompt": PROMPT, "extra_pnginfo": EXTRA}
    if extension == "png":
        result = run("SaveAnimatedPNG", **inputs, compress_level=9)
    else:
        result = run(
            "SaveAnimatedWEBP", **inputs, filename_prefix="ComfyUI", lossless=True, quality=80, method="default"
        )
    assert result["ui"] == {
        "images": [{"filename": f"ComfyUI_00001_.{extension}", "subfolder": "", "type": "output"}],
        "animated": [True],
    }
    path = saved_path(result, folders)
    found = {key: json.loads(value) for key, value in read_metadata(path).items()}
    assert (found["prompt"], found["workflow"]) == (PROMPT, EXTRA["workflow"])
    with Image.open(path) as picture:
        assert picture.n_frames == 6  # type: ignore[attr-defined]
        carried = picture.text if extension == "png" else picture.getexif()  # type: ignore[attr-defined]
        assert "5" in carried.values() or "seed:5" in carried.values()
        picture.seek(5)
        picture.load()
        assert picture.info["duration"] == 125
        assert np.asarray(picture.convert("RGB")).mean() / 255 == pytest.approx(0.9, abs=0.01)


def test_transparency_stays_in_animated_pictures(run: Run, folders: Folders) -> None:
    images = torch.rand(2, 8, 8, 4)
    run("SaveAnimatedPNG", images=images, fps=8.0, compress_level=0)
    run("SaveAnimatedWEBP", images=images, fps=8.0, filename_prefix="x", lossless=True, quality=0, method="slowest")
    for name in ("ComfyUI_00001_.png", "x_00001_.webp"):
        with Image.open(folders.output / name) as picture:
            alpha = np.asarray(picture.convert("RGBA"))[..., 3]
        assert np.array_equal(alpha, (images[0, ..., 3].numpy() * np.float32(255)).astype(np.uint8))


def test_one_picture_is_no_animation_to_webp(run: Run) -> None:
    webp = {"filename_prefix": "x", "lossless": True, "quality": 80, "method": "default"}
    assert run("SaveAnimatedWEBP", images=grey(1), fps=8.0, **webp)["ui"]["animated"] == [False]


@pytest.mark.parametrize("fps", [0.01, 1000.0])
def test_the_slowest_and_the_fastest_animations_are_saved(run: Run, fps: float) -> None:
    webp = {"filename_prefix": "x", "lossless": True, "quality": 80, "method": "default"}
    run("SaveAnimatedWEBP", images=grey(2, 8, 8), fps=fps, **webp)
    run("SaveAnimatedPNG", images=grey(2, 8, 8), fps=fps, compress_level=4)


def test_animated_pictures_that_are_too_large_or_empty_are_refused(run: Run) -> None:
    webp = {"filename_prefix": "x", "lossless": True, "quality": 80, "method": "default"}
    with pytest.raises(MediaError, match="16383"):
        run("SaveAnimatedWEBP", images=grey(1, 1, 20_000), fps=8.0, **webp)
    with pytest.raises(NodeError, match="no picture"):
        run("SaveAnimatedPNG", images=grey()[:0], fps=8.0, compress_level=4)


# Loading


def make(path: Path, codec: str, frames: int = 3, size: int = 32, **options: Any) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width = stream.height = size
        stream.pix_fmt = options.get("pix_fmt", "yuv420p")
        for _ in range(frames):
            frame = av.VideoFrame.from_ndarray(np.zeros((size, size, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(("name", "codec"), [("a.webm", "libvpx-vp9"), ("a.avi", "mpeg4"), ("a.mkv", "ffv1")])
def test_videos_of_many_kinds_are_loaded(run: Run, folders: Folders, name: str, codec: str) -> None:
    make(folders.input / name, codec)
    (video,) = run("LoadVideo", file=name)
    assert video.get_dimensions() == (32, 32)
    images, _, fps = run("GetVideoComponents", video=video)
    assert (images.shape, fps) == ((3, 32, 32, 3), 10.0)
    run("SaveVideo", video=video, **SAVE_VIDEO)


def test_a_video_that_does_not_fit_into_memory_is_encoded_frame_by_frame(
    run: Run, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(folders.input / "a.webm", "libvpx-vp9", frames=30)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=100_000))
    path = saved_path(run("SaveVideo", video=run("LoadVideo", file="a.webm")[0], **SAVE_VIDEO), folders)
    with av.open(str(path)) as container:
        assert (container.streams.video[0].codec_context.name, container.streams.video[0].frames) == ("h264", 30)


def test_loading_reads_no_frames_until_they_are_wanted(
    run: Run, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(folders.input / "a.mp4", "libx264", frames=30)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=100_000))
    (video,) = run("LoadVideo", file="a.mp4")
    with pytest.raises(MediaError, match=r"a\.mp4 is too long for the memory"):
        run("GetVideoComponents", video=video)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no video at all" * 1000,
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nb.mp4\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile b.mp4\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
    ],
)
def test_what_is_no_video_fails_with_the_reason(run: Run, folders: Folders, content: bytes) -> None:
    make(folders.input / "b.mp4", "libx264")
    (folders.input / "a.mp4").write_bytes(content)
    with pytest.raises(MediaError, match=r"a\.mp4"):
        run("LoadVideo", file="a.mp4")


def test_a_sound_is_no_video(run: Run) -> None:
    run("SaveAudio", audio=tone(), filename_prefix="x")
    with pytest.raises(MediaError, match="no pictures"):
        run("LoadVideo", file="x_00001_.flac [output]")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_truncated_video_fails(run: Run, folders: Folders, kept: float) -> None:
    make(folders.input / "a.mp4", "libx264")
    whole = (folders.input / "a.mp4").read_bytes()
    (folders.input / "a.mp4").write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(MediaError, match=r"a\.mp4"):
        run("GetVideoComponents", video=run("LoadVideo", file="a.mp4")[0])


def declare(path: Path, *, frames: int, side: int) -> None:
    """Let the headers of an AVI say something else."""
    data = bytearray(path.read_bytes())
    main, stream = data.index(b"avih") + 8, data.index(b"strf") + 8
    struct.pack_into("<I", data, main + 16, frames)
    struct.pack_into("<I", data, data.index(b"strh") + 8 + 32, frames)
    struct.pack_into("<II", data, main + 32, side, side)
    struct.pack_into("<ii", data, stream + 4, side, side)
    path.write_bytes(data)


@pytest.mark.parametrize("side", [1_000_000, 30_000])
def test_a_file_that_declares_too_many_pixels_is_refused(run: Run, folders: Folders, side: int) -> None:
    make(folders.input / "a.avi", "ffv1", pix_fmt="bgr0")
    declare(folders.input / "a.avi", frames=3, side=side)
    with pytest.raises(MediaError, match=r"a\.avi"):
        run("LoadVideo", file="a.avi")


def test_a_file_that_declares_too_many_frames_gives_those_that_it_has(run: Run, folders: Folders) -> None:
    make(folders.input / "a.avi", "mjpeg", pix_fmt="yuvj420p")
    declare(folders.input / "a.avi", frames=10**9, side=32)
    (video,) = run("LoadVideo", file="a.avi")
    assert video.get_frame_count() == 10**9
    images, _, _ = run("GetVideoComponents", video=video)
    assert len(images) == 3
    run("SaveVideo", video=video, **SAVE_VIDEO)


def test_a_video_of_frames_over_the_limit_is_refused(run: Run, folders: Folders, environment: Environment) -> None:
    make(folders.input / "a.mp4", "libx264", size=64)
    with (
        using(Environment(environment.folders, environment.models, max_megapixels=0.001)),
        pytest.raises(MediaError, match=r"64x64 pixels, more than the limit of 0\.001 megapixels"),
    ):
        run("LoadVideo", file="a.mp4")


def test_frames_that_change_their_size_come_in_that_of_the_first(run: Run, folders: Folders) -> None:
    buffer = io.BytesIO()
    for size in (32, 64):
        part = io.BytesIO()
        with av.open(part, "w", format="mjpeg") as container:
            stream = container.add_stream("mjpeg", rate=10)
            stream.width = stream.height = size
            stream.pix_fmt = "yuvj420p"
            frame = av.VideoFrame.from_ndarray(np.full((size, size, 3), 128, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        buffer.write(part.getvalue())
    (folders.input / "a.mjpeg").write_bytes(buffer.getvalue())
    images, _, _ = run("GetVideoComponents", video=run("LoadVideo", file="a.mjpeg")[0])
    assert images.shape == (2, 32, 32, 3)
    assert images.mean() == pytest.approx(0.5, abs=0.02)


def test_a_video_is_loaded_again_when_its_content_changed(
    folders: Folders, environment: Environment, implementations: dict[str, NodeImplementation]
) -> None:
    fingerprint = implementations["LoadVideo"].fingerprint
    assert fingerprint is not None
    (folders.input / "a.mp4").write_bytes(b"1")
    before = fingerprint(file="a.mp4")
    (folders.input / "a.mp4").write_bytes(b"22")
    assert fingerprint(file="a.mp4") != before


def test_fractions_of_frame_rates_survive(run: Run) -> None:
    (video,) = run("CreateVideo", images=grey(2), fps=30000 / 1001)
    assert video.get_frame_rate().limit_denominator(1001) == Fraction(30000, 1001)
