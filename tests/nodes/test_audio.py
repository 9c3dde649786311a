"""Sound nodes: files in and out, read back with PyAV; sound cut and combined."""

import json
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
import torch

from inglenook.engine.implementation import NodeImplementation
from inglenook.errors import MediaError, NodeError, UnsafePath
from inglenook.media.folders import Folders
from inglenook.nodes.environment import Environment, using

from .conftest import Run
from .sounds import similar, tags_of, tone

PROMPT, EXTRA = {"1": {"class_type": "A"}}, {"workflow": {"name": "日本"}, "seed": 5}


def saved_path(result: Any, folders: Folders) -> Path:
    (file,) = result["ui"]["audio"]
    return folders.directory(file["type"]) / file["subfolder"] / file["filename"]


@pytest.mark.parametrize(
    ("node", "extension", "codec", "inputs"),
    [
        ("SaveAudio", "flac", "flac", {}),
        ("SaveAudioMP3", "mp3", "mp3float", {"quality": "V0"}),
        ("SaveAudioMP3", "mp3", "mp3float", {"quality": "128k"}),
        ("SaveAudioMP3", "mp3", "mp3float", {"quality": "320k"}),
        ("SaveAudioOpus", "opus", "opus", {"quality": "64k"}),
        ("SaveAudioOpus", "opus", "opus", {"quality": "320k"}),
    ],
)
def test_a_saved_sound_has_the_workflow_and_is_loaded_again(
    run: Run, folders: Folders, node: str, extension: str, codec: str, inputs: dict[str, str]
) -> None:
    sound = tone()
    result = run(node, audio=sound, filename_prefix="audio/ComfyUI", prompt=PROMPT, extra_pnginfo=EXTRA, **inputs)
    assert result == {
        "ui": {"audio": [{"filename": f"ComfyUI_00001_.{extension}", "subfolder": "audio", "type": "output"}]}
    }
    path = saved_path(result, folders)
    tags = tags_of(path)
    assert {key: json.loads(tags[key]) for key in ("prompt", "workflow", "seed")} == {"prompt": PROMPT, **EXTRA}
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.codec.canonical_name in (codec, extension)
    (loaded,) = run("LoadAudio", audio=f"audio/ComfyUI_00001_.{extension} [output]")
    assert loaded["waveform"].shape[:2] == (1, 2)
    assert loaded["waveform"].dtype == torch.float32
    assert loaded["waveform"].shape[2] / loaded["sample_rate"] == pytest.approx(0.5, abs=0.1)
    assert similar(loaded["waveform"], sound["waveform"], 0.02 if extension != "flac" else 1e-4)


def test_flac_keeps_every_sample_to_16_bits(run: Run) -> None:
    sound = tone(rate=22050, channels=1)
    run("SaveAudio", audio=sound, filename_prefix="x")
    (loaded,) = run("LoadAudio", audio="x_00001_.flac [output]")
    assert loaded["sample_rate"] == 22050
    assert torch.allclose(loaded["waveform"], sound["waveform"], atol=1 / 32767)


def test_a_higher_quality_makes_a_larger_mp3(run: Run, folders: Folders) -> None:
    noise = {"waveform": torch.rand(1, 2, 44100) - 0.5, "sample_rate": 44100}
    sizes = [
        saved_path(run("SaveAudioMP3", audio=noise, filename_prefix=quality, quality=quality), folders).stat().st_size
        for quality in ("128k", "320k")
    ]
    assert sizes[0] * 2 < sizes[1]


@pytest.mark.parametrize(
    ("rate", "saved"), [(8000, 8000), (11025, 12000), (22050, 24000), (44100, 48000), (96000, 48000)]
)
def test_opus_is_saved_at_the_next_rate_that_it_knows(run: Run, folders: Folders, rate: int, saved: int) -> None:
    path = saved_path(run("SaveAudioOpus", audio=tone(rate=rate), filename_prefix="x"), folders)
    header = path.read_bytes()[:64]
    assert int.from_bytes(header[header.index(b"OpusHead") + 12 :][:4], "little") == saved


def test_each_sound_of_a_batch_is_a_file(run: Run, folders: Folders) -> None:
    batch = {"waveform": torch.cat([tone()["waveform"], tone()["waveform"] * 0]), "sample_rate": 44100}
    result = run("SaveAudio", audio=batch, filename_prefix="x%batch_num%")
    assert [file["filename"] for file in result["ui"]["audio"]] == ["x0_00001_.flac", "x1_00002_.flac"]
    (silent,) = run("LoadAudio", audio="x1_00002_.flac [output]")
    assert silent["waveform"].abs().max() == 0


