"""Result files are listed newest first, page by page, and removed; nothing outside the output folder is touched."""

import os
from pathlib import Path

import pytest

from inglenook.jobs import Job, JobId, JobResult, State
from tests.api.idle import idle_server


def put(folder: Path, name: str, modified_s: float = 1000.0, data: bytes = b"x") -> Path:
    path = folder / "output" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (modified_s, modified_s))
    return path


@pytest.fixture
async def server(tmp_path):
    async with idle_server(tmp_path) as server:
        yield server


async def listed(server, query=""):
    response = await server.http.get(f"/api/outputs{query}")
    assert response.status_code == 200, response.text
    return response.json()


async def finish_job(server, files, job_id="job-1", user=None):
    job = Job(JobId(job_id), 1, b"{}", ("9",), job_id, 1_000_000, user=user)
    await server.store.add(job)
    await server.store.claim(JobId(job_id), "w", 1)
    outputs = {"9": {"images": files}}
    await server.store.finish(JobId(job_id), 1, JobResult(State.succeeded, 5, outputs=outputs))


async def test_files_come_newest_first_with_what_clients_need(server, tmp_path):
    put(tmp_path, "old.png", 1000)
    put(tmp_path, "sub/new.mp4", 3000.5, b"video")
    put(tmp_path, "between.txt", 2000)
    found = await listed(server)
    assert [entry["filename"] for entry in found["outputs"]] == ["new.mp4", "between.txt", "old.png"]
    assert found["outputs"][0] == {
        "filename": "new.mp4",
        "subfolder": "sub",
        "type": "output",
        "kind": "video",
        "size": 5,
        "modified": 3000.5,
        "url": "/api/view?filename=new.mp4&subfolder=sub&type=output",
    }
    assert (found["total"], found["page"], found["has_more"]) == (3, 1, False)
    assert (await server.http.get(found["outputs"][0]["url"])).content == b"video"


async def test_pages(server, tmp_path):
    for number in range(7):
        put(tmp_path, f"{number}.png", 1000 + number)
    pages = [await listed(server, f"?page={page}&limit=3") for page in (1, 2, 3, 4)]
    names = [[entry["filename"] for entry in page["outputs"]] for page in pages]
    assert names == [["6.png", "5.png", "4.png"], ["3.png", "2.png", "1.png"], ["0.png"], []]
    assert [page["has_more"] for page in pages] == [True, True, False, False]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("kind=image", {"a.png"}),
        ("kind=video", {"b.mp4"}),
        ("kind=audio", {"c.flac"}),
        ("kind=text", {"d.txt"}),
        ("kind=3d", {"e.glb"}),
        ("kind=latent", {"f.latent"}),
        ("kind=other", {"g.bin"}),
        ("search=SUB", {"c.flac"}),
        ("search=.p", {"a.png"}),
        ("kind=image&search=b", set()),
    ],
)
async def test_kinds_and_search(server, tmp_path, query, names):
    for name in ("a.png", "b.mp4", "sub/c.flac", "d.txt", "e.glb", "f.latent", "g.bin", ".hidden.png", "x/.part/y.png"):
        put(tmp_path, name)
    assert {entry["filename"] for entry in (await listed(server, f"?{query}"))["outputs"]} == names


async def test_the_job_that_wrote_a_file_is_told(server, tmp_path):
    put(tmp_path, "sub/a.png")
    put(tmp_path, "a.png")
    await finish_job(server, [{"filename": "a.png", "subfolder": "sub", "type": "output"}])
    await finish_job(server, [{"filename": "a.png", "subfolder": "", "type": "temp"}], "job-2")
    found = {entry["subfolder"]: entry.get("prompt_id") for entry in (await listed(server))["outputs"]}
    assert found == {"sub": "job-1", "": None}


@pytest.mark.parametrize(
    "query", ["page=0", "page=x", "page=1.5", "limit=0", "limit=501", "limit=" + "9" * 30, "page=NaN", "kind=exe"]
)
async def test_bad_queries(server, query):
    response = await server.http.get(f"/api/outputs?{query}")
    assert response.status_code == 400
    assert response.json()["error"]["message"]


async def test_removing_a_file_and_its_empty_folders(server, tmp_path):
    path, other = put(tmp_path, "a/b/c.png"), put(tmp_path, "a/d.png")
    assert (await server.http.delete("/api/outputs/a/b/c.png")).status_code == 204
    assert not path.parent.exists()
    assert other.exists()
    assert (await server.http.delete("/api/outputs/a/b/c.png")).status_code == 404
    assert (await server.http.delete("/api/outputs/a/d.png")).status_code == 204
    assert (tmp_path / "output").is_dir()


@pytest.mark.parametrize(
    "path",
    ["..%2fsecret", "%2e%2e/secret", "%2fetc%2fpasswd", "a%00b", "link", "linked/secret", "folder", "nope", "", "%ff"],
)
async def test_nothing_else_is_removed(server, tmp_path, path):
    (tmp_path / "secret").write_text("keep")
    (tmp_path / "output" / "folder").mkdir(parents=True)
    (tmp_path / "output" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "output" / "linked").symlink_to(tmp_path)
    response = await server.http.delete(f"/api/outputs/{path}")
    assert response.status_code in (400, 404, 405)
    assert (tmp_path / "secret").read_text() == "keep"
    assert (tmp_path / "output" / "folder").is_dir()


async def test_a_user_does_not_remove_what_another_made(tmp_path):
    async with idle_server(tmp_path, multi_user=True) as server:
        put(tmp_path, "a.png")
        file = {"filename": "a.png", "subfolder": "", "type": "output"}
        await finish_job(server, [file], user="ann_1")
        assert (await server.http.delete("/api/outputs/a.png")).status_code == 403
        await finish_job(server, [file], "job-2", user="default")
        assert (await server.http.delete("/api/outputs/a.png")).status_code == 204
