"""Lists of models are those of all servers that run jobs."""

import pytest

from inglenook.workers.worker import WorkerState
from tests.api.idle import NeverReady


class Far(NeverReady):
    """Another server."""

    state = WorkerState.READY

    def __init__(self, name, lists, embeddings=None, model_files=()):
        self.name, self.model_lists, self.embeddings = name, lists, embeddings
        self.documents, self.model_files = {}, dict(model_files)


@pytest.fixture
async def far(idle):
    """Two servers beside this machine, which has two loras and an embedding."""
    for folder, name in (("loras", "b.safetensors"), ("loras", "own.safetensors"), ("embeddings", "sun.pt")):
        path = idle.services.folders.models[folder].paths[0] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1234")
    lists = {"loras": ("b.safetensors", "a.safetensors"), "far_only": ("x.bin",), "unet": ("flux.gguf",)}
    await idle.services.dispatcher.add_worker(Far("one", lists, frozenset({"star", "sun"})))
    await idle.services.dispatcher.add_worker(Far("two", {}, None, {"loras": frozenset({"z.safetensors"})}))
    return idle


@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_files_of_all_servers_are_listed(far, prefix):
    loras = ["b.safetensors", "own.safetensors", "a.safetensors", "z.safetensors"]

    async def get(path):
        return (await far.http.get(f"{prefix}{path}")).json()

    assert await get("/models/loras") == await get("/models?type=loras") == loras
    assert await get("/models/far_only") == ["x.bin"]
    assert "flux.gguf" in await get("/models/diffusion_models")
    assert (await get("/models"))[-1] == "far_only"
    assert await get("/embeddings") == ["sun", "star"]
    assert {"name": "far_only", "folders": []} in await get("/experiment/models")
    details = await get("/experiment/models/loras")
    assert [(one["name"], one["size"]) for one in details] == [
        ("b.safetensors", 4),
        ("own.safetensors", 4),
        ("a.safetensors", None),
        ("z.safetensors", None),
    ]
    counts = (await far.http.get("/api/system/info")).json()["models"]
    assert (counts["loras"], counts["far_only"]) == (4, 1)


async def test_files_that_no_job_can_use_are_not_listed(far):
    """Without a worker of this machine."""
    await far.services.dispatcher.remove_worker("never")
    assert (await far.http.get("/models/loras")).json() == ["a.safetensors", "b.safetensors", "z.safetensors"]
    assert (await far.http.get("/embeddings")).json() == ["star", "sun"]
    assert (await far.http.get("/models/nope")).status_code == 404
