"""Batches of latents, and the noise that their items get."""

import pytest
import torch

from inglenook.errors import NodeError
from inglenook.models.sampling.noise import initial_noise


@pytest.fixture
def batch():
    return {"samples": torch.arange(5.0).view(5, 1, 1, 1).expand(5, 4, 8, 8), "type": "x"}


def values(latent):
    return latent["samples"][:, 0, 0, 0].tolist()


@pytest.mark.parametrize(
    ("index", "length", "wanted"),
    [(1, 2, [1, 2]), (0, 1, [0]), (3, 64, [3, 4]), (63, 64, [4]), (0, 5, [0, 1, 2, 3, 4])],
)
def test_items_are_taken_with_their_noise(run, batch, index, length, wanted):
    (taken,) = run("LatentFromBatch", samples=batch, batch_index=index, length=length)
    assert values(taken) == taken["batch_index"] == wanted
    assert taken["type"] == "x"
    noise = initial_noise(batch["samples"], 1, None)
    assert torch.equal(initial_noise(taken["samples"], 1, taken["batch_index"]), noise[wanted])


def test_masks_go_with_their_items(run, batch):
    masks = torch.arange(2.0).view(2, 1, 1, 1).expand(2, 1, 8, 8)
    (taken,) = run("LatentFromBatch", samples={**batch, "noise_mask": masks}, batch_index=1, length=3)
    assert taken["noise_mask"][:, 0, 0, 0].tolist() == [1, 0, 1]
    (taken,) = run("LatentFromBatch", samples={**batch, "noise_mask": masks[:1]}, batch_index=1, length=3)
    assert len(taken["noise_mask"]) == 1
    (again,) = run("LatentFromBatch", samples={**taken, "batch_index": [7, 8, 9]}, batch_index=1, length=1)
    assert again["batch_index"] == [8]


def test_repeated_items_get_other_noise(run, batch):
    (twice,) = run("RepeatLatentBatch", samples=batch, amount=2)
    assert values(twice) == [0, 1, 2, 3, 4] * 2
    assert "batch_index" not in twice
    (twice,) = run("RepeatLatentBatch", samples={**batch, "batch_index": [2, 3, 4, 5, 7]}, amount=3)
    assert twice["batch_index"] == [2, 3, 4, 5, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 19]
    masks = torch.arange(2.0).view(2, 1, 1, 1).expand(2, 1, 8, 8)
    (twice,) = run("RepeatLatentBatch", samples={**batch, "noise_mask": masks}, amount=2)
    assert twice["noise_mask"][:, 0, 0, 0].tolist() == [0, 1, 0, 1, 0] * 2
    (twice,) = run("RepeatLatentBatch", samples={**batch, "noise_mask": masks[:1]}, amount=2)
    assert len(twice["noise_mask"]) == 1


def test_batches_are_joined_at_the_size_of_the_first(run, batch):
    other = {"samples": torch.full((2, 4, 4, 6), 9.0), "batch_index": [4, 2]}
    (joined,) = run("LatentBatch", samples1=batch, samples2=other)
    assert joined["samples"].shape == (7, 4, 8, 8)
    assert values(joined) == [0, 1, 2, 3, 4, 9, 9]
    assert joined["batch_index"] == [0, 1, 2, 3, 4, 4, 2]
    with pytest.raises(NodeError, match="different models"):
        run("LatentBatch", samples1=batch, samples2={"samples": torch.zeros(1, 16, 8, 8)})
