"""Train the autoencoder of the demo checkpoint on drawn shapes.

The encoder is set by hand (`linear_path.py`) and stays as it is: a latent cell holds the mean colour of its 8 x 8
pixels, in the linear map (`LATENT_RGB`) that fast latent previews assume for SD1.5, so those previews show the right
colours. Means at a smooth edge say where the edge is, so the decoder can learn to draw it sharply; it starts from
pixels that repeat the cell's colour. Most steps see 64 pixel windows around the edges of shapes, since flat areas
teach nothing; the last ones see whole pictures, because normalisation and attention look at the whole picture. The
decoder sees latents with noise on them and so forgives a UNet that is a little off.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

import numpy as np
import torch
from architecture import NORM_GROUPS, PICTURE_SIZE, make_vae
from diffusers import AutoencoderKL
from linear_path import start_vae
from PIL import Image
from shapes import COLOURS, SHAPES, Rgb, draw, draw_mask, paint, random_scene
from torch import Tensor

WINDOW = 64
LATENT_RGB = torch.tensor(
    [[0.3512, 0.2297, 0.3227], [0.3250, 0.4974, 0.2350], [-0.2829, 0.1762, 0.2721], [-0.2120, -0.2616, -0.7177]]
)
"""Usual linear approximation of SD1.5's decoder: rgb (-1..1) = latent (4, scaled) @ LATENT_RGB."""


def colour_matrix() -> Tensor:
    """Return the map from colours (-1..1) to latents: [3, 4]."""
    return torch.linalg.pinv(LATENT_RGB)


def random_colour(rng: random.Random) -> Rgb:
    """Draw a named colour or, half of the time, any colour, so that pictures other than ours encode well too."""
    if rng.random() < 0.5:
        return rng.choice(tuple(COLOURS.values()))
    return (rng.randrange(256), rng.randrange(256), rng.randrange(256))


def window_batch(rng: random.Random, count: int) -> Tensor:
    """Draw windows on the edges of shapes: [count, 3, WINDOW, WINDOW], -1..1."""
    pictures = []
    for _ in range(count):
        radius = rng.uniform(0.2, 0.36) * PICTURE_SIZE
        x, y = (WINDOW / 2 + rng.uniform(-0.9, 0.9) * radius for _ in range(2))
        mask = draw_mask(rng.choice(SHAPES), WINDOW, x, y, radius)
        pictures.append(paint(mask, random_colour(rng), random_colour(rng)))
    return to_tensor(pictures)


def picture_batch(rng: random.Random, count: int) -> Tensor:
    """Draw whole pictures: [count, 3, PICTURE_SIZE, PICTURE_SIZE], -1..1."""
    return to_tensor([draw(random_scene(rng), PICTURE_SIZE) for _ in range(count)])


def to_tensor(pictures: list[np.ndarray]) -> Tensor:
    """Stack pictures [height, width, 3], 0..1, into [n, 3, height, width], -1..1."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous() * 2 - 1


def encode(vae: AutoencoderKL, pixels: Tensor) -> Tensor:
    """Return the mean latents, without any scale: [n, 4, height/8, width/8]."""
    return vae.encode(pixels).latent_dist.mean


def loss_of(vae: AutoencoderKL, pixels: Tensor, noise: float) -> Tensor:
    """Rebuild pixels from noisy latents; compare values and edges."""
    with torch.no_grad():
        latents = encode(vae, pixels)
    strength = noise * torch.rand(len(pixels), 1, 1, 1)
    rebuilt = vae.decode(latents + strength * torch.randn_like(latents)).sample
    value = (rebuilt - pixels).abs().mean()
    edges = sum((rebuilt.diff(dim=axis) - pixels.diff(dim=axis)).abs().mean() for axis in (2, 3))
    return value + edges


@torch.no_grad()
def check(vae: AutoencoderKL, pixels: Tensor, path: Path) -> str:
    """Write originals above reconstructions as a PNG; return mean errors and latent statistics as text."""
    latents = encode(vae, pixels)
    rebuilt = vae.decode(latents).sample.clamp(-1, 1)
    noisy = vae.decode(latents + 0.2 * torch.randn_like(latents)).sample.clamp(-1, 1)
    sheet = torch.cat([torch.cat(list(batch), dim=2) for batch in (pixels, rebuilt, noisy)], dim=1)
    Image.fromarray(((sheet.permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()).save(path)
    error = (rebuilt - pixels).square().mean()
    return (
        f"psnr {10 * torch.log10(4 / error):.1f} l1 {(rebuilt - pixels).abs().mean():.4f} "
        f"noisy l1 {(noisy - pixels).abs().mean():.4f} "
        f"latent mean {latents.mean((0, 2, 3)).numpy().round(2)} deviation {latents.std((0, 2, 3)).numpy().round(2)}"
    )


def train(
    steps: int, whole: float, batch: int, rate: float, noise: float, seed: int, folder: Path, begin: Path | None
) -> None:
    """Train for `steps`, the last `whole` part of them on whole pictures; save `vae.pt` in `folder`."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    fixed = picture_batch(random.Random(seed + 1), 8)
    vae = make_vae()
    start_vae(vae, colour_matrix(), torch.linalg.pinv(colour_matrix()), NORM_GROUPS)
    if begin is not None:
        vae.load_state_dict(torch.load(begin))
    print(check(vae, fixed, folder / "vae.png"), flush=True)
    vae.encoder.requires_grad_(False)
    vae.quant_conv.requires_grad_(False)
    trained = [*vae.decoder.parameters(), *vae.post_quant_conv.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=rate, betas=(0.9, 0.98), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, steps, pct_start=max(0.04, 2 / steps), final_div_factor=100
    )
    average, start = 0.0, time.monotonic()
    for step in range(1, steps + 1):
        late = step > steps * (1 - whole)
        pixels = picture_batch(rng, max(1, batch // 4)) if late else window_batch(rng, batch)
        loss = loss_of(vae, pixels, noise)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        average += (loss.item() - average) * max(0.02, 1 / step)
        if step % 20 == 0:
            print(f"vae {step}/{steps} loss {average:.4f} {time.monotonic() - start:.0f} s", flush=True)
        if step % 100 == 0 or step == steps:
            print("  ", check(vae, fixed, folder / "vae.png"), flush=True)
            torch.save(vae.state_dict(), folder / "vae.pt")


def main() -> None:
    """Parse arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("demo-training"), help="where vae.pt and vae.png go")
    parser.add_argument("--begin", type=Path, help="vae.pt to begin with")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--whole", type=float, default=0.2, help="part of the steps that sees whole pictures")
    parser.add_argument("--batch", type=int, default=8, help="windows per step; whole pictures: a quarter of it")
    parser.add_argument("--rate", type=float, default=3e-4, help="peak learning rate")
    parser.add_argument("--noise", type=float, default=0.22, help="largest deviation of the noise on latents")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    train(
        arguments.steps, arguments.whole, arguments.batch, arguments.rate, arguments.noise, arguments.seed,
        arguments.folder, arguments.begin,
    )  # fmt: skip


if __name__ == "__main__":
    main()
