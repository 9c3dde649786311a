"""The parts of k-diffusion that packs write samplers with."""

import pytest
import torch
from PIL import Image


def test_schedules_descend_to_zero(surface):
    sampling = surface("comfy.k_diffusion.sampling")
    for schedule in (
        sampling.get_sigmas_karras, sampling.get_sigmas_exponential, sampling.get_sigmas_polyexponential,
    ):  # fmt: skip
        levels = schedule(5, 0.1, 10.0, device="cpu")
        assert levels.shape == (6,)
        assert levels[[0, 4, 5]].tolist() == pytest.approx([10.0, 0.1, 0.0], rel=1e-4)
        assert bool((levels.diff() < 0).all())
    assert torch.allclose(
        sampling.get_sigmas_polyexponential(5, 0.1, 10.0, 1.0), sampling.get_sigmas_exponential(5, 0.1, 10.0)
    )


def test_steps_are_those_of_the_paper(surface):
    sampling = surface("comfy.k_diffusion.sampling")
    x, denoised = torch.ones(2, 1, 1, 1), torch.zeros(2, 1, 1, 1)
    assert sampling.to_d(x, torch.tensor(2.0), denoised).flatten().tolist() == [0.5, 0.5]
    down, up = sampling.get_ancestral_step(torch.tensor(2.0), torch.tensor(1.0))
    assert float(down**2 + up**2) == pytest.approx(1.0)
    assert sampling.append_zero(torch.ones(1)).tolist() == [1, 0]
    assert sampling.append_dims(torch.ones(2), 4).shape == (2, 1, 1, 1)
    with pytest.raises(ValueError, match="input has 2 dims but target_dims is 1"):
        sampling.append_dims(torch.ones(2, 2), 1)


def test_noise_follows_from_the_seed(surface):
    sampling = surface("comfy.k_diffusion.sampling")
    x = torch.zeros(1, 4, 8, 8)
    a, b = torch.tensor(3.0), torch.tensor(1.0)
    first, again = (sampling.default_noise_sampler(x, seed=5)(a, b) for _ in range(2))
    assert torch.equal(first, again)
    assert sampling.default_noise_sampler(x)(a, b).shape == x.shape
    tree, same = (sampling.BrownianTreeNoiseSampler(x, 0.1, 10.0, seed=5) for _ in range(2))
    assert torch.equal(tree(3.0, 1.0), same(a, b))
    assert not torch.equal(tree(a, b), sampling.BrownianTreeNoiseSampler(x, 0.1, 10.0, seed=6)(a, b))
    assert sampling.BrownianTreeNoiseSampler(x, 0.1, 10.0)(a, b).std() == pytest.approx(1.0, abs=0.3)


def test_a_folder_gives_its_pictures_in_order(surface, tmp_path):
    for name in ("b.png", "a.JPG", "sub/c.webp", "note.txt"):
        (tmp_path / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        if name == "note.txt":
            (tmp_path / "pictures" / name).touch()
        else:
            Image.new("L", (3, 2)).save(tmp_path / "pictures" / name, None if name != "a.JPG" else "JPEG")
    folder = surface("comfy.k_diffusion.utils").FolderOfImages(
        tmp_path / "pictures", transform=lambda image: image.mode
    )
    assert [path.name for path in folder.paths] == ["a.JPG", "b.png", "c.webp"]
    assert [folder[number] for number in range(len(folder))] == [("RGB",)] * 3
    assert ".png" in folder.IMG_EXTENSIONS
