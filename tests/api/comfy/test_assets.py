"""The asset library over HTTP: what the official editor asks, errors in their envelope, nothing outside the folders."""

import asyncio
import io
import json
import os
import re
import uuid
from pathlib import Path
from typing import Any

import blake3
import httpx
import pytest
from PIL import Image

from inglenook.assets import AssetLibrary
from tests.api.idle import Idle, idle_server
from tests.api.live import picture_graph, read_for, read_until


@pytest.fixture
async def server(tmp_path: Path):
    for folder in ("input", "output", "temp"):
        (tmp_path / folder).mkdir()
    async with idle_server(tmp_path, with_assets=True) as server:
        await scanned(server)
        yield server


@pytest.fixture
def http(server: Idle) -> httpx.AsyncClient:
    return server.http


async def scanned(server: Idle, *roots: str) -> dict[str, Any]:
    """Scan now, after the scan of the start."""
    assert server.services.assets is not None
    await server.services.assets.scanner.wait()
    body = {"roots": list(roots)} if roots else {}
    response = await server.http.post("/api/assets/seed?wait=true", json=body)
    assert response.status_code == 200, response.text
    return response.json()


def put(base: Path, name: str, data: bytes = b"x", modified_s: float | None = None) -> Path:
    path = base / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    if modified_s is not None:
        os.utime(path, (modified_s, modified_s))
    return path


