import pytest
import torch

from inglenook.errors import NodeError
from inglenook.models import vae as vae_module
from inglenook.models.vae import decode_latents, encode_images

LATENT = torch.randn(1, 4, 6, 8, generator=torch.Generator().manual_seed(0))


def test_a_latent_becomes_a_picture_eight_times_as_large(vae):
    picture = decode_latents(vae, LATENT.repeat(2, 1, 1, 1))
    assert picture.shape == (2, 48, 64, 3)
    assert picture.dtype == torch.float32
    assert 0 <= float(picture.min()) <= float(picture.max()) <= 1
    assert not picture.is_inference()


def test_a_picture_becomes_a_latent_always_the_same(vae):
    pixels = torch.rand(2, 48, 64, 3, generator=torch.Generator().manual_seed(0))
    latent = encode_images(vae, pixels)
    assert latent.shape == (2, 4, 6, 8)
    assert torch.equal(latent, encode_images(vae, pixels))


def test_odd_sides_are_cropped_around_the_middle_and_transparency_is_dropped(vae):
    pixels = torch.rand(1, 53, 70, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(encode_images(vae, pixels), encode_images(vae, pixels[:, 2:50, 3:67, :3]))


def test_tiny_pictures_and_foreign_latents_are_refused(vae):
    with pytest.raises(NodeError, match="at least 8x8"):
        encode_images(vae, torch.zeros(1, 7, 64, 3))
    with pytest.raises(NodeError, match=r"\(1, 16, 8, 8\)"):
        decode_latents(vae, torch.zeros(1, 16, 8, 8))


def full_above(limit):
    """A function that refuses pictures larger than `limit` pixels, as a full device does."""

    def wrap(function):
        def limited(module, x):
            if x.shape[-1] * x.shape[-2] > limit:
                raise torch.OutOfMemoryError
            return function(module, x)

        return limited

    return wrap


def test_what_does_not_fit_is_decoded_in_tiles(vae, monkeypatch, caplog):
    latent = torch.randn(1, 4, 40, 24, generator=torch.Generator().manual_seed(0)) * 0.5
    whole = decode_latents(vae, latent)
    monkeypatch.setattr(vae_module, "TILE", 32)
    one_by_one = vae_module._one_by_one
    monkeypatch.setattr(
        vae_module, "_one_by_one", lambda v, b, function, *rest: one_by_one(v, b, full_above(800)(function), *rest)
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    tiled = decode_latents(vae, latent)
    assert tiled.shape == whole.shape
    assert float((tiled - whole).abs().mean()) < 0.05
    assert "trying in tiles" in caplog.text


def test_what_does_not_fit_even_in_tiles_fails(vae, monkeypatch):
    one_by_one = vae_module._one_by_one
    monkeypatch.setattr(
        vae_module, "_one_by_one", lambda v, b, function, *rest: one_by_one(v, b, full_above(1)(function), *rest)
    )
    with pytest.raises(torch.OutOfMemoryError):
        decode_latents(vae, LATENT)
