import io

import torch
from PIL import Image

from inglenook.models.families.family import LatentFormat
from inglenook.models.preview import latent_to_jpeg

FORM = LatentFormat(2, 1.0, rgb=((1.0, -1.0, -1.0), (-1.0, -1.0, 1.0)))


def picture(latent, side=128):
    return Image.open(io.BytesIO(latent_to_jpeg(latent, FORM, side)))


def test_channels_have_their_colours():
    latent = torch.zeros(1, 2, 8, 16)
    latent[0, 0, :, :8] = 1.0
    latent[0, 1, :, 8:] = 1.0
    image = picture(latent)
    assert image.format == "JPEG"
    assert image.size == (128, 64)
    red, blue = image.getpixel((16, 32)), image.getpixel((112, 32))
    assert red[0] > 240 > 20 > red[2]
    assert blue[2] > 240 > 20 > blue[0]


def test_the_first_item_of_a_batch_is_shown_whatever_it_holds():
    latent = torch.full((2, 2, 4, 4), float("nan"))
    assert picture(latent, 16).size == (16, 16)
    assert picture(torch.full((1, 2, 1, 300), 1e9), 512).size == (512, 2)
