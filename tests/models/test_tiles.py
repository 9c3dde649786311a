import itertools

import pytest
import torch

from inglenook.models.tiles import feather, in_tiles, starts
from inglenook.models.vae import Tiling


@pytest.mark.parametrize("scale", [1.0, 8.0, 0.125])
def test_a_function_of_single_pixels_is_the_same_in_tiles(scale):
    x = torch.rand(1, 2, 96, 160, generator=torch.Generator().manual_seed(0))
    size = [96, 160] if scale == 1 else [round(96 * scale), round(160 * scale)]
    flat = torch.full_like(x, 0.25)

    def function(part):
        return torch.nn.functional.interpolate(part * 2, scale_factor=scale, mode="nearest")

    result = in_tiles(function, flat, 64, 16, scale)
    assert list(result.shape[-2:]) == size
    torch.testing.assert_close(result, torch.full_like(result, 0.5))
    torch.testing.assert_close(in_tiles(lambda part: part * 3, x, 64, 16, 1.0), x * 3)


@pytest.mark.parametrize(("length", "tile", "overlap"), [(10, 64, 16), (64, 64, 16), (65, 64, 16), (500, 64, 16)])
def test_tiles_cover_everything_and_overlap(length, tile, overlap):
    begins = starts(length, tile, overlap)
    assert begins[0] == 0
    assert begins[-1] + tile >= length
    assert all(later - earlier <= tile - overlap for earlier, later in itertools.pairwise(begins))


def test_weights_are_positive_and_full_inside():
    window = feather(32, 32, 8)
    assert float(window.min()) > 0
    assert float(window[16, 16]) == 1


def test_tiles_begin_where_comfyuis_do():
    assert starts(100, 64, 16) == [0, 48]
    assert starts(65, 64, 16) == [0, 48]
    assert starts(160, 64, 16) == [0, 48, 96]


def test_three_cuts_are_averaged():
    assert Tiling(64, 64, 16).shapes() == (Tiling(128, 32, 16), Tiling(32, 128, 16), Tiling(64, 64, 16))
    assert Tiling(16, 16, 12).shapes()[0] == Tiling(32, 8, 4)  # else there would be a tile for each pixel
    assert Tiling(1, 1, 0).shapes()[0] == Tiling(2, 1, 0)
