from pathlib import Path

import pytest
import torch

from inglenook.models.handles import Clip, Model, Vae, load_checkpoint
from inglenook.models.memory import ModelStore
from inglenook.models.text.embeddings import Embeddings
from tests.models.tiny import write_tiny_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("models") / "tiny.safetensors")


@pytest.fixture(scope="session")
def store() -> ModelStore:
    return ModelStore()


@pytest.fixture(scope="session")
def handles(checkpoint: Path, store: ModelStore) -> tuple[Model, Clip, Vae]:
    model, clip, vae = load_checkpoint(checkpoint, store, Embeddings())
    assert clip is not None
    assert vae is not None
    return model, clip, vae


@pytest.fixture
def model(handles: tuple[Model, Clip, Vae]) -> Model:
    return handles[0]


@pytest.fixture
def clip(handles: tuple[Model, Clip, Vae]) -> Clip:
    return handles[1]


@pytest.fixture
def vae(handles: tuple[Model, Clip, Vae]) -> Vae:
    return handles[2]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny models are slower on several threads, above all on a busy machine."""
    torch.set_num_threads(1)