def test_a_preview_goes_to_temp(run: Run, folders: Folders) -> None:
    result = run("PreviewAudio", audio=tone(), prompt=PROMPT)
    path = saved_path(result, folders)
    assert path.parent == folders.temp
    assert path.name.startswith("ComfyUI_temp_")
    assert path.suffix == ".flac"
    assert json.loads(tags_of(path)["prompt"]) == PROMPT


def test_metadata_can_be_switched_off(run: Run, environment: Environment) -> None:
    with using(Environment(environment.folders, environment.models, save_metadata=False)):
        for node in ("SaveAudio", "SaveAudioMP3", "SaveAudioOpus"):
            path = saved_path(
                run(node, audio=tone(), filename_prefix=node, prompt=PROMPT, extra_pnginfo=EXTRA), environment.folders
            )
            assert not tags_of(path).keys() & {"prompt", "workflow"}
            assert b"class_type" not in path.read_bytes()


def test_samples_that_are_no_sound_are_saved_as_something_that_is(run: Run) -> None:
    wave = torch.tensor([[[float("nan"), float("inf"), -3.0, 0.25] * 1000]])
    run("SaveAudio", audio={"waveform": wave, "sample_rate": 8000}, filename_prefix="x")
    (loaded,) = run("LoadAudio", audio="x_00001_.flac [output]")
    assert torch.isfinite(loaded["waveform"]).all()
    assert loaded["waveform"].abs().max() <= 1


@pytest.mark.parametrize(
    ("wave", "rate", "message"),
    [
        (torch.zeros(1, 9, 10), 44100, "the sound has 9"),
        (torch.zeros(1, 3, 10), 44100, "mp3 holds 2 channels"),
        (torch.zeros(1, 1, 10), 0, "0 samples a second"),
        (torch.zeros(1, 1, 10), 10**9, "1000000000 samples a second"),
        (torch.zeros(1, 10), 44100, "must be"),
    ],
)
def test_what_cannot_be_saved_is_said(run: Run, folders: Folders, wave: Any, rate: int, message: str) -> None:
    with pytest.raises((MediaError, NodeError), match=message):
        run("SaveAudioMP3", audio={"waveform": wave, "sample_rate": rate}, filename_prefix="x")
    assert not any(folders.output.iterdir())


def test_sound_with_no_samples_is_saved_as_an_empty_file(run: Run) -> None:
    for node in ("SaveAudio", "SaveAudioMP3", "SaveAudioOpus"):
        run(node, audio={"waveform": torch.zeros(1, 1, 0), "sample_rate": 44100}, filename_prefix="x")


def test_a_silent_video_has_no_sound_to_save(run: Run) -> None:
    with pytest.raises(NodeError, match="has none"):
        run("SaveAudio", audio=None)


# Loading


def test_the_sound_of_a_video_is_loaded(run: Run, folders: Folders) -> None:
    (video,) = run("CreateVideo", images=torch.zeros(12, 32, 32, 3), fps=12.0, audio=tone(1.0))
    run("SaveVideo", video=video, filename_prefix="v", format="mp4", codec="h264")
    (loaded,) = run("LoadAudio", audio="v_00001_.mp4 [output]")
    assert loaded["waveform"].shape[2] / 44100 == pytest.approx(1.0, abs=0.05)


