"""CPU time of a sampling step against a bare loop over the same diffusers UNet; one JSON line.

usage: python bench/model_bench.py CHECKPOINT [--size 32] [--steps 2] [--rounds 5] [--threads 2]
Both sides evaluate the same batch of two (positive and negative prompt) the same number of times. They take turns; the
best of the rounds is compared, so that other work on the machine disturbs little.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path

import torch

from inglenook.models.handles import load_checkpoint
from inglenook.models.memory import ModelStore
from inglenook.models.sampling.guidance import CfgGuider
from inglenook.models.sampling.loop import sample
from inglenook.models.sampling.noise import initial_noise
from inglenook.models.sampling.samplers import find_sampler
from inglenook.models.sampling.schedules import sampler_sigmas
from inglenook.models.text.embeddings import Embeddings
from inglenook.models.text.encode import encode_prompt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--size", type=int, default=32, help="side of the latent")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    begin = time.perf_counter()
    model, clip, _ = load_checkpoint(arguments.checkpoint, ModelStore(), Embeddings())
    handles_s = time.perf_counter() - begin
    assert clip is not None
    positive, negative = encode_prompt(clip, "a photo of a red fox").context, encode_prompt(clip, "blurry").context
    latent = torch.zeros(1, model.latent.channels, arguments.size, arguments.size)
    noise = initial_noise(latent, 1)
    guider = CfgGuider(model, [[positive, {}]], [[negative, {}]], 7.0)
    sigmas = sampler_sigmas("normal", "euler", model.prediction.table, arguments.steps)

    def ours() -> None:
        sample(guider, find_sampler("euler"), sigmas, noise, latent, seed=1)

    def bare() -> None:
        with torch.inference_mode(), model.loaded() as loaded:
            x, context = noise.repeat(2, 1, 1, 1), torch.cat([positive, negative])
            for _ in range(arguments.steps):
                loaded.module(x, torch.full((2,), 500.0), encoder_hidden_states=context, return_dict=False)

    begin = time.perf_counter()
    with model.loaded():
        pass
    load_s = time.perf_counter() - begin
    ours(), bare()
    times: dict[str, list[float]] = {"ours": [], "bare": []}
    for _ in range(arguments.rounds):
        for name, function in (("ours", ours), ("bare", bare)):
            begin = time.process_time()
            function()
            times[name].append((time.process_time() - begin) / arguments.steps)
    best = {name: min(values) for name, values in times.items()}
    print(
        json.dumps(
            {
                "bench": "model_step",
                "ratio": round(best["ours"] / best["bare"], 4),
                "ours_cpu_s": round(best["ours"], 4),
                "bare_cpu_s": round(best["bare"], 4),
                "all": {name: [round(value, 3) for value in values] for name, values in times.items()},
                "handles_s": round(handles_s, 4),
                "first_use_s": round(load_s, 2),
                "latent": arguments.size,
                "threads": arguments.threads,
                "machine": f"{platform.processor() or platform.machine()}, torch {torch.__version__}",
            }
        )
    )


if __name__ == "__main__":
    main()