def everything_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def picture(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(buffer, "PNG")
    return buffer.getvalue()


def hash_of(data: bytes) -> str:
    return f"blake3:{blake3.blake3(data).hexdigest()}"


async def upload(
    http: httpx.AsyncClient, data: bytes = b"data", file_name: str = "a.png", headers: Any = None, **fields: Any
) -> httpx.Response:
    return await http.post("/api/assets", files={"file": (file_name, data)}, data=fields, headers=headers)


async def listed(http: httpx.AsyncClient, query: str = "", **options: Any) -> dict[str, Any]:
    response = await http.get(f"/api/assets?{query}", **options)
    assert response.status_code == 200, response.text
    return response.json()


async def names(http: httpx.AsyncClient, query: str = "") -> list[str]:
    return [asset["name"] for asset in (await listed(http, query))["assets"]]


def refused(response: httpx.Response, status: int, code: str) -> None:
    """The answer is an error in the envelope of these routes."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"code", "message", "details"}
    assert error["code"] == code
    assert error["message"]
    assert isinstance(error["details"], dict)


EDITOR_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
EDITOR_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class TestListing:
    @pytest.fixture(autouse=True)
    async def _files(self, server: Idle, tmp_path: Path) -> None:
        put(tmp_path, "input/a.png", picture(), 1000)
        put(tmp_path, "input/sub/b.jpg", b"bb", 2000)
        put(tmp_path, "output/c.mp4", b"ccc", 3000)
        put(tmp_path, "output/.hidden.png")
        put(tmp_path, "models/checkpoints/sd/d.safetensors", b"dddd", 4000)
        await scanned(server)

    async def test_an_asset_has_what_the_editor_needs(self, http: httpx.AsyncClient) -> None:
        (asset,) = (await listed(http, "name_contains=b.jpg"))["assets"]
        assert EDITOR_ID.fullmatch(asset.pop("id"))
        for name in ("created_at", "updated_at"):
            assert asset.pop(name) == "1970-01-01T00:33:20.000Z"
        assert asset == {
            "name": "b.jpg",
            "size": 2,
            "mime_type": "image/jpeg",
            "tags": ["input"],
            "preview_url": "/api/view?filename=b.jpg&type=input&subfolder=sub",
            "user_metadata": {},
            "loader_path": "sub/b.jpg",
        }
        assert (await http.get("/api/view?filename=b.jpg&type=input&subfolder=sub")).content == b"bb"

    async def test_a_model_has_its_folder_in_both_forms_and_the_name_of_its_loader(
        self, http: httpx.AsyncClient
    ) -> None:
        query = "include_tags=models,checkpoints&exclude_tags=missing&limit=500&include_public=false"
        found = {asset["name"]: asset for asset in (await listed(http, query))["assets"]}
        asset = found["d.safetensors"]
        assert asset["tags"] == ["models", "checkpoints", "model_type:checkpoints"]
        assert asset["loader_path"] == "sd/d.safetensors"
        assert asset["metadata"] == {"filename": "sd/d.safetensors"}
        assert "preview_url" not in asset
        assert "hash" not in asset

    async def test_the_page_of_the_editors_panels(self, http: httpx.AsyncClient) -> None:
        common = "include_public=false&limit=100&sort=created_at&tags_none=missing"
        assert await names(http, f"{common}&tags_any=input") == ["b.jpg", "a.png"]
        assert await names(http, f"{common}&tags_any=output,temp") == ["c.mp4"]

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("tags_all=input", {"a.png", "b.jpg"}),
            ("tags_all=input,output", set()),
            ("tags_any=input&tags_any=output", {"a.png", "b.jpg", "c.mp4"}),
            ("tags_none=models", {"a.png", "b.jpg", "c.mp4"}),
            ("tags_none=models,input", {"c.mp4"}),
            ("tags_none=models&name_contains=.P", {"a.png"}),
            ("name_contains=%25", set()),
            ("name_contains=_", set()),
            ("tags_all=none", set()),
            ("tags_all=%20input%20,,", {"a.png", "b.jpg"}),
        ],
    )
    async def test_filters(self, http: httpx.AsyncClient, query: str, expected: set[str]) -> None:
        assert set(await names(http, f"{query}&limit=500")) == expected

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("sort=name&order=asc", ["a.png", "b.jpg", "c.mp4"]),
            ("sort=name", ["c.mp4", "b.jpg", "a.png"]),
            ("sort=size&order=asc", ["b.jpg", "c.mp4", "a.png"]),
            ("sort=created_at&order=asc", ["a.png", "b.jpg", "c.mp4"]),
            ("sort=updated_at", ["c.mp4", "b.jpg", "a.png"]),
        ],
    )
    async def test_orders(self, http: httpx.AsyncClient, query: str, expected: list[str]) -> None:
        assert await names(http, f"tags_none=models&{query}") == expected

    @pytest.mark.parametrize("sort", ["created_at", "updated_at", "name", "size", "last_access_time"])
    @pytest.mark.parametrize("order", ["asc", "desc"])
    async def test_cursors_go_through_all_once(
        self, server: Idle, http: httpx.AsyncClient, tmp_path: Path, sort: str, order: str
    ) -> None:
        for number in range(8):
            put(tmp_path, f"input/n{number}.png", b"same size", 5000 + number // 3)
        await scanned(server, "input")
        seen, after, pages = [], "", 0
        while True:
            page = await listed(http, f"tags_all=input&limit=3&sort={sort}&order={order}{after}")
            seen += [asset["id"] for asset in page["assets"]]
            pages += 1
            assert page["total"] == 10
            assert page["has_more"] == ("next_cursor" in page)
            if not page["has_more"]:
                break
            after = f"&after={page['next_cursor']}"
        assert (len(seen), len(set(seen)), pages) == (10, 10, 4)

    async def test_offsets(self, http: httpx.AsyncClient) -> None:
        assert await names(http, "tags_none=models&sort=name&order=asc&limit=1&offset=1") == ["b.jpg"]
        assert (await listed(http, "offset=1000"))["assets"] == []

    async def test_bad_cursors(self, http: httpx.AsyncClient) -> None:
        page = await listed(http, "limit=1&sort=created_at")
        refused(await http.get(f"/api/assets?after={page['next_cursor']}&sort=name"), 400, "INVALID_CURSOR")
        refused(await http.get(f"/api/assets?after={page['next_cursor']}&order=asc"), 400, "INVALID_CURSOR")
        for text in ("x", "AAAA", "%00", "W10", "eyJhIjoxfQ", "=" * 50, "%ff", "W1siY3JlYXRlZF9hdCJd", "é", "A" * 9000):
            refused(await http.get(f"/api/assets?after={text}"), 400, "INVALID_CURSOR")

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("limit=0", "INVALID_QUERY"),
            ("limit=501", "INVALID_QUERY"),
            ("limit=x", "INVALID_QUERY"),
            ("limit=" + "9" * 40, "INVALID_QUERY"),
            ("offset=-1", "INVALID_QUERY"),
            ("offset=1e3", "INVALID_QUERY"),
            ("sort=id", "INVALID_QUERY"),
            ("order=up", "INVALID_QUERY"),
            ("metadata_filter=x", "INVALID_QUERY"),
            ("metadata_filter=%5B%5D", "INVALID_QUERY"),
            ("metadata_filter=%22a%22", "INVALID_QUERY"),
            ("metadata_filter=%7B%22a%22:NaN%7D", "INVALID_QUERY"),
            ("metadata_filter=%7B%22a%22:%7B%7D%7D", "INVALID_QUERY"),
            ("metadata_filter=%7B%22a%22:%5B%5B%5D%5D%7D", "INVALID_QUERY"),
            ("metadata_filter=%7B%22a%22:%22%5Cud800%22%7D", "INVALID_QUERY"),
            ("metadata_filter=%7B%22a%22:" + "%5B" * 2000 + "%5D" * 2000 + "%7D", "INVALID_QUERY"),
            ("metadata_filter=%7B%22a%22:%22" + "a" * 9000 + "%22%7D", "INVALID_QUERY"),
            ("metadata_filter=%7B%22a%22:%5B" + "1," * 70 + "1%5D%7D", "INVALID_QUERY"),
            ("metadata_filter=%7B" + ",".join(f"%22{n}%22:1" for n in range(9)) + "%7D", "INVALID_QUERY"),
            ("hash=blake3:zz", "INVALID_QUERY"),
            ("name_contains=%00", "INVALID_QUERY"),
            ("name_contains=" + "a" * 5000, "INVALID_QUERY"),
            ("tags_all=" + ",".join(map(str, range(70))), "INVALID_TAG_FILTER"),
            ("tags_any=a%00", "INVALID_TAG_FILTER"),
            ("tags_none=" + "a" * 5000, "INVALID_TAG_FILTER"),
        ],
    )
    async def test_bad_queries(self, http: httpx.AsyncClient, query: str, code: str) -> None:
        refused(await http.get(f"/api/assets?{query}"), 400, code)

    async def test_the_editor_asks_whether_the_file_of_a_widget_is_there(
        self, http: httpx.AsyncClient, tmp_path: Path
    ) -> None:
        async def found(value: str) -> list[str]:
            return [asset["name"] for asset in (await listed(http, f"limit=1&hash={value}"))["assets"]]

        assert await found("a.png") == ["a.png"]
        assert await found("sub/b.jpg") == ["b.jpg"]
        assert await found("b.jpg") == []
        put(tmp_path, "temp/just_made.png", picture())
        assert await found("just_made.png") == ["just_made.png"]
        refused(await http.get("/api/assets?hash=../secret"), 400, "INVALID_BODY")

    async def test_only_under_api(self, http: httpx.AsyncClient) -> None:
        assert (await http.get("/assets")).status_code == 404

    async def test_metadata_filters_pages_and_tags(self, http: httpx.AsyncClient) -> None:
        for name, metadata in (("a.bin", {"scene": "sea", "rating": 5}), ("b.bin", {"scene": "wood"})):
            reply = await upload(http, name.encode(), name, user_metadata=json.dumps(metadata), tags=f"input,{name}")
            assert reply.status_code == 201
        for wanted, expected in (
            ({"scene": "sea"}, ["a.bin"]),
            ({"scene": ["sea", "wood"]}, ["a.bin", "b.bin"]),
            ({"scene": ["sea", "wood"], "rating": 5.0}, ["a.bin"]),
            ({"scene": "sky"}, []),
            ({"a key": "' OR 1=1 --"}, []),
            ({}, await names(http, "sort=name&order=asc")),
            ({"\0": ["\0", 10**300, -(2**63), 2**64 - 1, 1e-300]}, []),
        ):
            query = {"metadata_filter": json.dumps(wanted), "sort": "name", "order": "asc"}
            reply = await http.get("/api/assets", params=query)
            assert reply.status_code == 200, reply.text
            assert [asset["name"] for asset in reply.json()["assets"]] == expected
            assert reply.json()["total"] == len(expected)
        reply = await http.get("/api/assets/tags/refine", params={"metadata_filter": '{"scene":"wood"}'})
        assert reply.json() == {"tag_counts": {"b.bin": 1, "input": 1}}


class TestOneAsset:
    @pytest.fixture
    async def asset(self, http: httpx.AsyncClient) -> dict[str, Any]:
        return (await upload(http, picture(), tags="input,portrait")).json()

    async def test_it_is_found_by_its_id(self, http: httpx.AsyncClient, asset: dict[str, Any]) -> None:
        response = await http.get(f"/api/assets/{asset['id']}")
        assert response.json() == {name: value for name, value in asset.items() if name != "created_new"}
        assert EDITOR_TIME.fullmatch(asset["created_at"])

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    @pytest.mark.parametrize("asset_id", ["094fe0eb-79a4-4afb-91f2-ae13238dc32b", "x", "%00", "..", "a" * 3000, "%ff"])
    async def test_unknown_ids(self, http: httpx.AsyncClient, method: str, asset_id: str) -> None:
        response = await http.request(method, f"/api/assets/{asset_id}", json={"name": "x"})
        if asset_id != "..":  # the client makes /api/ of it
            refused(response, 404, "ASSET_NOT_FOUND")

    async def test_changing_what_is_said_of_it(self, http: httpx.AsyncClient, asset: dict[str, Any]) -> None:
        preview = (await upload(http, picture("blue"), "p.png")).json()
        body = {"name": "My face", "user_metadata": {"a": [1, None]}, "preview_id": preview["id"]}
        changed = (await http.put(f"/api/assets/{asset['id']}", json=body)).json()
        assert {name: changed[name] for name in body} == body
        assert changed["preview_url"] == f"/api/assets/{preview['id']}/content?disposition=inline"
        assert (await http.get(changed["preview_url"])).content == picture("blue")
        assert changed["loader_path"] == "a.png"
        assert changed["updated_at"] >= asset["updated_at"]
        assert "preview_id" not in (await http.put(f"/api/assets/{asset['id']}", json={"preview_id": None})).json()
        tagged = (await http.put(f"/api/assets/{asset['id']}", json={"tags": ["new", "models"]})).json()
        assert tagged["tags"] == ["input", "new", "models"]

    async def test_a_preview_that_is_removed_is_none(self, http: httpx.AsyncClient, asset: dict[str, Any]) -> None:
        preview = (await upload(http, picture("blue"), "p.png")).json()
        await http.put(f"/api/assets/{asset['id']}", json={"preview_id": preview["id"]})
        await http.delete(f"/api/assets/{preview['id']}?delete_content=true")
        assert "preview_id" not in (await http.get(f"/api/assets/{asset['id']}")).json()

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"[]",
            b'"x"',
            b"NaN",
            b"{}",
            b'{"other": 1}',
            b'{"name": 5}',
            b'{"name": "a\\u0000b"}',
            b'{"name": "' + b"x" * 300 + b'"}',
            b'{"name": "\\ud800"}',
            b'{"user_metadata": []}',
            b'{"user_metadata": "x"}',
            b'{"user_metadata": {"a": NaN}}',
            b'{"user_metadata": ' + b'{"a":' * 200 + b"1" + b"}" * 200 + b"}",
            b'{"user_metadata": {"a": "' + b"x" * (2 << 20) + b'"}}',
            b'{"preview_id": "x"}',
            b'{"preview_id": "00000000-0000-4000-8000-000000000000"}',
            b'{"preview_id": 7}',
            b'{"tags": "x"}',
            b'{"tags": [1]}',
            b'{"tags": ["a,b"]}',
            b'{"tags": ["' + b"x" * 300 + b'"]}',
            b'{"mime_type": {}}',
        ],
    )
    async def test_bad_changes(self, http: httpx.AsyncClient, asset: dict[str, Any], body: bytes) -> None:
        refused(await http.put(f"/api/assets/{asset['id']}", content=body), 400, "INVALID_BODY")

    async def test_removing_it_hides_it_and_leaves_the_file(
        self, server: Idle, http: httpx.AsyncClient, asset: dict[str, Any], tmp_path: Path
    ) -> None:
        assert (await http.delete(f"/api/assets/{asset['id']}")).status_code == 204
        refused(await http.get(f"/api/assets/{asset['id']}"), 404, "ASSET_NOT_FOUND")
        assert (tmp_path / "input" / "a.png").is_file()
        await scanned(server)
        assert "a.png" not in await names(http)
        again = (await upload(http, picture())).json()  # somebody wants it again
        assert again["name"] == "a.png"
        assert "a.png" in await names(http)

    async def test_removing_it_with_its_file(
        self, http: httpx.AsyncClient, asset: dict[str, Any], tmp_path: Path
    ) -> None:
        assert (await http.delete(f"/api/assets/{asset['id']}?delete_content=true")).status_code == 204
        assert not (tmp_path / "input" / "a.png").exists()
        assert "a.png" not in await names(http)

    async def test_a_file_that_another_asset_needs_stays(self, http: httpx.AsyncClient, asset: dict[str, Any]) -> None:
        other = (await http.post("/api/assets/from-hash", json={"hash": asset["hash"], "name": "twin"})).json()
        await http.delete(f"/api/assets/{asset['id']}?delete_content=true")
        assert (await http.get(f"/api/assets/{other['id']}/content")).content == picture()
        await http.delete(f"/api/assets/{other['id']}?delete_content=true")
        refused(await http.get(f"/api/assets/{other['id']}/content"), 404, "ASSET_NOT_FOUND")

    async def test_a_model_is_not_removed_from_the_disk(
        self, server: Idle, http: httpx.AsyncClient, tmp_path: Path
    ) -> None:
        path = put(tmp_path, "models/loras/l.safetensors")
        await scanned(server)
        (model,) = (await listed(http, "tags_all=loras"))["assets"]
        refused(await http.delete(f"/api/assets/{model['id']}?delete_content=true"), 403, "FORBIDDEN")
        assert path.is_file()
        assert (await http.delete(f"/api/assets/{model['id']}")).status_code == 204
        assert await names(http, "tags_all=loras") == []


class TestContent:
    async def test_it_is_a_download_unless_it_is_to_be_shown(self, http: httpx.AsyncClient) -> None:
        asset = (await upload(http, picture(), "画 像.png")).json()
        url = f"/api/assets/{asset['id']}/content"
        for query, kind in (
            ("", "attachment"),
            ("?disposition=attachment", "attachment"),
            ("?disposition=inline", "inline"),
        ):
            response = await http.get(url + query)
            assert response.content == picture()
            assert response.headers["content-type"] == "image/png"
            assert response.headers["content-disposition"] == f"{kind}; filename*=UTF-8''%E7%94%BB%20%E5%83%8F.png"
            assert response.headers["x-content-type-options"] == "nosniff"
        refused(await http.get(f"{url}?disposition=form-data"), 400, "INVALID_QUERY")

    async def test_ranges_and_conditions(self, http: httpx.AsyncClient) -> None:
        asset = (await upload(http, b"0123456789", "a.bin")).json()
        url = f"/api/assets/{asset['id']}/content"
        part = await http.get(url, headers={"Range": "bytes=2-4"})
        assert (part.status_code, part.content) == (206, b"234")
        etag = part.headers["etag"]
        assert (await http.get(url, headers={"If-None-Match": etag})).status_code == 304
        refused(await http.get(url, headers={"Range": "bytes=50-"}), 416, "RANGE_NOT_SATISFIABLE")

    @pytest.mark.parametrize("name", ["x.html", "x.svg", "x.js", "x.xml"])
    async def test_active_files_never_run(self, http: httpx.AsyncClient, name: str) -> None:
        asset = (await upload(http, b"<script>alert(1)</script>", name, mime_type="text/html")).json()
        response = await http.get(f"/api/assets/{asset['id']}/content?disposition=inline")
        assert response.headers["content-type"] == "application/octet-stream"
        assert response.headers["content-disposition"].startswith("attachment")
        assert "sandbox" in response.headers["content-security-policy"]

    async def test_the_last_access_is_noted(self, http: httpx.AsyncClient) -> None:
        asset = (await upload(http)).json()
        assert "last_access_time" not in asset
        await http.get(f"/api/assets/{asset['id']}/content")
        assert EDITOR_TIME.fullmatch((await http.get(f"/api/assets/{asset['id']}")).json()["last_access_time"])

    async def test_a_file_that_is_gone(self, http: httpx.AsyncClient, tmp_path: Path) -> None:
        asset = (await upload(http)).json()
        (tmp_path / "input" / "a.png").unlink()
        refused(await http.get(f"/api/assets/{asset['id']}/content"), 404, "ASSET_NOT_FOUND")

    async def test_a_link_that_leaves_the_folders_is_no_asset(
        self, server: Idle, http: httpx.AsyncClient, tmp_path: Path
    ) -> None:
        put(tmp_path, "secret.txt", b"secret")
        (tmp_path / "input" / "link.txt").symlink_to(tmp_path / "secret.txt")
        await scanned(server)
        assert "link.txt" not in await names(http)
        asset = (await upload(http, b"mine", "b.txt")).json()
        (tmp_path / "input" / "b.txt").unlink()
        (tmp_path / "input" / "b.txt").symlink_to(tmp_path / "secret.txt")
        refused(await http.get(f"/api/assets/{asset['id']}/content"), 404, "ASSET_NOT_FOUND")


class TestUpload:
    async def test_a_file_becomes_an_asset_that_nodes_can_load(self, http: httpx.AsyncClient, tmp_path: Path) -> None:
        fields = {"tags": '["input", "portrait"]', "user_metadata": '{"by": "me"}', "mime_type": "image/x-mine"}
        response = await upload(http, picture(), "face.png", **fields)
        asset = response.json()
        assert response.status_code == 201
        assert asset["created_new"] is True
        assert asset["hash"] == hash_of(picture())
        assert (asset["tags"], asset["user_metadata"]) == (["input", "portrait"], {"by": "me"})
        assert (asset["mime_type"], asset["size"]) == ("image/x-mine", len(picture()))
        assert (tmp_path / "input" / asset["loader_path"]).read_bytes() == picture()

    async def test_the_same_content_is_not_stored_twice(self, http: httpx.AsyncClient, tmp_path: Path) -> None:
        first = (await upload(http, b"same", "a.png", tags="input")).json()
        response = await upload(http, b"same", "b.png", tags="input,again")
        assert response.status_code == 200
        assert response.json() == {
            **response.json(),
            "id": first["id"],
            "created_new": False,
            "tags": ["input", "again"],
        }
        assert [path.name for path in (tmp_path / "input").iterdir()] == ["a.png"]
        other = await upload(http, b"same", "c.png", tags="output")
        assert other.status_code == 201
        assert other.json()["tags"] == ["output"]
        assert (tmp_path / "output" / "c.png").is_file()
        again = await upload(http, b"same", "d.png", tags="output")
        assert (again.status_code, again.json()["id"]) == (200, other.json()["id"]), "though the older one is in input"
        assert [path.name for path in (tmp_path / "output").iterdir()] == ["c.png"]

    async def test_another_file_of_that_name_is_numbered(self, http: httpx.AsyncClient) -> None:
        await upload(http, b"one")
        assert (await upload(http, b"two")).json()["loader_path"] == "a (1).png"

    async def test_a_hash_is_compared(self, http: httpx.AsyncClient, tmp_path: Path) -> None:
        refused(await upload(http, b"data", hash=hash_of(b"other")), 400, "HASH_MISMATCH")
        assert not any((tmp_path / "input").iterdir())
        assert (
            await upload(http, b"data", hash=hash_of(b"data").upper().replace("BLAKE3", "blake3"))
        ).status_code == 201

    async def test_a_hash_alone_needs_no_file(self, http: httpx.AsyncClient) -> None:
        first = (await upload(http, b"data")).json()
        response = await http.post("/api/assets", data={"hash": first["hash"], "name": "twin"}, files={"x": ("", b"")})
        assert response.status_code == 201
        assert response.json()["name"] == "twin"
        unknown = await http.post("/api/assets", data={"hash": hash_of(b"no")}, files={"x": ("", b"")})
        refused(unknown, 404, "ASSET_NOT_FOUND")

    async def test_a_model_goes_to_its_folder(self, http: httpx.AsyncClient, tmp_path: Path) -> None:
        for tags in ("models,loras", "models,mine,model_type:loras"):
            asset = (await upload(http, tags.encode(), "x.safetensors", tags=tags)).json()
            assert (tmp_path / "models" / "loras" / asset["loader_path"]).read_bytes() == tags.encode()
            assert asset["tags"][:3] == ["models", "loras", "model_type:loras"]

    @pytest.mark.parametrize(
        ("name", "tags"),
        [
            ("x.safetensors", "models"),
            ("x.safetensors", "models,nothing"),
            ("x.py", "models,custom_nodes"),
            ("__init__.py", "models,custom_nodes"),
            ("x.yaml", "models,configs"),
            ("x.py", "models,loras"),
            ("x", "models,loras"),
            ("x.safetensors", "models,../output"),
            ("x.safetensors", "models,/etc"),
            ("x.png", "temp"),
        ],
    )
    async def test_what_is_no_model_and_where_nothing_may_go(
        self, http: httpx.AsyncClient, tmp_path: Path, name: str, tags: str
    ) -> None:
        before = everything_in(tmp_path)
        refused(await upload(http, b"code", name, tags=tags), 400, "INVALID_BODY")
        assert everything_in(tmp_path) == before

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"user_metadata": "{"}, "INVALID_BODY"),
            ({"user_metadata": "[]"}, "INVALID_BODY"),
            ({"user_metadata": "NaN"}, "INVALID_BODY"),
            ({"user_metadata": '{"a":' * 300 + "1" + "}" * 300}, "INVALID_BODY"),
            ({"tags": "[1]"}, "INVALID_BODY"),
            ({"tags": "["}, "INVALID_BODY"),
            ({"hash": "md5:1"}, "INVALID_HASH"),
            ({"name": "../../x.png"}, "INVALID_BODY"),
            ({"name": "a\x00b"}, "INVALID_BODY"),
            ({"preview_id": "x"}, "INVALID_BODY"),
            ({"preview_id": str(uuid.uuid4())}, "INVALID_BODY"),
        ],
    )
    async def test_bad_fields(self, http: httpx.AsyncClient, tmp_path: Path, fields: dict[str, str], code: str) -> None:
        refused(await upload(http, **fields), 400, code)
        assert not any((tmp_path / "input").iterdir())

    @pytest.mark.parametrize("name", ["../x.png", "..", "x" * 300 + ".png"])
    async def test_bad_names(self, http: httpx.AsyncClient, tmp_path: Path, name: str) -> None:
        refused(await upload(http, file_name=name), 400, "INVALID_BODY")
        assert not any((tmp_path / "input").iterdir())

    async def test_bodies_that_are_no_form(self, http: httpx.AsyncClient) -> None:
        refused(await http.post("/api/assets", json={"url": "https://example.org/x"}), 400, "INVALID_BODY")
        refused(await http.post("/api/assets"), 400, "INVALID_BODY")
        refused(await http.post("/api/assets", files={"x": ("", b"")}), 400, "MISSING_INPUT")
        refused(await http.post("/api/assets", files={"other": ("a.png", b"x")}), 400, "MISSING_INPUT")

    async def test_an_upload_over_the_limit(self, tmp_path: Path) -> None:
        async with idle_server(tmp_path, with_assets=True, max_upload_size_mb=0.01) as server:
            assert (await upload(server.http, bytes(20_000))).status_code == 413

    async def test_the_answer_of_upload_image_has_the_asset_for_editors(self, http: httpx.AsyncClient) -> None:
        form = {"files": {"image": ("a.png", picture())}, "data": {"subfolder": "s"}}
        plain = (await http.post("/upload/image", **form)).json()
        told = (await http.post("/upload/image", **form, headers={"Comfy-User": ""})).json()
        asset = told.pop("asset")
        assert told == plain == {"name": "a.png", "subfolder": "s", "type": "input"}
        assert asset["asset_hash"] == hash_of(picture())
        assert (asset["name"], asset["size"], asset["mime_type"]) == ("a.png", len(picture()), "image/png")
        assert asset["tags"] == ["input"]
        assert (await http.get(f"/api/assets/{asset['id']}")).json()["loader_path"] == "s/a.png"


class TestHashes:
    async def test_from_hash(self, http: httpx.AsyncClient) -> None:
        content = (await upload(http, b"data")).json()["hash"]
        body = {"hash": content, "name": "twin", "tags": ["input", "t"], "user_metadata": {"x": 1}}
        response = await http.post("/api/assets/from-hash", json=body)
        twin = response.json()
        assert response.status_code == 201
        assert (twin["name"], twin["tags"], twin["user_metadata"]) == ("twin", ["input", "t"], {"x": 1})
        assert (twin["created_new"], twin["hash"]) == (True, content)
        assert (await http.get(f"/api/assets/{twin['id']}/content")).content == b"data"
        again = await http.post("/api/assets/from-hash", json={**body, "tags": ["u"]})
        assert (again.status_code, again.json()["id"]) == (200, twin["id"])
        assert again.json()["tags"] == ["input", "t", "u"]

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({}, 400, "MISSING_INPUT"),
            ({"hash": 5}, 400, "INVALID_BODY"),
            ({"hash": "x"}, 400, "INVALID_HASH"),
            ({"hash": "blake3:" + "0" * 64}, 404, "ASSET_NOT_FOUND"),
            ([], 400, "INVALID_BODY"),
        ],
    )
    async def test_bad_from_hash(self, http: httpx.AsyncClient, body: Any, status: int, code: str) -> None:
        refused(await http.post("/api/assets/from-hash", json=body), status, code)

    async def test_whether_a_content_is_there(self, http: httpx.AsyncClient, tmp_path: Path) -> None:
        content = (await upload(http, b"data")).json()["hash"]
        url = f"/api/assets/hash/{content}"
        assert (await http.head(url)).status_code == 200
        assert (await http.head("/api/assets/hash/blake3:" + "0" * 64)).status_code == 404
        for bad in ("x", "blake3:", "blake3:" + "g" * 64, "%00", "a" * 3000):
            assert (await http.head(f"/api/assets/hash/{bad}")).status_code == 400
        (tmp_path / "input" / "a.png").write_bytes(b"other")
        assert (await http.head(url)).status_code == 404

    async def test_view_by_hash(self, http: httpx.AsyncClient) -> None:
        content = (await upload(http, picture(), "face.png")).json()["hash"]
        for name in (content, f"{content} [output]"):
            response = await http.get("/view", params={"filename": name})
            assert response.content == picture()
            assert response.headers["content-disposition"] == 'filename="face.png"'
        small = await http.get("/view", params={"filename": content, "preview": "webp"})
        assert small.headers["content-type"] == "image/webp"
        for bad in ("blake3:" + "0" * 64, "blake3:x", "blake3:../x"):
            assert (await http.get("/view", params={"filename": bad})).status_code == 404

    async def test_a_reference_to_content_that_was_overwritten(self, http: httpx.AsyncClient, tmp_path: Path) -> None:
        content = (await upload(http, b"data")).json()["hash"]
        twin = (await http.post("/api/assets/from-hash", json={"hash": content, "name": "twin"})).json()
        (tmp_path / "input" / "a.png").write_bytes(b"something else")
        refused(await http.get(f"/api/assets/{twin['id']}/content"), 404, "ASSET_NOT_FOUND")


class TestTags:
    async def test_adding_and_removing(self, http: httpx.AsyncClient) -> None:
        asset = (await upload(http, tags="input,one")).json()
        url = f"/api/assets/{asset['id']}/tags"
        added = (await http.post(url, json={"tags": ["one", "two", " two ", "input"]})).json()
        assert added == {"added": ["two"], "already_present": ["one", "input"], "total_tags": ["input", "one", "two"]}
        removed = (await http.request("DELETE", url, json={"tags": ["one", "none", "input", "missing"]})).json()
        assert removed["removed"] == ["one"]
        assert removed["not_present"] == ["none", "input", "missing"]
        assert removed["total_tags"] == ["input", "two"]

    @pytest.mark.parametrize("method", ["POST", "DELETE"])
    @pytest.mark.parametrize(
        "body", [{}, {"tags": []}, {"tags": "x"}, {"tags": [5]}, {"tags": [" "]}, {"tags": ["x\x00"]}, [], "x"]
    )
    async def test_bad_bodies(self, http: httpx.AsyncClient, method: str, body: Any) -> None:
        asset = (await upload(http)).json()
        refused(await http.request(method, f"/api/assets/{asset['id']}/tags", json=body), 400, "INVALID_BODY")
        refused(await http.request(method, f"/api/assets/{uuid.uuid4()}/tags", json=body), 404, "ASSET_NOT_FOUND")

    async def test_an_asset_has_up_to_256_tags(self, http: httpx.AsyncClient) -> None:
        asset = (await upload(http)).json()
        url = f"/api/assets/{asset['id']}"
        tags = [f"t{number}" for number in range(255)]
        for start in range(0, 255, 60):
            response = await http.post(f"{url}/tags", json={"tags": tags[start : start + 60]})
            assert response.status_code == 200, response.text
        refused(await http.post(f"{url}/tags", json={"tags": ["one more"]}), 400, "INVALID_BODY")
        refused(await upload(http, tags="input,one more"), 400, "INVALID_BODY")
        assert (await http.post(f"{url}/tags", json={"tags": ["t1"]})).json()["already_present"] == ["t1"]
        assert (await http.get(url)).json()["tags"] == ["input", *tags]

    async def test_counts(self, http: httpx.AsyncClient) -> None:
        for number in range(3):
            await upload(http, b"%d" % number, f"{number}.png", tags="input,all" + (",some" if number else ""))
        found = (await http.get("/api/tags?prefix=")).json()
        counts = {tag["name"]: tag["count"] for tag in found["tags"]}
        assert {name: counts[name] for name in ("input", "all", "some")} == {"input": 3, "all": 3, "some": 2}
        assert found["total"] == len(counts)
        assert (await http.get("/api/tags?prefix=so")).json()["tags"] == [{"name": "some", "count": 2}]
        page = (await http.get("/api/tags?prefix=so&limit=1&offset=1&order=name_asc")).json()
        assert page == {"tags": [], "total": 1, "has_more": False}
        refined = (await http.get("/api/assets/tags/refine?tags_all=some&name_contains=1")).json()
        assert refined == {"tag_counts": {"all": 1, "input": 1, "some": 1}}
        for query in ("order=up", "limit=0", "offset=x", "limit=9999"):
            refused(await http.get(f"/api/tags?{query}"), 400, "INVALID_QUERY")


class TestScan:
    async def test_new_changed_and_missing_files(self, server: Idle, http: httpx.AsyncClient, tmp_path: Path) -> None:
        path = put(tmp_path, "input/a.png", b"one")
        told = await scanned(server, "input")
        assert (told["status"], told["progress"]["created"], told["errors"]) == ("completed", 1, [])
        (asset,) = (await listed(http, "tags_all=input"))["assets"]
        path.unlink()
        assert (await http.post("/api/assets/prune")).json() == {"status": "completed", "marked": 1}
        assert (await http.post("/api/assets/prune")).json() == {"status": "completed", "marked": 0}
        (gone,) = (await listed(http, "tags_all=input"))["assets"]
        assert gone["tags"] == ["input", "missing"]
        refused(await http.get(f"/api/assets/{asset['id']}"), 404, "ASSET_NOT_FOUND")
        assert (await http.put(f"/api/assets/{asset['id']}", json={"name": "a.png"})).status_code == 200
        assert await names(http, "tags_all=input&tags_none=missing") == []
        put(tmp_path, "input/a.png", b"three")
        assert (await scanned(server, "input"))["progress"]["created"] == 0
        (back,) = (await listed(http, "tags_all=input"))["assets"]
        assert (back["id"], back["size"], back["tags"]) == (asset["id"], 5, ["input"])
        assert (await http.get(f"/api/assets/{asset['id']}")).json() == back

    async def test_status_and_cancel(self, http: httpx.AsyncClient) -> None:
        status = (await http.get("/api/assets/seed/status")).json()
        assert status["state"] == "IDLE"
        assert set(status["progress"]) >= {"scanned", "total", "created", "skipped"}
        assert (await http.post("/api/assets/seed/cancel")).json() == {"status": "idle"}

    async def test_one_scan_at_a_time(
        self, server: Idle, http: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(tmp_path, "input/a.png")
        assert server.services.assets is not None
        library, goes_on, register = server.services.assets.library, asyncio.Event(), AssetLibrary.register

        async def waiting(files: Any) -> Any:
            await goes_on.wait()
            return await register(library, files)

        monkeypatch.setattr(library, "register", waiting)
        assert (await http.post("/api/assets/seed", json={"roots": ["input"]})).status_code == 202
        response = await http.post("/api/assets/seed", json={"roots": ["models"]})
        assert (response.status_code, response.json()) == (409, {"status": "already_running"})
        assert (await http.get("/api/assets/seed/status")).json()["state"] == "RUNNING"
        assert (await http.post("/api/assets/seed/cancel")).json() == {"status": "cancelling"}
        assert (await http.get("/api/assets/seed/status")).json()["state"] == "CANCELLING"
        goes_on.set()
        await server.services.assets.scanner.wait()
        assert (await http.get("/api/assets/seed/status")).json()["state"] == "IDLE"

    @pytest.mark.parametrize("body", [{"roots": []}, {"roots": "input"}, {"roots": ["/etc"]}, {"roots": [5]}, [], "x"])
    async def test_bad_roots(self, http: httpx.AsyncClient, body: Any) -> None:
        refused(await http.post("/api/assets/seed", json=body), 400, "INVALID_BODY")

    async def test_hashing_every_file(self, tmp_path: Path) -> None:
        put(tmp_path, "input/a.png", b"data")
        async with idle_server(tmp_path, with_assets=True, enable_asset_hashing=True) as server:
            await scanned(server)
            (asset,) = (await listed(server.http, f"hash={hash_of(b'data')}"))["assets"]
            assert asset["name"] == "a.png"

    @pytest.mark.parametrize("autoscan", [True, False])
    async def test_the_scan_of_the_start_can_be_switched_off(self, tmp_path: Path, autoscan: bool) -> None:
        put(tmp_path, "input/a.png")
        async with idle_server(tmp_path, with_assets=True, autoscan_assets=autoscan) as server:
            assert server.services.assets is not None
            await server.services.assets.scanner.wait()
            assert await names(server.http, "tags_all=input") == (["a.png"] if autoscan else [])
            await scanned(server)
            assert await names(server.http, "tags_all=input") == ["a.png"]


class TestErrors:
    """Whoever refuses a request to these routes."""

    @pytest.mark.parametrize(
        ("method", "path", "status", "code"),
        [
            ("PATCH", "/api/assets", 405, "METHOD_NOT_ALLOWED"),
            ("POST", "/api/tags", 405, "METHOD_NOT_ALLOWED"),
            ("POST", "/editor/api/tags", 405, "METHOD_NOT_ALLOWED"),
            ("GET", "/api/assets/seed/none", 404, "NOT_FOUND"),
            ("GET", "/api/tags/none/at/all", 404, "NOT_FOUND"),
        ],
    )
    async def test_methods_and_paths(
        self, http: httpx.AsyncClient, method: str, path: str, status: int, code: str
    ) -> None:
        refused(await http.request(method, path), status, code)

    async def test_other_routes_keep_their_shape(self, http: httpx.AsyncClient) -> None:
        for path in ("/api/tagsoup", "/api/nothing"):
            assert "type" in (await http.get(path)).json()["error"]

    @pytest.mark.parametrize("path", ["/api/assets", "/api/tags"])
    async def test_hosts_and_origins(self, http: httpx.AsyncClient, path: str) -> None:
        foreign = {"Host": "evil.example", "Accept-Language": "en"}
        refused(await http.get(path, headers=foreign), 403, "UNKNOWN_HOST")
        refused(await http.get(path, headers={"Origin": "http://evil.example"}), 403, "FORBIDDEN")

    async def test_callers_without_a_key(self, tmp_path: Path) -> None:
        async with idle_server(tmp_path, with_assets=True, api_key="x" * 32, compress_responses=True) as server:
            response = await server.http.get("/api/assets")
            refused(response, 401, "UNAUTHORIZED")
            assert response.headers["www-authenticate"]
            assert response.headers["content-encoding"] == "gzip"

    async def test_bodies_over_the_limit(self, tmp_path: Path) -> None:
        async def pieces():
            for _ in range(20):
                yield b"x" * 100_000

        async with idle_server(tmp_path, with_assets=True, max_upload_size_mb=1) as server:
            refused(await server.http.post("/api/assets", content=b"x" * 2_000_000), 413, "TOO_LARGE")
            headers = {"Content-Type": "application/json"}
            refused(
                await server.http.post("/api/assets/from-hash", content=pieces(), headers=headers), 413, "TOO_LARGE"
            )

    async def test_head_has_no_body(self, http: httpx.AsyncClient) -> None:
        response = await http.head(f"/api/assets/{uuid.uuid4()}")
        assert (response.status_code, response.content) == (404, b"")


class TestJobs:
    async def finish(self, server: Idle, job_id: str, *files: dict[str, str], user: str | None = None) -> None:
        """A job ends that has written these files, as the bus tells it."""
        assert server.services.assets is not None
        server.services.assets.recorder.job_ended(job_id, user, {"9": {"images": list(files)}})

    async def test_what_a_job_writes_is_there_at_once(
        self, server: Idle, http: httpx.AsyncClient, tmp_path: Path
    ) -> None:
        job_id = str(uuid.uuid4())
        put(tmp_path, "output/sub/a.png", picture())
        put(tmp_path, "temp/b.png", picture())
        await self.finish(
            server,
            job_id,
            {"filename": "a.png", "subfolder": "sub", "type": "output"},
            {"filename": "b.png", "subfolder": "", "type": "temp"},
            {"filename": "gone.png", "subfolder": "", "type": "output"},
            {"filename": "../../x", "subfolder": "", "type": "output"},
            {"filename": "c.png", "subfolder": "", "type": "elsewhere"},
        )
        found = (await listed(http, "tags_any=output,temp&sort=name&order=asc"))["assets"]
        assert [asset["name"] for asset in found] == ["a.png", "b.png"]
        assert (found[0]["job_id"], found[0]["prompt_id"]) == (job_id, job_id)
        assert found[0]["user_metadata"] == {"jobId": job_id, "nodeId": "9", "subfolder": "sub"}

    async def test_a_job_id_that_is_no_uuid_would_blind_the_editor(
        self, server: Idle, http: httpx.AsyncClient, tmp_path: Path
    ) -> None:
        put(tmp_path, "output/a.png", picture())
        await self.finish(server, "my job", {"filename": "a.png", "type": "output"})
        (asset,) = (await listed(http, "tags_all=output"))["assets"]
        assert "job_id" not in asset
        assert asset["prompt_id"] == "my job"

    async def test_a_removed_result_is_no_asset(self, server: Idle, http: httpx.AsyncClient, tmp_path: Path) -> None:
        put(tmp_path, "output/a.png", picture())
        await self.finish(server, "j", {"filename": "a.png", "type": "output"})
        assert await names(http, "tags_all=output") == ["a.png"]
        assert (await http.delete("/api/outputs/a.png")).status_code == 204
        assert await names(http, "tags_all=output") == []


class TestUsers:
    @pytest.fixture
    async def shared(self, tmp_path: Path):
        async with idle_server(tmp_path, with_assets=True, multi_user=True) as server:
            yield server

    async def test_each_sees_own_assets_and_what_belongs_to_all(self, shared: Idle, tmp_path: Path) -> None:
        http = shared.http
        put(tmp_path, "input/found.png", b"found")
        await scanned(shared)
        ids = {}
        for name in ("ann", "bob"):
            ids[name] = (await http.post("/users", json={"username": name})).json()
        ann, bob = ({"Comfy-User": ids[name]} for name in ("ann", "bob"))
        asset = (await upload(http, b"anns", "ann.png", headers=ann)).json()
        for headers, expected in ((ann, {"ann.png", "found.png"}), (bob, {"found.png"}), ({}, {"found.png"})):
            found = (await listed(http, "tags_all=input", headers=headers))["assets"]
            assert {entry["name"] for entry in found} == expected
        for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/content"), ("POST", "/tags")):
            response = await http.request(method, f"/api/assets/{asset['id']}{path}", headers=bob, json={"tags": ["x"]})
            refused(response, 404, "ASSET_NOT_FOUND")
        refused(
            await http.post("/api/assets/from-hash", json={"hash": asset["hash"]}, headers=bob), 404, "ASSET_NOT_FOUND"
        )
        assert (await http.get("/view", params={"filename": asset["hash"]}, headers=bob)).status_code == 404

    async def test_a_page_shows_its_users_assets_although_pictures_are_asked_for_without_headers(
        self, shared: Idle
    ) -> None:
        http = shared.http
        ann = {"Comfy-User": (await http.post("/users", json={"username": "ann"})).json()}
        asset = (await upload(http, b"anns", "ann.png", headers=ann)).json()
        address = f"/api/assets/{asset['id']}/content"
        assert (await http.get(address)).status_code == 404
        await http.get("/settings", headers={**ann, "Accept-Language": "en"})
        assert (await http.get(address)).content == b"anns"


async def test_switched_off_every_route_says_so(tmp_path: Path) -> None:
    async with idle_server(tmp_path, enable_assets=False) as server:
        asset_id = str(uuid.uuid4())
        for method, path in (
            ("GET", "/api/assets"),
            ("POST", "/api/assets"),
            ("GET", f"/api/assets/{asset_id}"),
            ("PUT", f"/api/assets/{asset_id}"),
            ("DELETE", f"/api/assets/{asset_id}"),
            ("GET", f"/api/assets/{asset_id}/content"),
            ("POST", "/api/assets/from-hash"),
            ("GET", "/api/assets/hash/x"),
            ("GET", "/api/tags"),
            ("GET", "/api/assets/tags/refine"),
            ("POST", f"/api/assets/{asset_id}/tags"),
            ("DELETE", f"/api/assets/{asset_id}/tags"),
            ("POST", "/api/assets/seed"),
            ("GET", "/api/assets/seed/status"),
            ("POST", "/api/assets/seed/cancel"),
            ("POST", "/api/assets/prune"),
        ):
            refused(await server.http.request(method, path), 503, "SERVICE_DISABLED")
        assert (await server.http.get("/api/features")).json()["assets"] is False
        response = await server.http.post("/upload/image", files={"image": ("a.png", b"x")})
        assert response.json() == {"name": "a.png", "subfolder": "", "type": "input"}


async def test_the_library_is_there_after_a_restart_without_the_temp_folder(tmp_path: Path) -> None:
    put(tmp_path, "temp/t.png")
    async with idle_server(tmp_path, with_assets=True) as server:
        asset = (await upload(server.http)).json()
        assert (await listed(server.http, "hash=t.png"))["total"] == 1
    async with idle_server(tmp_path, with_assets=True) as server:
        assert (await server.http.get(f"/api/assets/{asset['id']}")).json()["hash"] == asset["hash"]
        assert await names(server.http, "tags_all=temp") == []
        assert (await server.http.get("/api/features")).json()["assets"] is True


def test_a_real_job_becomes_assets(live) -> None:
    prompt_id = live.submit(picture_graph(7, sink="SaveImage", filename_prefix="assets/job"))
    live.wait(prompt_id)

    def found():
        assets = live.get("/api/assets?tags_all=output&limit=100").json()["assets"]
        return [asset for asset in assets if asset.get("job_id") == prompt_id]

    (asset,) = live.until(found)
    assert asset["loader_path"].startswith("assets/job")
    assert live.get(f"/api/assets/{asset['id']}/content").content[:4] == b"\x89PNG"
    listing = live.get("/api/outputs?limit=500").json()["outputs"]
    assert prompt_id in [entry.get("prompt_id") for entry in listing]


def test_editors_alone_hear_of_new_assets(live) -> None:
    with live.socket("assets-editor") as editor, live.socket("assets-plain") as plain:
        editor.send(json.dumps({"type": "feature_flags", "data": {}}))
        read_until(editor, lambda message: message["type"] == "feature_flags")
        live.run(picture_graph(11, sink="SaveImage", filename_prefix="assets/told"))
        told = read_until(editor, is_told_of_new_assets)[-1]
        assert told["data"]["phase"] == "fast"
        assert not any(str(message["type"]).startswith("assets.") for message in read_for(plain))


def is_told_of_new_assets(message: dict[str, Any]) -> bool:
    return message["type"] == "assets.seed.completed" and message["data"]["created"] >= 1
