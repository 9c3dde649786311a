"""VHS_LoadVideo: the frames of a video that are wanted, and its sound.

The interface is the one that workflows know from ComfyUI-VideoHelperSuite; a pack that brings the class itself takes
its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inglenook.errors import NodeError
from inglenook.media import video
from inglenook.media.video import Facts, Picture, Reader
from inglenook.nodes.files import content_hash, input_path
from inglenook.nodes.registry import node
from inglenook.nodes.video_values import decoding_limits, images_of


def _fingerprint(video: str, **_: Any) -> str:
    return content_hash(video)


@node("VHS_LoadVideo", fingerprint=_fingerprint)
def load_video_frames(
    video: str,
    force_rate: float,
    custom_width: int,
    custom_height: int,
    frame_load_cap: int,
    skip_first_frames: int,
    select_every_nth: int,
) -> tuple[Tensor, int, Mapping[str, Any] | None, Mapping[str, Any]]:
    if not isinstance(force_rate, (int, float)) or force_rate < 0:
        raise NodeError(f"VHS_LoadVideo: force_rate is {force_rate!r}; it must be a number, 0 for the video's own")
    path = input_path(video)
    reader, facts = Reader(path, limits=decoding_limits()), _facts(path)
    source_rate = float(facts.frame_rate)
    rate = force_rate or source_rate
    wanted = islice(
        _paced(reader, source_rate, rate),
        skip_first_frames,
        skip_first_frames + frame_load_cap * select_every_nth if frame_load_cap else None,
        select_every_nth,
    )
    frames = [*reader.fitting(_resized(wanted, custom_width, custom_height))]
    if not frames:
        raise NodeError(f"VHS_LoadVideo: no frame is left of {path.name} after skipping {skip_first_frames}")
    images = images_of(frames)
    begin_s, length_s = skip_first_frames / rate, len(images) * select_every_nth / rate
    info = _info(facts, images, rate / select_every_nth)
    return images, len(images), _sound(path, begin_s, length_s), info


def _facts(path: Path) -> Facts:
    return video.facts(path, decoding_limits())


def _paced(frames: Iterable[Picture], source_rate: float, rate: float) -> Iterator[Picture]:
    """The frames that are on the screen at each moment of another rate: some left out, or some several times."""
    shown = 0
    for number, frame in enumerate(frames):
        while int(shown * source_rate / rate + 1e-6) == number:
            yield frame
            shown += 1


def _resized(frames: Iterable[Picture], width: int, height: int) -> Iterator[Picture]:
    """Frames of another size (0: as the other side says, both 0: as they are), the sides cut off to its aspect."""
    for frame in frames:
        old_height, old_width = frame.shape[:2]
        new_width = width or round(old_width * height / old_height) or old_width
        new_height = height or round(old_height * width / old_width) or old_height
        if (new_width, new_height) == (old_width, old_height):
            yield frame
            continue
        scale = min(old_width / new_width, old_height / new_height)
        left, top = (old_width - new_width * scale) / 2, (old_height - new_height * scale) / 2
        box = (left, top, old_width - left, old_height - top)
        yield np.array(Image.fromarray(frame).resize((new_width, new_height), Image.Resampling.LANCZOS, box))


def _sound(path: Path, begin_s: float, length_s: float) -> Mapping[str, Any] | None:
    sound = Reader(path, begin_s, length_s, decoding_limits()).sound()
    if sound is None:
        return None
    return {"waveform": torch.from_numpy(sound.waveform)[None], "sample_rate": sound.sample_rate}


def _info(facts: Facts, images: Tensor, rate: float) -> dict[str, Any]:
    """A VHS_VIDEOINFO."""
    return {
        "source_fps": float(facts.frame_rate),
        "source_frame_count": facts.frame_count,
        "source_duration": facts.duration_s,
        "source_width": facts.width,
        "source_height": facts.height,
        "loaded_fps": rate,
        "loaded_frame_count": len(images),
        "loaded_duration": len(images) / rate,
        "loaded_width": images.shape[2],
        "loaded_height": images.shape[1],
    }
