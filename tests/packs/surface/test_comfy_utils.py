import io
import json
import pickle
import threading

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from inglenook.engine.context import InterruptProcessing, NodeContext, running
from inglenook.engine.events import NodeRef
from inglenook.errors import ModelError


@pytest.fixture
def utils(surface):
    return surface("comfy.utils")


def told(events):
    return [(event.node.node_id, event.value, event.total) for event in events]


def test_a_progress_bar_tells_clients(utils, node_run, events):
    bar = utils.ProgressBar(4)
    bar.update(1)
    bar.update_absolute(3)
    bar.update(5)
    bar.update_absolute(1, 2)
    assert told(events) == [("5", 1, 4), ("5", 3, 4), ("5", 4, 4), ("5", 1, 2)]
    utils.ProgressBar(3, node_id="9").update(1)
    assert told(events)[-1] == ("9", 1, 3)


def test_previews_are_encoded_at_their_size(utils, node_run, events):
    picture = Image.new("RGBA", (40, 20), "red")
    for form, size in (("JPEG", 80), ("PNG", 10), ("PNG", None)):
        utils.ProgressBar(1).update_absolute(1, 1, (form, picture, size))
    decoded = [Image.open(io.BytesIO(event.preview.data)) for event in events]
    assert [(image.format, image.size) for image in decoded] == [
        ("JPEG", (80, 40)), ("PNG", (10, 5)), ("PNG", (40, 20)),
    ]  # fmt: skip
    assert [event.preview.media_type for event in events] == ["image/jpeg", "image/png", "image/png"]


def test_a_thread_of_a_node_moves_the_bar(utils, node_run, events):
    bar = utils.ProgressBar(2)
    thread = threading.Thread(target=bar.update, args=(1,))
    thread.start()
    thread.join()
    assert told(events) == [("5", 1, 2)]


def test_outside_a_run_a_bar_counts_and_tells_nobody(utils):
    bar = utils.ProgressBar(2)
    bar.update(1)
    bar.update(5)
    assert (bar.current, bar.total) == (2, 2)


def test_progress_stops_an_interrupted_run(utils):
    with (
        running(NodeContext("job", NodeRef("5", "5", None, "5"), lambda _: None, lambda: True)),
        pytest.raises(InterruptProcessing),
    ):
        utils.ProgressBar(2).update(1)


def test_a_pack_may_take_over_progress_or_switch_it_off(utils, node_run, events):
    usual, calls = utils.PROGRESS_BAR_HOOK, []
    try:
        utils.set_progress_bar_global_hook(lambda *values, **more: calls.append((values, more)))
        assert utils.PROGRESS_BAR_HOOK is not usual
        utils.ProgressBar(2).update(1)
        utils.set_progress_bar_global_hook(None)
        utils.ProgressBar(2).update(1)
    finally:
        utils.set_progress_bar_global_hook(usual)
    assert calls == [((1, 2, None), {"node_id": None})]
    assert events == []
    utils.set_progress_bar_enabled(False)
    try:
        utils.ProgressBar(2).update(1)
    finally:
        utils.set_progress_bar_enabled(True)
    assert events == []


def test_weights_are_written_and_read(utils, tmp_path):
    path = tmp_path / "x.safetensors"
    utils.save_torch_file({"a": torch.ones(2, 2).T, "b": torch.zeros(3)}, str(path), metadata={"k": "v"})
    assert load_file(path).keys() == {"a", "b"}
    weights, metadata = utils.load_torch_file(str(path), safe_load=True, return_metadata=True)
    assert torch.equal(weights["a"], torch.ones(2, 2))
    assert metadata == {"k": "v"}
    moved = utils.load_torch_file(str(path), device=torch.device("meta"))
    assert moved["b"].is_meta


def test_pickles_keep_their_shape_and_run_no_code(utils, tmp_path):
    nested = {"image_proj": {"w": torch.ones(1)}, "ip_adapter": {"v": torch.zeros(1)}}
    torch.save(nested, tmp_path / "ip.bin")
    assert utils.load_torch_file(tmp_path / "ip.bin").keys() == nested.keys()
    torch.save({"state_dict": {"w": torch.ones(1)}, "epoch": 3}, tmp_path / "sd.ckpt")
    assert list(utils.load_torch_file(tmp_path / "sd.ckpt")) == ["w"]
    torch.save({"params": {"w": torch.ones(1)}}, tmp_path / "esrgan.pth")
    assert list(utils.load_torch_file(tmp_path / "esrgan.pth")) == ["w"]

    class Evil:
        def __reduce__(self):
            return eval, ("1/0",)

    (tmp_path / "evil.pt").write_bytes(pickle.dumps({"w": Evil()}))
    with pytest.raises(ModelError, match=r"evil\.pt"):
        utils.load_torch_file(tmp_path / "evil.pt")
    with pytest.raises(ModelError, match="does not exist"):
        utils.load_torch_file(tmp_path / "none.safetensors")


