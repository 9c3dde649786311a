"""Pictures of every mode are read as floats with a mask; what is no picture, or too large, is a clear error."""

import io
import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from inglenook.errors import MediaError
from inglenook.media import images, pixels, png
from inglenook.media.metadata import exif, read_metadata, workflow_text


def file_of(image: Image.Image, image_format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


GRADIENT = np.arange(16 * 12, dtype=np.uint8).reshape(16, 12)


def test_rgb_has_no_mask() -> None:
    values = np.stack([GRADIENT, GRADIENT // 2, 255 - GRADIENT], -1)
    decoded = pixels.decode(file_of(Image.fromarray(values)))
    assert decoded.masks is None
    assert decoded.images.dtype == np.float32
    assert np.array_equal(decoded.images[0], values.astype(np.float32) / 255)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "RGBX"])
def test_other_modes_become_rgb(mode: str) -> None:
    image = Image.fromarray(GRADIENT).convert("RGB").convert(mode)
    decoded = pixels.decode(file_of(image, "PNG" if mode in ("1", "L", "P") else "TIFF"))
    assert decoded.images.shape == (1, 16, 12, 3)
    assert decoded.masks is None


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_the_mask_is_one_minus_alpha(mode: str) -> None:
    image = Image.fromarray(GRADIENT).convert("RGBA")
    image.putalpha(Image.fromarray(GRADIENT))
    decoded = pixels.decode(file_of(image.convert(mode), "TIFF" if mode == "PA" else "PNG"))
    assert decoded.masks is not None
    assert decoded.images.shape == (1, 16, 12, 3)
    assert np.allclose(decoded.masks[0], 1 - GRADIENT / np.float32(255))


def test_a_transparent_palette_colour_is_in_the_mask() -> None:
    image = Image.new("P", (4, 2), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.putpixel((0, 0), 0)
    decoded = pixels.decode(file_of(image, transparency=0))
    assert decoded.masks is not None
    assert decoded.masks[0, 0].tolist() == [1, 0, 0, 0]
    assert decoded.images[0, 1, 1].tolist() == [1, 0, 0]


def test_sixteen_bits_keep_their_precision() -> None:
    values = np.array([[0, 1, 32768, 65535]], np.uint16)
    decoded = pixels.decode(file_of(Image.fromarray(values)))
    assert np.allclose(decoded.images[0, 0, :, 0], values[0] / 65535, atol=1e-7)


def test_floating_point_pictures() -> None:
    decoded = pixels.decode(file_of(Image.fromarray(np.array([[0.0, 0.25, 1.0]], np.float32)), "TIFF"))
    assert np.allclose(decoded.images[0, 0, :, 1], [0, 0.25, 1])


def test_exif_orientation_is_applied() -> None:
    tags = Image.Exif()
    tags[0x0112] = 6  # turned by 90 degrees
    decoded = pixels.decode(file_of(Image.new("RGB", (30, 10)), "JPEG", exif=tags))
    assert decoded.images.shape == (1, 30, 10, 3)


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_an_animation_is_a_batch(image_format: str) -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if image_format == "WEBP" else {}
    data = file_of(frames[0], image_format, save_all=True, append_images=frames[1:], **options)
    decoded = pixels.decode(data)
    assert decoded.images.shape == (3, 6, 8, 3)
    assert decoded.images[:, 0, 0].round().tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_pages_of_another_size_are_left_out() -> None:
    pages = [Image.new("RGB", size) for size in ((8, 6), (4, 4), (8, 6))]
    data = file_of(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert pixels.decode(data).images.shape == (2, 6, 8, 3)


def bomb(width: int, height: int) -> bytes:
    """A small PNG file that says it has many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = chunk(b"IDAT", zlib.compress(bytes(100_000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rows + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(20_000, 20_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_before_it_is_decoded(size: tuple[int, int]) -> None:
    with pytest.raises(MediaError, match="megapixels"):
        pixels.decode(bomb(*size))


def test_the_frames_of_an_animation_count_together() -> None:
    frames = [Image.new("L", (100, 100), level) for level in range(0, 250, 10)]
    data = file_of(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert len(pixels.decode(data, max_pixels=250_000).images) == 25
    with pytest.raises(MediaError, match=r"more than the limit of 0.1 megapixels"):
        pixels.decode(data, max_pixels=100_000)


GOOD = file_of(Image.fromarray(np.stack([GRADIENT] * 3, -1)))


def test_every_format_that_may_be_opened_is_looked_at() -> None:
    Image.init()
    assert set(images._FORMATS) <= set(Image.OPEN)


@pytest.mark.parametrize("image_format", ["AVIF", "ICO", "TGA", "PPM", "DDS", "JPEG2000", "PCX", "SGI", "MPO"])
def test_rarer_formats_are_read(image_format: str) -> None:
    data = file_of(Image.new("RGB", (16, 16), (250, 0, 0)), image_format)
    assert pixels.decode(data).images[0, 8, 8].tolist() == pytest.approx([250 / 255, 0, 0], abs=0.03)


@pytest.mark.parametrize(
    "data",
    [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", GOOD[:40], GOOD[:-30], b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg/>"],
    ids=["empty", "text", "signature", "header", "truncated", "eps", "svg"],
)
def test_what_is_no_picture_is_a_clear_error(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "upload.png").write_bytes(data)
    with pytest.raises(MediaError, match=r"cannot read upload\.png: (?!')"):
        pixels.decode(tmp_path / "upload.png")


@given(st.data())
def test_damaged_files_never_crash(data: st.DataObject) -> None:
    damaged = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(8, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(MediaError):
        pixels.decode(bytes(damaged), max_pixels=1_000_000)


@given(
    st.integers(1, 4).flatmap(
        lambda channels: arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(channels)))
    ),
    st.dictionaries(st.text("abc xyzé", min_size=1, max_size=10).filter(str.isprintable), st.text(max_size=50)),
    st.integers(0, 9),
)
def test_png_round_trip(pixels: np.ndarray[Any, np.dtype[np.uint8]], text: dict[str, str], level: int) -> None:
    text = {key: value.replace("\0", "").encode("utf-8", "ignore").decode() for key, value in text.items()}
    data = png.encode(pixels, level=level, text=text)
    with Image.open(io.BytesIO(data)) as image:
        image.verify()
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(np.asarray(image).reshape(pixels.shape), pixels)
        assert image.text == text  # type: ignore[attr-defined]


def test_png_text_is_read_without_pixels(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    text = {"prompt": '{"1": {}}', "workflow": '{"name": "画"}'}
    file.write_bytes(png.encode(np.zeros((2, 2, 3), np.uint8), text=text))
    assert png.read_text(file) == text == read_metadata(file)
    file.write_bytes(file.read_bytes()[:-20])  # pixels cut off
    assert png.read_text(file) == text


def test_compressed_text_is_read_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("prompt", "x" * 5000, zip=True)
    info.add_itxt("workflow", "画" * 5000, zip=True)
    file = tmp_path / "a.png"
    Image.new("L", (1, 1)).save(file, pnginfo=info)
    assert png.read_text(file) == {"prompt": "x" * 5000, "workflow": "画" * 5000}
    monkeypatch.setattr(png, "_MAX_TEXT_BYTES", 8000)
    assert png.read_text(file) == {"prompt": "x" * 5000}


def test_webp_carries_the_workflow_as_exif(tmp_path: Path) -> None:
    text = workflow_text({"1": {"class_type": "A"}}, {"workflow": {"nodes": []}, "other": [1]})
    Image.new("RGB", (2, 2)).save(tmp_path / "a.webp", exif=exif(text))
    assert read_metadata(tmp_path / "a.webp") == text
    with Image.open(tmp_path / "a.webp") as image:
        tags = image.getexif()
    assert tags[0x0110].startswith("prompt:{")
    assert tags[0x010F].startswith("workflow:{")


def test_extra_entries_that_are_no_object_are_ignored() -> None:
    assert workflow_text({}, ["a"]) == {"prompt": "{}"}
    assert workflow_text(None, None) == {}


def test_values_are_cut_off_not_rounded() -> None:
    values = np.array([-1, 0, 0.5, 0.999, 1, 2, np.nan], np.float32)
    assert pixels.quantize(values)[:6].tolist() == [0, 0, 127, 254, 255, 255]


def test_encoders_for_browsers() -> None:
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 128))
    for image_format, mode in (("webp", "RGBA"), ("jpeg", "RGB"), ("png", "RGBA")):
        with Image.open(io.BytesIO(images.encode(image, image_format))) as encoded:
            assert (encoded.format or "").lower() == image_format
            assert encoded.mode == mode
    assert images.only_alpha(image).getpixel((0, 0)) == (0, 0, 0, 128)
    assert images.only_alpha(Image.new("RGB", (1, 1), "red")).getpixel((0, 0)) == (0, 0, 0, 255)
