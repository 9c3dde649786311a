"""Lists of models in ComfyUI's shapes."""

import base64
import io
import json
import struct

import httpx
import pytest
from PIL import Image

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


async def test_every_folder_has_its_details_but_two(client: Client, folders: Folders) -> None:
    names = [item["name"] for item in (await client.get("/api/experiment/models")).json()]
    assert names == [name for name in folders.models if name not in ("configs", "custom_nodes")]
    (file,) = (await client.get("/experiment/models/unet")).json()
    assert file["name"] == "flux.safetensors"
    assert file["pathIndex"] == folders.models["diffusion_models"].paths.index(
        next(path for path in folders.models["diffusion_models"].paths if (path / "flux.safetensors").is_file())
    )
    assert isinstance(file["modified"], float)
    assert isinstance(file["created"], float)


# Previews


def _picture(width: int = 8, colour: str = "red", image_format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, 4), colour).save(buffer, image_format)
    return buffer.getvalue()


def _safetensors(metadata: dict[str, str]) -> bytes:
    header = json.dumps({"__metadata__": metadata}).encode()
    return struct.pack("<Q", len(header)) + header


def _opened(reply: httpx.Response) -> Image.Image:
    assert (reply.status_code, reply.headers["content-type"]) == (200, "image/webp")
    image = Image.open(io.BytesIO(reply.content))
    assert image.format == "WEBP"
    return image


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.jpeg", "a.webp", "a.preview.png", "a.preview.jpg"])
async def test_the_preview_of_a_model_is_the_picture_beside_it(client: Client, folders: Folders, name: str) -> None:
    kind = {"jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP", "png": "PNG"}[name.rsplit(".", 1)[1]]
    (folders.models["loras"].paths[0] / "Style" / name).write_bytes(_picture(image_format=kind))
    for path in ("Style/a.safetensors", "Style%2Fa.safetensors"):
        reply = await client.get(f"/api/experiment/models/preview/loras/0/{path}")
        assert _opened(reply).size == (8, 4)
    again = {"If-None-Match": reply.headers["etag"]}
    assert (
        await client.get("/experiment/models/preview/loras/0/Style/a.safetensors", headers=again)
    ).status_code == 304


@pytest.mark.parametrize(
    "metadata",
    [
        {"ssmd_cover_images": json.dumps([base64.b64encode(_picture()).decode()])},
        {"modelspec.thumbnail": "data:image/png;base64," + base64.b64encode(_picture()).decode()},
        {"ssmd_cover_images": "[", "modelspec.thumbnail": base64.b64encode(_picture()).decode(), "x": "y" * (2 << 20)},
    ],
)
async def test_the_preview_of_a_model_may_be_the_cover_inside(
    client: Client, folders: Folders, metadata: dict[str, str]
) -> None:
    (folders.models["loras"].paths[0] / "c.safetensors").write_bytes(_safetensors(metadata))
    assert _opened(await client.get("/experiment/models/preview/loras/0/c.safetensors")).size == (8, 4)


async def test_a_large_preview_is_made_smaller(client: Client, folders: Folders) -> None:
    (folders.models["loras"].paths[0] / "b.png").write_bytes(_picture(4096))
    assert _opened(await client.get("/experiment/models/preview/loras/0/b.safetensors")).size == (1024, 1)


@pytest.mark.parametrize(
    "path",
    ["loras/0/b.safetensors", "loras/9/b.safetensors", "loras/-1/b.safetensors", "loras/x/b.safetensors", "loras/0/",
     "loras/99999999999999999999/b", "nope/0/b", "loras/0/..%2F..%2Fsecret.safetensors", "loras/0/%2Fetc%2Fpasswd",
     "loras/0/a%00", "loras/0/" + "x" * 300, "loras/0/" + "x%2F" * 1500 + "y", "loras/0/damaged.safetensors",
     "loras/0/huge.safetensors", "loras/0/cover.safetensors", "loras/²/b.safetensors"],
)  # fmt: skip
async def test_there_is_no_other_preview(client: Client, folders: Folders, path: str) -> None:
    place = folders.models["loras"].paths[0]
    (place.parent / "secret.png").write_bytes(_picture())
    (place / "damaged.png").write_bytes(b"nothing")
    (place / "huge.png").write_bytes(_picture(1_000_000))
    (place / "cover.safetensors").write_bytes(
        _safetensors({"ssmd_cover_images": '["!!", 5]', "modelspec.thumbnail": ""})
    )
    reply = await client.get(f"/experiment/models/preview/{path}")
    assert reply.status_code == 404
