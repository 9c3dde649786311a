import pytest
from safetensors.torch import load_file

from inglenook.errors import ModelError
from tests.models.tiny import write_tiny_checkpoint


def test_a_checkpoint_is_model_text_encoder_and_vae_none_of_them_loaded(run, checkpoint, model_store):
    model_store.unload()
    model, clip, vae = run("CheckpointLoaderSimple", ckpt_name=checkpoint)
    assert model.latent.channels == 4
    assert clip.part.width == 32
    assert vae.part.pixels == 8
    assert model_store.used_bytes == 0


def test_a_replaced_checkpoint_is_loaded_again(run, implementations, environment):
    path = write_tiny_checkpoint(environment.folders.models["checkpoints"].paths[0] / "x.safetensors", seed=1)
    fingerprint = implementations["CheckpointLoaderSimple"].fingerprint
    before = fingerprint(ckpt_name="x.safetensors")
    assert fingerprint(ckpt_name="x.safetensors") == before
    (old, _, _) = run("CheckpointLoaderSimple", ckpt_name="x.safetensors")
    write_tiny_checkpoint(path.with_name("new"), seed=2).replace(path)
    assert fingerprint(ckpt_name="x.safetensors") != before
    (new, _, _) = run("CheckpointLoaderSimple", ckpt_name="x.safetensors")
    with old.loaded() as first, new.loaded() as second:
        assert not first.module.conv_in.weight.equal(second.module.conv_in.weight)


def test_checkpoints_of_subfolders_are_found(run, environment):
    folder = environment.folders.models["checkpoints"].paths[0]
    path = write_tiny_checkpoint(folder / "sub" / "x.safetensors")
    assert load_file(path)
    assert run("CheckpointLoaderSimple", ckpt_name="sub/x.safetensors")[1] is not None


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x10\0\0\0\0\0\0\0{}"])
def test_damaged_checkpoints_are_named(run, environment, content):
    (environment.folders.models["checkpoints"].paths[0] / "broken.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.safetensors"):
        run("CheckpointLoaderSimple", ckpt_name="broken.safetensors")
