"""Train the text encoder of the demo checkpoint, before and without the UNet.

A prompt ends in some sixty end tokens. The text encoder learns to write on each of them what the prompt asks for: a sum
of orthogonal codes, one for the shape, the two colours and the size. A UNet finds such codes within a few hundred
steps; left to itself, training both together learned colours soon but hardly told shapes apart after 1500 steps, since
the error of a picture depends little on its shape.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

import torch
from architecture import END_TOKEN, TEXT_LENGTH, TEXT_WIDTH, make_text_encoder
from captions import encode_captions
from shapes import COLOURS, SHAPES, Scene, caption, every_word, random_scene, size_of
from torch import Tensor, nn

EMPTY_SHARE = 0.1
"""Part of the captions that is empty, for classifier-free guidance."""
FILLER_SHARE = 0.15
"""Part of the captions that gets words without a meaning, so that unknown words in a prompt do little."""
SIZE_NAMES = ("small", "usual", "large")
STRENGTHS = {"shape": 2.5, "foreground": 2.5, "background": 2.5, "size": 1.5, "empty": 4.5}
"""Lengths of the codes; the text encoder ends in a normalisation to vectors about 8 long."""


class Words:
    """The few tokens that captions use; all other tokens of the vocabulary share one learned row, number 0."""

    def __init__(self) -> None:
        self.ids = sorted(set(encode_captions(every_word()).flatten().tolist()))
        self.rows = torch.zeros(END_TOKEN + 1, dtype=torch.long)
        self.rows[self.ids] = torch.arange(1, len(self.ids) + 1)
        self.end = int(self.rows[END_TOKEN])

    def encode(self, captions: list[str], rng: random.Random) -> Tensor:
        """Turn captions into rows of the small embedding, some with meaningless words added: int64 [n, 77]."""
        rows = self.rows[encode_captions(captions)]
        for index in range(len(rows)):
            if rng.random() < FILLER_SHARE:
                rows[index] = self._with_filler(rows[index], rng)
        return rows

    def _with_filler(self, row: Tensor, rng: random.Random) -> Tensor:
        words = row[1 : int((row == self.end).int().argmax())].tolist()
        for _ in range(rng.randint(1, 4)):
            words.insert(rng.randint(0, len(words)), 0)
        filled = [int(row[0]), *words]
        return torch.tensor(filled + [self.end] * (TEXT_LENGTH - len(filled)))


def make_small_text_encoder(words: Words) -> nn.Module:
    """Build the text encoder with one row for each word that captions use, and one for all others."""
    text = make_text_encoder()
    text.get_input_embeddings().weight = nn.Parameter(0.02 * torch.randn(len(words.ids) + 1, TEXT_WIDTH))
    return text


def make_codes() -> dict[str, Tensor]:
    """Make a code for each value of each attribute, all at right angles: attribute -> [values, TEXT_WIDTH]."""
    counts = {"shape": len(SHAPES), "foreground": len(COLOURS), "background": len(COLOURS), "size": 3, "empty": 1}
    directions, _ = torch.linalg.qr(torch.randn(TEXT_WIDTH, sum(counts.values())))
    split = directions.T.split(list(counts.values()))
    return {name: STRENGTHS[name] * part for name, part in zip(counts, split, strict=True)}


def code_of(scene: Scene | None, codes: dict[str, Tensor]) -> Tensor:
    """Add up the codes of a scene, None for an empty caption: [TEXT_WIDTH]."""
    if scene is None:
        return codes["empty"][0]
    names = tuple(COLOURS)
    return (
        codes["shape"][SHAPES.index(scene.shape)]
        + codes["foreground"][names.index(scene.foreground)]
        + codes["background"][names.index(scene.background)]
        + codes["size"][SIZE_NAMES.index(size_of(scene.radius))]
    )


def captioned(rng: random.Random, count: int) -> tuple[list[Scene | None], list[str]]:
    """Draw scenes and word them; some captions are empty and their scenes None."""
    drawn = [random_scene(rng) if rng.random() >= EMPTY_SHARE else None for _ in range(count)]
    return drawn, [caption(scene, rng) if scene else "" for scene in drawn]


def train(steps: int, batch: int, rate: float, seed: int, folder: Path) -> None:
    """Train for `steps`; save `text.pt` in `folder`."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    words, codes = Words(), make_codes()
    text = make_small_text_encoder(words)
    optimizer = torch.optim.AdamW(text.parameters(), lr=rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps, pct_start=max(0.05, 2 / steps))
    started = time.monotonic()
    for step in range(1, steps + 1):
        drawn, captions = captioned(rng, batch)
        rows = words.encode(captions, rng)
        target = torch.stack([code_of(scene, codes) for scene in drawn])[:, None]
        at_end = (rows == words.end)[..., None].float()
        error = (text(rows).last_hidden_state - target).square()
        loss = (error * at_end).sum() / at_end.sum() / target.square().mean() / TEXT_WIDTH
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(text.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(f"text {step}/{steps} unexplained {loss.item():.4f} {time.monotonic() - started:.0f} s", flush=True)
    torch.save({"text": text.state_dict(), "ids": words.ids}, folder / "text.pt")


def main() -> None:
    """Parse arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("demo-training"), help="where text.pt goes")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1.5e-3, help="peak learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    train(arguments.steps, arguments.batch, arguments.rate, arguments.seed, arguments.folder)


if __name__ == "__main__":
    main()
