"""Train the UNet of the demo checkpoint on captioned shapes; the text encoder (`train_text.py`) stays as it is.

The encoder of the autoencoder averages blocks of 8 x 8 pixels (`train_vae.py`), so latents are computed here from drawn
masks, without it, and every step sees new pictures. The networks learn to predict the noise, with SD1.5's schedule. The
loss counts the error of the picture: weight SNR, as in Min-SNR (Hang et al. 2023, "Efficient Diffusion Training via
Min-SNR Weighting Strategy"), but within narrow bounds, and noisy times are drawn more often: there colours and shapes
are decided, and words matter most.
"""

from __future__ import annotations

import argparse
import copy
import random
import time
from pathlib import Path

import torch
from architecture import NORM_GROUPS, PICTURE_SIZE, make_unet, noise_schedule
from linear_path import start_unet
from shapes import COLOURS, Scene, draw_mask, random_scene
from torch import Tensor, nn
from train_text import Words, captioned, make_small_text_encoder
from train_vae import colour_matrix

LOWEST_WEIGHT, HIGHEST_WEIGHT = 0.3, 2.0


def batch_of(rng: random.Random, count: int, matrix: Tensor) -> tuple[Tensor, list[str]]:
    """Draw scenes: latents [count, 4, size/8, size/8] with a variance of about 1, and their captions."""
    drawn, captions = captioned(rng, count)
    latents = [latent_of(scene or random_scene(rng), matrix) for scene in drawn]
    return torch.stack(latents), captions


def latent_of(scene: Scene, matrix: Tensor) -> Tensor:
    """Draw the latent that the encoder would make of a scene: [4, size/8, size/8]."""
    mask = draw_mask(scene.shape, PICTURE_SIZE, *(v * PICTURE_SIZE for v in (scene.x, scene.y, scene.radius)))
    cells = torch.from_numpy(mask.reshape(PICTURE_SIZE // 8, 8, PICTURE_SIZE // 8, 8).mean(axis=(1, 3)))
    front, back = ((torch.tensor(COLOURS[name]) / 127.5 - 1) @ matrix for name in (scene.foreground, scene.background))
    return back[:, None, None] + cells * (front - back)[:, None, None]


class Painter(nn.Module):
    """UNet and text encoder as one module."""

    def __init__(self, words: Words) -> None:
        super().__init__()
        self.text = make_small_text_encoder(words).requires_grad_(False)
        self.unet = make_unet()
        start_unet(self.unet, NORM_GROUPS)

    def forward(self, noisy: Tensor, times: Tensor, rows: Tensor) -> Tensor:
        """Predict the noise in latents [n, 4, height, width] at times [n], for captions [n, 77]."""
        return self.unet(noisy, times, self.text(rows).last_hidden_state).sample


def loss_of(painter: Painter, latents: Tensor, rows: Tensor, alphas: Tensor) -> Tensor:
    """Mean squared error of the predicted noise, weighted by signal-to-noise ratio."""
    count = len(latents)
    times = (((torch.arange(count) + torch.rand(count)) / count).sqrt() * len(alphas)).long()
    alpha = alphas[times].view(-1, 1, 1, 1)
    noise = torch.randn_like(latents)
    predicted = painter(alpha.sqrt() * latents + (1 - alpha).sqrt() * noise, times, rows)
    ratio = alpha / (1 - alpha)
    weight = ratio.clamp(LOWEST_WEIGHT, HIGHEST_WEIGHT) / ratio
    return (weight * (predicted - noise).square()).mean()


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, step: int, decay: float) -> None:
    """Move the running average of the weights one step; it starts short and grows to `decay`."""
    share = 1 - min(decay, (1 + step) / (10 + step))
    for mean, value in zip(average.parameters(), model.parameters(), strict=True):
        mean.lerp_(value, share)


def train(steps: int, batch: int, rate: float, decay: float, seed: int, folder: Path, begin: Path | None) -> None:
    """Train for `steps` and save the averaged weights as `painter.pt` in `folder` now and then."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    words, alphas, matrix = Words(), noise_schedule(), colour_matrix()
    painter = Painter(words)
    painter.text.load_state_dict(torch.load(folder / "text.pt")["text"])
    if begin is not None:
        painter.load_state_dict(torch.load(begin)["model"])
    average = copy.deepcopy(painter)
    optimizer = torch.optim.AdamW(painter.unet.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, steps, pct_start=max(0.05, 2 / steps), final_div_factor=100
    )
    mean_loss, started = 0.0, time.monotonic()
    for step in range(1, steps + 1):
        latents, captions = batch_of(rng, batch, matrix)
        loss = loss_of(painter, latents, words.encode(captions, rng), alphas)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(painter.unet.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        follow(average, painter, step, decay)
        mean_loss += (loss.item() - mean_loss) * max(0.01, 1 / step)
        if step % 20 == 0:
            print(f"unet {step}/{steps} loss {mean_loss:.4f} {time.monotonic() - started:.0f} s", flush=True)
        if step % 100 == 0 or step == steps:
            state = {"average": average.state_dict(), "model": painter.state_dict(), "ids": words.ids, "step": step}
            torch.save(state, folder / "painter.pt.part")
            (folder / "painter.pt.part").rename(folder / "painter.pt")


def main() -> None:
    """Parse arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--folder", type=Path, default=Path("demo-training"), help="where text.pt is and painter.pt goes"
    )
    parser.add_argument("--begin", type=Path, help="painter.pt to begin with")
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=8e-4, help="peak learning rate")
    parser.add_argument("--decay", type=float, default=0.99, help="of the running average of the weights")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    train(
        arguments.steps, arguments.batch, arguments.rate, arguments.decay, arguments.seed, arguments.folder,
        arguments.begin,
    )  # fmt: skip


if __name__ == "__main__":
    main()
