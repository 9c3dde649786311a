"""Where and when entries of a conditioning count."""

import math

import pytest
import torch

from inglenook.errors import NodeError
from inglenook.models.sampling.guidance import CfgGuider
from inglenook.models.sampling.prediction import linear_prediction
from inglenook.models.sampling.regions import Area, Levels, Region
from inglenook.models.text.encode import encode_prompt

X = torch.randn(2, 4, 16, 24, generator=torch.Generator().manual_seed(0))
SIGMA = torch.tensor(2.0)
CPU = torch.device("cpu")


@pytest.fixture
def red(clip):
    return encode_prompt(clip, "red").context


@pytest.fixture
def blue(clip):
    return encode_prompt(clip, "blue").context


def denoise(model, positive, negative=None, cfg=1.0, x=X):
    guider = CfgGuider(model, positive, negative, cfg)
    with torch.inference_mode(), model.loaded() as loaded:
        return guider.prepare(x.shape).denoise(loaded, x, SIGMA)


def close(first, second):
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-4)


# Masks


def test_each_prompt_counts_where_its_mask_is(model, red, blue):
    left = torch.zeros(1, 16, 24)
    left[..., :12] = 1
    mixed = denoise(model, [[red, {"mask": left}], [blue, {"mask": 1 - left}]])
    close(mixed[..., :12], denoise(model, [[red, {}]])[..., :12])
    close(mixed[..., 12:], denoise(model, [[blue, {}]])[..., 12:])


def test_masks_are_weights(model, red, blue):
    first, second = denoise(model, [[red, {}]]), denoise(model, [[blue, {}]])
    half = torch.full((1, 16, 24), 0.5)
    close(denoise(model, [[red, {"mask": half}], [blue, {}]]), (first * 0.5 + second) / 1.5)
    strong = {"mask": half, "mask_strength": 4.0, "strength": 2.0}
    close(denoise(model, [[red, strong], [blue, {}]]), (first * 4 + second) / 5)


def test_a_place_that_no_prompt_is_about_becomes_nothing(model, red):
    left = torch.zeros(1, 16, 24)
    left[..., :12] = 1
    result = denoise(model, [[red, {"mask": left}]])
    close(result[..., :12], denoise(model, [[red, {}]])[..., :12])
    assert not result[..., 12:].any()


def test_a_mask_of_pixels_is_brought_to_the_latent(model, red, blue):
    large = torch.zeros(1, 128, 192)
    large[..., :96] = 1
    small = torch.zeros(1, 16, 24)
    small[..., :12] = 1
    close(denoise(model, [[red, {"mask": large}], [blue, {}]]), denoise(model, [[red, {"mask": small}], [blue, {}]]))


def test_each_item_of_a_batch_has_its_mask(model, red, blue):
    masks = torch.stack([torch.zeros(16, 24), torch.ones(16, 24)])
    result = denoise(model, [[red, {"mask": masks}], [blue, {"mask": 1 - masks}]])
    close(result[0], denoise(model, [[blue, {}]])[0])
    close(result[1], denoise(model, [[red, {}]])[1])


def test_within_bounds_the_network_sees_the_rectangle_of_the_mask_alone(model, red, blue):
    mask = torch.zeros(1, 16, 24)
    mask[:, 2:12, 6:22] = 1
    result = denoise(model, [[red, {"mask": mask, "set_area_to_bounds": True}], [blue, {"mask": 1 - mask}]])
    close(result[..., 2:12, 6:22], denoise(model, [[red, {}]], x=X[..., 2:12, 6:22]))
    close(result[..., :6], denoise(model, [[blue, {}]])[..., :6])


@pytest.mark.parametrize(
    ("rows", "columns", "area"),
    [
        (slice(3, 4), slice(5, 6), Area(8, 8, 3, 5)),
        (slice(0, 0), slice(0, 0), Area(8, 8, 0, 0)),
        (slice(15, 16), slice(23, 24), Area(1, 1, 15, 23)),
        (slice(0, 16), slice(0, 24), Area(16, 24, 0, 0)),
    ],
)
def test_bounds_of_masks(rows, columns, area):
    mask = torch.zeros(1, 16, 24)
    mask[:, rows, columns] = 1
    region = Region.of({"mask": mask, "set_area_to_bounds": True}, X.shape, CPU)
    assert region.area == area
    assert region.weight.shape[-2:] == (area.height, area.width)


# Areas


def test_an_area_is_predicted_by_itself_and_fades_in(model, red, blue):
    whole = denoise(model, [[blue, {}]])
    part = denoise(model, [[red, {}]], x=X[..., 0:16, 8:24])
    result = denoise(model, [[blue, {}], [red, {"area": (16, 16, 0, 8)}]])
    close(result[..., :8], whole[..., :8])
    close(result[..., 16:], (whole[..., 16:] + part[..., 8:]) / 2)
    close(result[..., 8], (whole[..., 8] + part[..., 0] / 8) / (1 + 1 / 8))


def test_areas_may_be_shares_of_the_picture(model, red):
    region = Region.of({"area": ("percentage", 0.5, 0.25, 0.5, 0.75)}, X.shape, CPU)
    assert region.area == Area(8, 6, 8, 18)
    assert Region.of({"area": (100, 100, 0, 0)}, X.shape, CPU).area == Area(16, 24, 0, 0)


@pytest.mark.parametrize(
    "area", [(8, 8, 16, 0), (8, 8, 0, 24), (8, 8, -1, 0), (0, 8, 0, 0), ("percentage", 1, 1, 1, 0)]
)
def test_an_area_outside_of_the_latent_is_refused(area):
    with pytest.raises(NodeError, match="outside of the latent of 24x16"):
        Region.of({"area": area}, X.shape, CPU)


def test_the_other_prompt_is_asked_about_an_area_too(model, red, blue):
    """Else the prompt of an area would be pushed away from what the other says of the whole picture."""
    area = {"area": (16, 16, 0, 8)}
    positive, negative = denoise(model, [[red, area]]), denoise(model, [[blue, {}], [blue, area]])
    close(denoise(model, [[red, area]], [[blue, {}]], 3.0), negative + 3.0 * (positive - negative))
    same = denoise(model, [[blue, area]])
    close(denoise(model, [[red, area]], [[blue, area]], 3.0), same + 3.0 * (positive - same))


# Ranges of steps


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ({"start_percent": 0.0, "end_percent": 1.0}, True),
        ({"start_percent": 0.9}, False),
        ({"end_percent": 0.1}, False),
        ({"start_percent": 0.1, "end_percent": 0.9}, True),
    ],
)
def test_an_entry_counts_in_its_range_of_steps(model, red, blue, options, counts):
    result = denoise(model, [[red, options], [blue, {}]])
    close(result, denoise(model, [[red, {}], [blue, {}]] if counts else [[blue, {}]]))


def test_when_no_entry_counts_nothing_is_predicted(model, red):
    assert not denoise(model, [[red, {"start_percent": 0.9}]]).any()


def test_levels_of_percentages():
    table = linear_prediction("eps").table
    levels = Levels.of({"start_percent": 0.0, "end_percent": 0.5}, table)
    middle = table.at_percent(0.5)
    assert levels.hold(float(table.sigma_max))
    assert levels.hold(middle)
    assert not levels.hold(math.nextafter(middle, 0))
    assert Levels.of({"end_percent": 1.0}, table).hold(0.0)
