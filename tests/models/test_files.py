import json
import pickle
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from inglenook.errors import ModelError
from inglenook.models.files import open_tensors


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    save_file({"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4, dtype=torch.bfloat16)}, path, {"note": "hello"})
    return path


def write_raw(path: Path, header: object, data: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def test_tensors_shapes_and_metadata(file):
    opened = open_tensors(file)
    assert opened.shape("a") == (2, 3)
    assert opened.tensors["b"].dtype == torch.bfloat16
    assert opened.metadata == {"note": "hello"}
    assert torch.equal(opened.tensor("a"), torch.arange(6.0).reshape(2, 3))


def test_a_tensor_is_a_view_of_the_mapped_file(file):
    opened = open_tensors(file)
    assert opened.tensor("a").data_ptr() == opened.tensor("a").data_ptr()


def test_a_tensor_outlives_its_file_and_is_private(file):
    tensor = open_tensors(file).tensor("a")
    file.unlink()
    tensor[0, 0] = 7
    assert tensor[0, 0] == 7


def test_a_replaced_file_has_another_identity(file):
    before = open_tensors(file).identity
    other = file.with_name("other")
    save_file({"a": torch.zeros(1)}, other)
    other.replace(file)
    assert open_tensors(file).identity != before


def test_tensors_that_are_not_aligned_are_read_all_the_same(tmp_path):
    values = torch.tensor([1.5, -2.0])
    header = {
        "x": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
        "y": {"dtype": "F32", "shape": [2], "data_offsets": [1, 9]},
    }
    path = write_raw(tmp_path / "odd.safetensors", header, b"\x05" + values.numpy().tobytes())
    assert torch.equal(open_tensors(path).tensor("y"), values)


def test_empty_tensors_have_their_shape(tmp_path):
    path = tmp_path / "empty.safetensors"
    save_file({"none": torch.zeros(0, 3), "some": torch.zeros(1)}, path)
    assert open_tensors(path).tensor("none").shape == (0, 3)


@pytest.mark.parametrize("missing", [1, 20, 39])
def test_a_file_that_is_cut_short_is_refused(file, missing):
    file.write_bytes(file.read_bytes()[:-missing])
    with pytest.raises(ModelError, match=r"weights\.safetensors is .*(cut short|damaged)"):
        open_tensors(file)


@pytest.mark.parametrize(
    "content",
    [b"", b"abc", b"<html>not found</html>" * 100, struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 2) + b"{}"],
    ids=["empty", "short", "html", "list", "nothing"],
)
def test_what_is_no_safetensors_file_is_refused(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        open_tensors(path)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]},
        {"dtype": "F32", "shape": ["a"], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]},
        "nothing",
    ],
)
def test_a_header_that_lies_is_refused(tmp_path, entry):
    path = write_raw(tmp_path / "liar.safetensors", {"x": entry}, b"\0" * 4)
    with pytest.raises(ModelError, match="'x'"):
        open_tensors(path)


def test_missing_files_and_tensors_are_named(file, tmp_path):
    with pytest.raises(ModelError, match=r"gone\.safetensors does not exist"):
        open_tensors(tmp_path / "gone.safetensors")
    with pytest.raises(ModelError, match="no tensor 'c'"):
        open_tensors(file).tensor("c")


@pytest.mark.parametrize("legacy", [True, False])
def test_pickled_checkpoints_are_read(tmp_path, legacy):
    path = tmp_path / "old.ckpt"
    state = {"state_dict": {"w": torch.ones(2, 2)}, "epoch": 3}
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    assert torch.equal(open_tensors(path).tensor("w"), torch.ones(2, 2))


class Malicious:
    def __reduce__(self):
        return Path.touch, (Path("should-not-exist"),)


@pytest.mark.parametrize("legacy", [True, False])
def test_pickles_with_code_are_refused_without_running_it(tmp_path, monkeypatch, legacy):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.pt"
    torch.save({"w": torch.ones(1), "x": Malicious()}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ModelError, match="wants to run code"):
        open_tensors(path)
    assert not Path("should-not-exist").exists()


@pytest.mark.parametrize("content", [b"", b"garbage" * 50, pickle.dumps({"a": 1})])
def test_damaged_pickles_are_refused(tmp_path, content):
    path = tmp_path / "broken.ckpt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.ckpt"):
        open_tensors(path)


def test_a_cut_pickle_is_refused(tmp_path):
    path = tmp_path / "cut.ckpt"
    torch.save({"w": torch.ones(100)}, path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ModelError, match="damaged"):
        open_tensors(path)
