import pytest
import torch
from safetensors.torch import save_file

from inglenook.engine.context import InterruptProcessing, NodeContext, running
from inglenook.engine.events import NodeRef
from inglenook.errors import ModelError
from inglenook.models.detect import identify
from inglenook.models.files import open_tensors
from inglenook.models.keymap import UNET_PREFIX
from inglenook.models.load import materialize
from tests.models.tiny import METADATA, tiny_state

CPU = torch.device("cpu")


def test_weights_are_those_of_the_file_in_the_compute_type(checkpoint):
    file = open_tensors(checkpoint)
    found = identify(file)
    module = materialize(found.diffusion.network, CPU)
    weight = module.down_blocks[0].resnets[0].conv1.weight
    assert weight.dtype == torch.float32
    assert not weight.requires_grad
    assert torch.equal(weight, file.tensor(f"{UNET_PREFIX}input_blocks.1.0.in_layers.2.weight").float())
    assert not any(tensor.is_meta for tensor in (*module.parameters(), *module.buffers()))
    assert found.diffusion.network.size_bytes(CPU) == sum(tensor.nbytes for tensor in module.parameters())


def test_weights_of_the_right_type_stay_in_the_mapped_file(tmp_path):
    state = {key: tensor.float() for key, tensor in tiny_state().items()}
    save_file(state, tmp_path / "float.safetensors", METADATA)
    file = open_tensors(tmp_path / "float.safetensors")
    module = materialize(identify(file).diffusion.network, CPU)
    mapped = file.tensor(f"{UNET_PREFIX}out.2.weight")
    assert module.conv_out.weight.data_ptr() == mapped.data_ptr()


def test_text_encoders_are_rounded_to_half_precision(tmp_path):
    state = {key: tensor.float() + 1e-6 for key, tensor in tiny_state().items()}
    save_file(state, tmp_path / "float.safetensors", METADATA)
    module = materialize(identify(open_tensors(tmp_path / "float.safetensors")).text.network, CPU)
    weight = module.final_layer_norm.weight
    assert torch.equal(weight, weight.half().float())


def test_missing_weights_are_named(tmp_path):
    state = tiny_state()
    del state[f"{UNET_PREFIX}out.2.bias"]
    save_file(state, tmp_path / "part.safetensors", METADATA)
    with pytest.raises(ModelError, match=r"part\.safetensors.*lacks 1 weights.*conv_out\.bias"):
        materialize(identify(open_tensors(tmp_path / "part.safetensors")).diffusion.network, CPU)


def test_wrong_shapes_are_named(tmp_path):
    state = tiny_state() | {f"{UNET_PREFIX}out.0.bias": torch.zeros(3)}
    save_file(state, tmp_path / "odd.safetensors", METADATA)
    with pytest.raises(ModelError, match=r"conv_norm_out\.bias is \(3,\)"):
        materialize(identify(open_tensors(tmp_path / "odd.safetensors")).diffusion.network, CPU)


def test_a_forward_pass_can_be_stopped_between_its_blocks(checkpoint):
    module = materialize(identify(open_tensors(checkpoint)).diffusion.network, CPU)
    asked = []

    def is_interrupted():
        asked.append(True)
        return len(asked) == 5

    context = NodeContext("job", NodeRef("1", "1", None, "1"), lambda event: None, is_interrupted)
    with running(context), torch.inference_mode(), pytest.raises(InterruptProcessing):
        module(torch.zeros(1, 4, 8, 8), torch.zeros(1), torch.zeros(1, 77, 32))
    assert len(asked) == 5