def test_whole_numbers_and_doubles_are_loaded_as_fractions(run: Run, folders: Folders) -> None:
    samples = (np.sin(np.arange(800) / 10) * 16384).astype(np.int16)
    with av.open(str(folders.input / "a.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 8000, 0, Fraction(1, 8000)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    (loaded,) = run("LoadAudio", audio="a.wav")
    assert loaded["sample_rate"] == 8000
    assert torch.allclose(loaded["waveform"], torch.from_numpy(samples / 32768).float()[None, None])
    assert torch.equal(run("RecordAudio", audio="a.wav")[0]["waveform"], loaded["waveform"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no sound at all" * 100, r"cannot read a\.mp3"),
        (b"", r"cannot read a\.mp3"),
        (b"#EXTM3U\n#EXTINF:1,\nb.flac\n", r"cannot read a\.mp3"),
        (b"ffconcat version 1.0\nfile b.flac\n", r"cannot read a\.mp3"),
        (b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\xff\xff\xff\xff\xff\xff", "a.mp3"),
    ],
)
def test_hostile_files_fail_with_the_reason(run: Run, folders: Folders, content: bytes, message: str) -> None:
    run("SaveAudio", audio=tone(), filename_prefix="b")
    (folders.output / "b_00001_.flac").rename(folders.input / "b.flac")
    (folders.input / "a.mp3").write_bytes(content)
    with pytest.raises(MediaError, match=message):
        run("LoadAudio", audio="a.mp3")


@pytest.mark.parametrize("kept", [60, 3000, 0.75])
def test_a_truncated_file_fails_instead_of_giving_half_of_it(run: Run, folders: Folders, kept: float) -> None:
    run("SaveAudio", audio=tone(2.0), filename_prefix="b")
    whole = (folders.output / "b_00001_.flac").read_bytes()
    (folders.input / "a.flac").write_bytes(whole[: kept if isinstance(kept, int) else int(len(whole) * kept)])
    with pytest.raises(MediaError, match=r"a\.flac"):
        run("LoadAudio", audio="a.flac")


def test_a_picture_has_no_sound(run: Run, folders: Folders) -> None:
    run("SaveAnimatedPNG", images=torch.rand(2, 8, 8, 3), fps=2.0, compress_level=4)
    with pytest.raises(MediaError, match="has no sound"):
        run("LoadAudio", audio="ComfyUI_00001_.png [output]")


def test_sound_that_does_not_fit_into_memory_is_refused_before_it_fills_it(
    run: Run, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("SaveAudio", audio={"waveform": torch.zeros(1, 2, 5_000_000), "sample_rate": 44100}, filename_prefix="bomb")
    assert (folders.output / "bomb_00001_.flac").stat().st_size < 100_000
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1_000_000))
    with pytest.raises(MediaError, match="too long for the memory"):
        run("LoadAudio", audio="bomb_00001_.flac [output]")


@pytest.mark.parametrize("name", ["../a.wav", "/etc/passwd", "a\0.wav"])
def test_names_that_leave_the_folder_are_refused(run: Run, name: str) -> None:
    with pytest.raises(UnsafePath):
        run("LoadAudio", audio=name)


def test_missing_files_and_folders_are_named(run: Run, folders: Folders) -> None:
    (folders.input / "sub").mkdir()
    for name in ("b.wav", "sub"):
        with pytest.raises(MediaError, match=f"no file '{name}'"):
            run("LoadAudio", audio=name)
    for nothing in ("", None, 5):
        with pytest.raises(NodeError, match="no recording"):
            run("RecordAudio", audio=nothing)


def test_a_sound_is_loaded_again_when_its_content_changed(
    run: Run, folders: Folders, implementations: dict[str, NodeImplementation]
) -> None:
    fingerprint = implementations["LoadAudio"].fingerprint
    assert fingerprint is not None
    path = folders.input / "a.wav"
    path.write_bytes(b"1")
    before = fingerprint(audio="a.wav")
    path.write_bytes(b"22")
    assert fingerprint(audio="a.wav") != before
    path.unlink()
    path.write_bytes(b"1")
    assert fingerprint(audio="a.wav") == before


# Signals


def test_an_empty_sound_is_silent(run: Run) -> None:
    (sound,) = run("EmptyAudio", duration=0.5, sample_rate=8000, channels=2)
    assert sound["sample_rate"] == 8000
    assert torch.equal(sound["waveform"], torch.zeros(1, 2, 4000))
    with pytest.raises(NodeError, match="do not fit into memory"):
        run("EmptyAudio", duration=1e15, sample_rate=44100, channels=2)
    for rate in (0, -1):
        with pytest.raises(NodeError, match="at least 1"):
            run("EmptyAudio", duration=1.0, sample_rate=rate, channels=1)


RAMP = {"waveform": torch.arange(100.0).expand(1, 1, -1) / 100, "sample_rate": 10}


@pytest.mark.parametrize(
    ("start", "duration", "first", "last"),
    [(0.0, 60.0, 0, 100), (1.0, 2.0, 10, 30), (-2.0, 1.0, 80, 90), (-99.0, 1.0, 0, 10), (99.0, 1.0, 99, 100),
     (0.0, 1e300, 0, 100)],
)  # fmt: skip
def test_trimming_cuts_a_piece_out(run: Run, start: float, duration: float, first: int, last: int) -> None:
    (sound,) = run("TrimAudioDuration", audio=RAMP, start_index=start, duration=duration)
    assert torch.equal(sound["waveform"], RAMP["waveform"][..., first:last])
    assert sound["sample_rate"] == 10


def test_trimming_to_nothing_is_an_error(run: Run) -> None:
    with pytest.raises(NodeError, match="nothing is left"):
        run("TrimAudioDuration", audio=RAMP, start_index=0.0, duration=0.0)
    with pytest.raises(NodeError, match="nothing is left"):
        run("TrimAudioDuration", audio={**RAMP, "waveform": torch.zeros(1, 1, 0)}, start_index=0.0, duration=1.0)


def test_channels_are_taken_apart(run: Run) -> None:
    wave = torch.rand(1, 2, 10)
    left, right = run("SplitAudioChannels", audio={"waveform": wave, "sample_rate": 10})
    assert torch.equal(left["waveform"], wave[:, :1])
    assert torch.equal(right["waveform"], wave[:, 1:])
    with pytest.raises(NodeError, match="one channel"):
        run("SplitAudioChannels", audio=left)


def test_sounds_are_joined_at_the_higher_rate_in_stereo(run: Run) -> None:
    low, high = tone(0.5, 8000, channels=1), tone(0.25, 16000, channels=2)
    (after,) = run("AudioConcat", audio1=low, audio2=high, direction="after")
    (before,) = run("AudioConcat", audio1=low, audio2=high, direction="before")
    assert after["sample_rate"] == before["sample_rate"] == 16000
    assert after["waveform"].shape == (1, 2, 8000 + 4000)
    assert torch.equal(after["waveform"][..., 8000:], high["waveform"])
    assert torch.equal(before["waveform"][..., :4000], high["waveform"])
    again = tone(0.5, 16000, channels=2)["waveform"]
    assert torch.allclose(after["waveform"][..., 200:7800], again[..., 200:7800], atol=0.02)


@pytest.mark.parametrize(
    ("method", "wanted"),
    [
        ("add", [0.75, 0.5, 0.5]),
        ("subtract", [0.25, 0.5, 0.5]),
        ("mean", [0.375, 0.25, 0.25]),
        ("multiply", [0.125, 0, 0]),
    ],
)
def test_merging_is_as_long_as_the_first_sound(run: Run, method: str, wanted: list[float]) -> None:
    one = {"waveform": torch.tensor([[[0.5, 0.5, 0.5]]]), "sample_rate": 10}
    short = {"waveform": torch.tensor([[[0.25]]]), "sample_rate": 10}
    (merged,) = run("AudioMerge", audio1=one, audio2=short, merge_method=method)
    assert torch.allclose(merged["waveform"], torch.tensor([[wanted]]))
    (cut,) = run("AudioMerge", audio1=short, audio2=one, merge_method="add")
    assert torch.allclose(cut["waveform"], torch.tensor([[[0.75]]]))


def test_a_sum_that_is_too_loud_is_made_quieter_as_a_whole(run: Run) -> None:
    loud = {"waveform": torch.tensor([[[1.0, 0.5]]]), "sample_rate": 10}
    (merged,) = run("AudioMerge", audio1=loud, audio2=loud, merge_method="add")
    assert torch.equal(merged["waveform"], torch.tensor([[[1.0, 0.5]]]))


def test_sounds_that_do_not_fit_together_are_an_error(run: Run) -> None:
    two, three = tone(batch=2), tone(batch=3)
    with pytest.raises(NodeError, match="do not fit together"):
        run("AudioMerge", audio1=two, audio2=three, merge_method="add")
    with pytest.raises(NodeError, match="cannot be joined"):
        run("AudioConcat", audio1=two, audio2=three, direction="after")


def test_the_volume_is_in_decibels(run: Run) -> None:
    sound = tone()
    (same,) = run("AudioAdjustVolume", audio=sound, volume=0)
    assert same is sound
    (louder,) = run("AudioAdjustVolume", audio=sound, volume=20)
    assert torch.allclose(louder["waveform"], sound["waveform"] * 10)
    (quieter,) = run("AudioAdjustVolume", audio=sound, volume=-20)
    assert torch.allclose(quieter["waveform"], sound["waveform"] / 10)
