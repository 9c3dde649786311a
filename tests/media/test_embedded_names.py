"""Names in the workflow that a file carries, in every container that has one."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from inglenook.media import metadata, png
from inglenook.media.embedded_names import longest_form, replace_names
from inglenook.media.reader import read_tags

THEIRS = "inglenook-0123456789abcdef0123456789abcdef01234567.png"
LONGER = f"inglenook-0123456789abcdef0123456789abcdef01234567-{'0' * 90}.png"


def graph(*names: str) -> dict[str, Any]:
    return {str(number): {"class_type": "LoadImage", "inputs": {"image": name}} for number, name in enumerate(names)}


def changed(data: bytes, names: dict[str, str]) -> bytes:
    file = io.BytesIO(data)
    replace_names(file, names)
    assert file.tell() == 0
    assert len(file.getvalue()) == len(data)
    return file.getvalue()


@pytest.mark.parametrize(
    "ours", ["in9.png", "sub folder/in 9.png", 'odd "\\ name.png', "猫の画像.png", "result.png [output]"]
)
def test_a_picture_names_the_files_of_this_server(ours: str) -> None:
    assert longest_form(ours) <= len(LONGER)
    text = {"prompt": json.dumps(graph(LONGER, "other.png", LONGER)), "workflow": json.dumps({"nodes": [LONGER]})}
    data = changed(png.encode(np.zeros((4, 4, 3), np.uint8), text=text), {LONGER: ours})
    Image.open(io.BytesIO(data)).verify()  # checks the sums of the chunks
    found = metadata.metadata_of(data)
    assert json.loads(found["prompt"]) == graph(ours, "other.png", ours)
    assert json.loads(found["workflow"]) == {"nodes": [ours]}


@pytest.mark.parametrize("image_format", ["WEBP", "JPEG"])
def test_exif_of_other_pictures_is_changed_too(image_format: str) -> None:
    file = io.BytesIO()
    tags = metadata.exif({"prompt": json.dumps(graph(THEIRS)), "workflow": json.dumps({"nodes": [THEIRS]})})
    Image.new("RGB", (8, 8)).save(file, image_format, exif=tags)
    data = changed(file.getvalue(), {THEIRS: "in9.png"})
    assert json.loads(metadata.metadata_of(data)["prompt"]) == graph("in9.png")
    Image.open(io.BytesIO(data)).load()


CONTAINERS = [
    ("flac", "flac"),
    ("mp3", "libmp3lame"),
    ("opus", "libopus"),
    ("mp4", "aac"),
    ("webm", "libopus"),
    ("mkv", "flac"),
]


def sound(path: Path, codec: str, tags: dict[str, str]) -> bytes:
    options = {"movflags": "use_metadata_tags"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=options) as container:
        container.metadata.update(tags)
        stream = container.add_stream(codec, rate=48000, layout="mono")
        for _ in range(2):
            frame = av.AudioFrame(format=stream.format.name, layout="mono", samples=960)
            frame.rate = 48000
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


@pytest.mark.parametrize(("extension", "codec"), CONTAINERS)
def test_tags_of_sound_and_video_are_changed(extension: str, codec: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{extension}"
    inner = {"prompt": json.dumps(graph(THEIRS)), "workflow": {"nodes": [THEIRS]}}
    data = sound(path, codec, {"prompt": json.dumps(graph(THEIRS, "x.png")), "comment": json.dumps(inner)})
    path.write_bytes(changed(data, {THEIRS: "in9.png"}))
    tags = read_tags(path)
    assert json.loads(tags["prompt"]) == graph("in9.png", "x.png")
    comment = json.loads(tags["comment"])
    assert (json.loads(comment["prompt"]), comment["workflow"]) == (graph("in9.png"), {"nodes": ["in9.png"]})
    with av.open(str(path), options={"err_detect": "crccheck+explode"}) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) >= 960


def test_a_name_without_room_and_other_texts_are_left() -> None:
    data = b"RIFF" + json.dumps({"a": THEIRS, "b": f"of {THEIRS}"}).encode() + THEIRS.encode()
    assert changed(data, {THEIRS: "x" * 200}) == data
    assert changed(data, {"a": "b"}) == data
    assert changed(data, {}) == data
    assert json.loads(changed(data, {THEIRS: "in.png"})[4 : -len(THEIRS)]) == {"a": "in.png", "b": f"of {THEIRS}"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        png.SIGNATURE,
        png.SIGNATURE + b"\xff\xff\xff\xfftEXt",
        b"OggS",
        b"OggS" + b"\xff" * 400,
        b"\x1a\x45\xdf\xa3" + b"\x12\x54\xc3\x67" + f'"{THEIRS}"'.encode() + b"\x12\x54\xc3\x67",
        b"\x1a\x45\xdf\xa3" + f'"{THEIRS}"'.encode() + b"\x12\x54\xc3\x67\x01",
    ],
)
def test_damaged_files_do_no_harm(data: bytes) -> None:
    changed(data, {THEIRS: "in9.png"})


def test_names_at_both_ends_of_a_large_file_are_changed() -> None:
    quoted = f'"{THEIRS}"'.encode()
    data = quoted + b"\0" * (20 << 20) + quoted
    assert changed(data, {THEIRS: "in9.png"}).count(b'"in9.png"') == 2
