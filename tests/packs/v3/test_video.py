"""VIDEO values: files and components, read back with PyAV."""

from __future__ import annotations

import json
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import pytest
import torch

from inglenook.errors import MediaError
from inglenook.nodes.video_values import (
    VideoCodec,
    VideoComponents,
    VideoContainer,
    VideoFromComponents,
    VideoFromFile,
    VideoInput,
)


def components(frames: int = 12, height: int = 32, width: int = 48, sound: bool = True) -> VideoComponents:
    """Grey frames that get brighter, at 12 a second, with a tone."""
    images = torch.linspace(0.1, 0.9, frames)[:, None, None, None].expand(frames, height, width, 3)
    wave = torch.sin(torch.arange(44100 * frames // 12) / 20).expand(1, 2, -1) * 0.5
    return VideoComponents(images, Fraction(12), {"waveform": wave, "sample_rate": 44100} if sound else None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "made.mp4"
    VideoFromComponents(components()).save_to(path, metadata={"prompt": {"1": {}}, "workflow": {"id": "日本"}})
    return path


def tags_of(source: Any) -> dict[str, str]:
    with av.open(source) as container:
        return dict(container.metadata)


def test_a_saved_video_is_h264_with_aac_and_the_workflow(file: Path) -> None:
    with av.open(str(file)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.width, video.height, video.frames) == ("h264", 48, 32, 12)
        assert (sound.codec_context.name, sound.rate, sound.channels) == ("aac", 44100, 2)
        assert json.loads(container.metadata["workflow"]) == {"id": "日本"}
        assert json.loads(container.metadata["prompt"]) == {"1": {}}


def test_a_file_says_what_is_in_it(file: Path) -> None:
    video: VideoInput = VideoFromFile(str(file))
    assert video.get_dimensions() == (48, 32)
    assert video.get_frame_rate() == 12
    assert video.get_frame_count() == 12
    assert video.get_duration() == pytest.approx(1.0, abs=0.01)
    assert "mp4" in video.get_container_format()
    assert video.get_stream_source() == str(file)


def test_components_of_a_file_are_the_pictures_and_the_sound(file: Path) -> None:
    parts = VideoFromFile(BytesIO(file.read_bytes())).get_components()
    assert parts.images.shape == (12, 32, 48, 3)
    assert parts.images.dtype == torch.float32
    assert torch.allclose(parts.images.mean(dim=(1, 2, 3)), torch.linspace(0.1, 0.9, 12), atol=0.02)
    assert parts.frame_rate == 12
    assert parts.audio is not None
    assert parts.audio["waveform"].shape[:2] == (1, 2)
    assert parts.audio["waveform"].shape[2] == pytest.approx(44100, rel=0.05)
    assert parts.audio["waveform"].abs().max() == pytest.approx(0.5, abs=0.1)
    assert parts.metadata is not None
    assert json.loads(parts.metadata["workflow"]) == {"id": "日本"}


def test_a_video_without_sound_has_none(tmp_path: Path) -> None:
    VideoFromComponents(components(sound=False)).save_to(tmp_path / "v.mp4")
    assert VideoFromFile(tmp_path / "v.mp4").get_components().audio is None


def test_a_file_is_copied_not_encoded_again(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.mp4"
    VideoFromFile(file).save_to(str(target), VideoContainer.MP4, VideoCodec.H264, {"prompt": {"2": {}}})

    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(video=0)]

    assert packets(target) == packets(file)
    assert json.loads(tags_of(str(target))["prompt"]) == {"2": {}}
    assert json.loads(tags_of(str(target))["workflow"]) == {"id": "日本"}


def test_a_file_with_another_codec_is_encoded(tmp_path: Path) -> None:
    source = tmp_path / "a.webm"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libvpx-vp9", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(torch.zeros(32, 32, 3, dtype=torch.uint8).numpy(), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    video = VideoFromFile(source)
    assert video.get_frame_count() == 3
    buffer = BytesIO()
    video.save_to(buffer, format=VideoContainer.AUTO)
    buffer.seek(0)
    with av.open(buffer) as container:
        assert container.streams.video[0].codec_context.name == "h264"


@pytest.mark.parametrize("from_file", [True, False])
def test_a_part_of_a_video_has_the_frames_and_the_sound_of_that_part(file: Path, from_file: bool) -> None:
    whole: VideoInput = VideoFromFile(file) if from_file else VideoFromComponents(components())
    part = whole.as_trimmed(0.5, 0.25)
    assert part is not None
    parts = part.get_components()
    assert torch.allclose(parts.images.mean(dim=(1, 2, 3)), torch.linspace(0.1, 0.9, 12)[6:9], atol=0.02)
    assert parts.audio is not None
    assert parts.audio["waveform"].shape[2] / 44100 == pytest.approx(0.25, abs=0.001)
    assert part.get_duration() == pytest.approx(0.25, abs=0.01)
    assert part.get_frame_count() == 3
    assert tags_of(part.get_stream_source()) is not None
    last = whole.as_trimmed(-0.25)
    assert last is not None
    assert last.get_frame_count() == 3


@pytest.mark.parametrize("from_file", [True, False])
def test_a_part_that_is_not_there_is_none(file: Path, from_file: bool) -> None:
    whole: VideoInput = VideoFromFile(file) if from_file else VideoFromComponents(components())
    assert whole.as_trimmed(5.0) is None
    assert whole.as_trimmed(0.5, 1.0, strict_duration=True) is None
    shorter = whole.as_trimmed(0.5, 1.0)
    assert shorter is not None
    assert shorter.get_frame_count() == 6


def test_odd_sizes_and_broken_rates_are_saved_too(tmp_path: Path) -> None:
    parts = components(3, 31, 47, sound=False)
    parts.frame_rate = Fraction(30000, 1001)
    VideoFromComponents(parts).save_to(tmp_path / "v.mp4")
    video = VideoFromFile(tmp_path / "v.mp4")
    assert video.get_dimensions() == (48, 32)
    assert float(video.get_frame_rate()) == pytest.approx(29.97, abs=0.01)


def test_what_is_no_video_or_cannot_be_written_is_an_error_that_says_so(tmp_path: Path, file: Path) -> None:
    (tmp_path / "no.mp4").write_bytes(b"no video at all")
    with pytest.raises(MediaError, match=r"cannot read no\.mp4"):
        VideoFromFile(tmp_path / "no.mp4").get_components()
    with pytest.raises(FileNotFoundError):
        VideoFromFile(tmp_path / "absent.mp4").get_dimensions()
    with pytest.raises(MediaError, match="'avi'"):
        VideoFromFile(file).save_to(tmp_path / "v.avi", format="avi")  # type: ignore[arg-type]
    with pytest.raises(MediaError, match="'vp8'"):
        VideoFromComponents(components()).save_to(tmp_path / "v.mp4", codec="vp8")  # type: ignore[arg-type]


def test_choices_of_combos_follow_from_the_enums() -> None:
    assert VideoContainer.as_input() == ["auto", "mp4"]
    assert VideoCodec.as_input() == ["auto", "h264"]
    assert VideoContainer.get_extension("auto") == "mp4"
