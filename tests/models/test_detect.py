import pytest
import torch
from safetensors.torch import save_file

from inglenook.errors import ModelError
from inglenook.models.detect import identify, identify_vae
from inglenook.models.files import open_tensors
from inglenook.models.keymap import UNET_PREFIX, VAE_PREFIX
from tests.models.tiny import METADATA, TEXT, UNET, tiny_state


@pytest.fixture(scope="module")
def state():
    return tiny_state()


def write(path, state, metadata=METADATA):
    save_file(state, path / "model.safetensors", metadata)
    return open_tensors(path / "model.safetensors")


def test_every_dimension_comes_from_the_tensors(checkpoint):
    found = identify(open_tensors(checkpoint))
    assert found.family == "sd1"
    assert found.diffusion.network.build.__self__ == UNET
    assert found.text.network.build.__self__ == TEXT
    assert found.vae.channels == 4
    assert found.vae.pixels == 8
    assert found.diffusion.prediction.kind == "eps"


def test_without_metadata_the_rules_of_sd15_hold(tmp_path, state):
    found = identify(write(tmp_path, state, {}))
    assert found.diffusion.network.build.__self__.heads == 8
    assert found.diffusion.network.build.__self__.groups == 32
    assert found.text.network.build.__self__.heads == 1


def test_a_checkpoint_may_lack_text_encoder_and_vae(tmp_path, state):
    found = identify(write(tmp_path, {key: value for key, value in state.items() if key.startswith(UNET_PREFIX)}))
    assert found.text is None
    assert found.vae is None


def test_v_prediction_is_told_by_a_key_or_by_metadata(tmp_path, state):
    assert identify(write(tmp_path, state | {"v_pred": torch.zeros(1)})).diffusion.prediction.kind == "v_prediction"
    metadata = METADATA | {"modelspec.prediction_type": "v"}
    assert identify(write(tmp_path, state, metadata)).diffusion.prediction.kind == "v_prediction"


def test_the_old_layout_of_text_encoders_is_known(tmp_path, state):
    old = {key.replace(".text_model.", "."): tensor for key, tensor in state.items()}
    assert identify(write(tmp_path, old)).text is not None


def test_wrong_metadata_is_named(tmp_path, state):
    with pytest.raises(ModelError, match=r"inglenook\.unet_heads is 'two'"):
        identify(write(tmp_path, state, METADATA | {"inglenook.unet_heads": "two"}))


def test_preview_colours_may_come_with_the_file(tmp_path, state):
    rows = "[[1,0,0],[0,1,0],[0,0,1],[0,0,0],[0.5,0.5,0.5]]"
    latent = identify(write(tmp_path, state, METADATA | {"inglenook.latent_rgb": rows})).diffusion.latent
    assert latent.rgb[0] == (1.0, 0.0, 0.0)
    assert latent.rgb_bias == (0.5, 0.5, 0.5)
    with pytest.raises(ModelError, match="5 rows"):
        identify(write(tmp_path, state, METADATA | {"inglenook.latent_rgb": "[[1,2]]"}))


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("conditioner.embedders.0.x", "SDXL"),
        ("lora_unet_down.lora_up.weight", "LoraLoader"),
        ("first_stage_model.encoder.conv_in.weight", "VAELoader"),
        ("emb_params", "embedding:name"),
        ("latent_tensor", "LoadLatent"),
        ("what.is.this", "1 tensors, the first of them what.is.this"),
    ],
)
def test_other_files_are_called_by_their_name(tmp_path, key, hint):
    with pytest.raises(ModelError, match=hint):
        identify(write(tmp_path, {key: torch.zeros(1)}))


def test_models_with_further_input_channels_are_refused(tmp_path, state):
    key = f"{UNET_PREFIX}input_blocks.0.0.weight"
    with pytest.raises(ModelError, match="takes 9 latent channels"):
        identify(write(tmp_path, state | {key: torch.zeros(16, 9, 3, 3)}))


def test_an_encoder_of_another_width_is_refused(tmp_path, state):
    key = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
    with pytest.raises(ModelError, match="64 wide"):
        identify(write(tmp_path, state | {key: torch.zeros(10, 64)}))


def test_a_vae_is_found_alone_or_inside_a_checkpoint(tmp_path, checkpoint, state):
    alone = {key.removeprefix(VAE_PREFIX): value for key, value in state.items() if key.startswith(VAE_PREFIX)}
    assert identify_vae(write(tmp_path, alone)).pixels == 8
    assert identify_vae(open_tensors(checkpoint)).pixels == 8
    with pytest.raises(ModelError, match="no VAE"):
        identify_vae(write(tmp_path, {"x": torch.zeros(1)}))