def test_names_of_weights_are_changed(utils):
    weights = {"model.a": 1, "model.b": 2, "c": 3}
    assert utils.state_dict_prefix_replace(dict(weights), {"model.": "m."}) == {"m.a": 1, "m.b": 2, "c": 3}
    assert utils.state_dict_prefix_replace(dict(weights), {"model.": ""}, filter_keys=True) == {"a": 1, "b": 2}
    assert utils.state_dict_key_replace(dict(weights), {"c": "d", "x": "y"}) == {"model.a": 1, "model.b": 2, "d": 3}
    tensors = {"u.a": torch.ones(2, 3), "u.b": torch.ones(1).half(), "v": torch.ones(9).half()}
    assert utils.calculate_parameters(tensors, "u.") == 7
    assert utils.weight_dtype(tensors, "u.") is torch.float32
    assert utils.weight_dtype(tensors) is torch.float16


def test_attributes_by_dotted_names(utils):
    module = torch.nn.Sequential(torch.nn.Linear(2, 2))
    weight = utils.get_attr(module, "0.weight")
    assert utils.set_attr(module, "0.weight", torch.nn.Parameter(torch.zeros(2, 2))) is weight
    utils.copy_to_param(module, "0.weight", torch.ones(2, 2))
    assert utils.get_attr(module, "0.weight").sum() == 4
    utils.set_attr_param(module, "0.bias", torch.ones(2))
    assert not module[0].bias.requires_grad


@pytest.mark.parametrize("method", ["nearest-exact", "bilinear", "area", "bicubic", "lanczos", "bislerp"])
def test_upscaling(utils, builtin, method):
    picture = torch.rand(2, 3, 8, 12, generator=torch.Generator().manual_seed(1))
    resized = utils.common_upscale(picture, 6, 6, method, "center")
    assert resized.shape == (2, 3, 6, 6)
    if method != "bislerp":
        (wanted,) = builtin(
            "ImageScale", image=picture.movedim(1, -1), upscale_method=method, width=6, height=6, crop="center"
        )
        assert torch.equal(resized.movedim(1, -1), wanted)
    video = picture.repeat(1, 1, 1, 1)[:, :, None].expand(-1, -1, 4, -1, -1)
    frames = utils.common_upscale(video, 6, 6, method, "center")
    assert frames.shape == (2, 3, 4, 6, 6)
    assert torch.equal(frames[:, :, 3], resized)


def test_batches_and_masks_are_brought_to_a_size(utils):
    batch = torch.arange(3.0)[:, None]
    assert utils.repeat_to_batch_size(batch, 5)[:, 0].tolist() == [0, 1, 2, 0, 1]
    assert utils.repeat_to_batch_size(batch, 2)[:, 0].tolist() == [0, 1]
    assert utils.repeat_to_batch_size(batch.T, 4, dim=1).tolist() == [[0, 1, 2, 0]]
    assert utils.resize_to_batch_size(batch, 5)[:, 0].tolist() == [0, 0, 1, 2, 2]
    assert utils.reshape_mask(torch.ones(1, 16, 16), (2, 4, 8, 8)).shape == (2, 4, 8, 8)


def test_tiles_are_blended_to_the_whole(utils):
    picture = torch.rand(2, 3, 40, 24, generator=torch.Generator().manual_seed(1))
    steps = []

    class Bar:
        def update(self, value):
            steps.append(value)

    def twice(part):
        return torch.nn.functional.interpolate(part, scale_factor=2, mode="nearest")

    tiled = utils.tiled_scale(picture, twice, tile_x=16, tile_y=12, overlap=4, upscale_amount=2, pbar=Bar())
    torch.testing.assert_close(tiled, twice(picture))
    assert sum(steps) == 2 * utils.get_tiled_scale_steps(24, 40, 16, 12, 4)
    with pytest.raises(ValueError, match="3 channels"):
        utils.tiled_scale(picture, twice, upscale_amount=2, out_channels=4)


def test_weights_change_their_type_and_a_header_is_read_alone(utils, tmp_path):
    path = tmp_path / "a.safetensors"
    weights = utils.convert_sd_to({"a": torch.ones(2)}, torch.float16)
    utils.save_torch_file(weights, path)
    assert json.loads(utils.safetensors_header(str(path)))["a"]["dtype"] == "F16"
    assert utils.safetensors_header(path, max_size=10) is None
