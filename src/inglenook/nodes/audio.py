"""Sound from files and to files. AUDIO is a dict: `waveform` float32 [batch, channels, samples], -1..1, and
`sample_rate`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from inglenook.errors import NodeError
from inglenook.media import audio as sound_files
from inglenook.media.folders import FileKind
from inglenook.media.naming import FileRef, temporary_prefix, write_output
from inglenook.nodes.environment import environment, scratch
from inglenook.nodes.files import content_hash, input_path
from inglenook.nodes.registry import node
from inglenook.nodes.resampling import to_numpy
from inglenook.nodes.video_values import decoding_limits

Audio = Mapping[str, Any]
_DIMENSIONS = 3


def _fingerprint(audio: str, **_: Any) -> str:
    return content_hash(audio)


@node("LoadAudio", fingerprint=_fingerprint)
def load_audio(audio: str) -> tuple[Audio]:
    return (_load(audio),)


@node("RecordAudio", fingerprint=_fingerprint)
def record_audio(audio: str) -> tuple[Audio]:
    if not isinstance(audio, str) or not audio:
        raise NodeError("RecordAudio has no recording; record one in the editor, or name an uploaded file")
    return (_load(audio),)


def _load(name: str) -> Audio:
    sound = sound_files.decode(input_path(name), decoding_limits())
    return {"waveform": torch.from_numpy(sound.waveform)[None], "sample_rate": sound.sample_rate}


@node("SaveAudio")
def save_flac(
    audio: Audio, filename_prefix: str = "ComfyUI", prompt: Any = None, extra_pnginfo: Any = None
) -> dict[str, Any]:
    return _save(audio, "output", filename_prefix, "flac", "", prompt, extra_pnginfo)


@node("SaveAudioMP3")
def save_mp3(
    audio: Audio,
    filename_prefix: str = "ComfyUI",
    quality: str = "128k",
    prompt: Any = None,
    extra_pnginfo: Any = None,
) -> dict[str, Any]:
    return _save(audio, "output", filename_prefix, "mp3", quality, prompt, extra_pnginfo)


@node("SaveAudioOpus")
def save_opus(
    audio: Audio,
    filename_prefix: str = "ComfyUI",
    quality: str = "128k",
    prompt: Any = None,
    extra_pnginfo: Any = None,
) -> dict[str, Any]:
    return _save(audio, "output", filename_prefix, "opus", quality, prompt, extra_pnginfo)


@node("PreviewAudio")
def preview_audio(audio: Audio, prompt: Any = None, extra_pnginfo: Any = None) -> dict[str, Any]:
    return _save(audio, "temp", temporary_prefix(), "flac", "", prompt, extra_pnginfo)


def _save(
    audio: Audio, kind: FileKind, prefix: str, form: str, quality: str, prompt: Any, extra_pnginfo: Any
) -> dict[str, Any]:
    """Write each sound of the batch as a file with the workflow inside; return the ui data that names the files."""
    text = environment().workflow_text(prompt, extra_pnginfo)
    waves, rate = waveform(audio), int(audio["sample_rate"])
    files = [save_sound(wave, rate, number, kind, prefix, form, quality, text) for number, wave in enumerate(waves)]
    return {"ui": {"audio": [file.as_json() for file in files]}}


def save_sound(
    wave: Tensor,
    sample_rate: int,
    number: int,
    kind: FileKind,
    prefix: str,
    form: str,
    quality: str,
    text: Mapping[str, str],
) -> FileRef:
    """Write one sound, [channels, samples], of a batch. number: its place there; the others as `audio.encode`."""
    with scratch() as target:
        sound_files.encode(target, to_numpy(wave), sample_rate, form, quality=quality, text=text)
        return write_output(environment().folders, kind, prefix, form, target, batch_number=number)


def waveform(audio: Any) -> Tensor:
    """The samples of an AUDIO value; NodeError for what is none, such as the missing sound of a silent video."""
    if audio is None:
        raise NodeError("there is no sound: the video that it should come from has none")
    wave = audio["waveform"]
    if wave.ndim != _DIMENSIONS:
        raise NodeError(f"sound is {tuple(wave.shape)}; it must be [batch, channels, samples]")
    return wave  # type: ignore[no-any-return]
