"""Lists of models in ComfyUI's shapes."""

import httpx
import pytest

from inglenook.media.folders import Folders

Client = httpx.AsyncClient


@pytest.fixture(autouse=True)
def _models(folders: Folders) -> None:
    for folder, name in (
        ("loras", "b.safetensors"),
        ("loras", "Style/a.safetensors"),
        ("embeddings", "sub/bad.hands.pt"),
        ("diffusion_models", "flux.safetensors"),
    ):
        path = folders.models[folder].paths[0] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1234")


@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_folders_and_their_files(client: Client, folders: Folders, prefix: str) -> None:
    assert (await client.get(f"{prefix}/models")).json() == list(folders.models)
    assert (await client.get(f"{prefix}/models/loras")).json() == ["Style/a.safetensors", "b.safetensors"]
    assert (await client.get(f"{prefix}/models/unet")).json() == ["flux.safetensors"]
    assert (await client.get(f"{prefix}/embeddings")).json() == ["sub/bad.hands"]


async def test_a_type_lists_the_files_of_that_folder(client: Client) -> None:
    assert (await client.get("/models?type=loras")).json() == ["Style/a.safetensors", "b.safetensors"]
    assert (await client.get("/models?type=loras&name=style")).json() == ["Style/a.safetensors"]
    assert (await client.get("/models?type=loras&name=nothing")).json() == []


@pytest.mark.parametrize(
    "path",
    ["/models/nope", "/models/..", "/models/%2e%2e", "/models?type=nope", "/models/a%00b", "/experiment/models/nope"],
)
async def test_unknown_folders(client: Client, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 404


async def test_details(client: Client, folders: Folders) -> None:
    (lora,) = [item for item in (await client.get("/experiment/models")).json() if item["name"] == "loras"]
    assert lora == {"name": "loras", "folders": [str(folders.models["loras"].paths[0])]}
    files = (await client.get("/experiment/models/loras")).json()
    assert [(file["name"], file["pathIndex"], file["size"]) for file in files] == [
        ("Style/a.safetensors", 0, 4),
        ("b.safetensors", 0, 4),
    ]
