"""Files of users: every row of ComfyUI's `/userdata`, and what must not get out."""

import asyncio
import json
import os
import time

import httpx
import pytest

from tests.api.idle import NeverReady, idle_server
from tests.api.packs import serving


@pytest.fixture
async def http(idle):
    return idle.http


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "user/default"
    folder.mkdir(parents=True)
    return folder


def put(root, *names, content="x"):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


# Storing and reading


@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_a_file_is_stored_read_and_removed_under_one_segment(http, root, prefix):
    path = f"{prefix}/userdata/workflows%2Fmy%20a%2Bb.json"
    reply = await http.post(path, content=b'{"nodes": []}')
    assert (reply.status_code, reply.json()) == (200, "workflows/my a+b.json")
    assert (root / "workflows/my a+b.json").read_text() == '{"nodes": []}'
    reply = await http.get(path)
    assert (reply.status_code, reply.json()) == (200, {"nodes": []})
    reply = await http.delete(path)
    assert (reply.status_code, reply.content) == (204, b"")
    assert (await http.get(path)).status_code == 404
    assert (await http.delete(path)).status_code == 404


async def test_slashes_of_the_address_are_none_of_a_name(http, root):
    put(root, "workflows/a.json")
    assert (await http.get("/userdata/workflows/a.json")).status_code == 404
    assert (await http.post("/userdata/workflows/b.json", content=b"")).status_code == 405
    assert (await http.delete("/userdata/workflows/a.json")).status_code == 405
    assert (root / "workflows/a.json").exists()


async def test_over_a_real_socket_the_slashes_are_told_apart_too(tmp_path, root):
    async with serving(tmp_path, NeverReady()) as server:
        assert (await server.http.post("/userdata/workflows%2Fa.json", content=b"1")).json() == "workflows/a.json"
        assert (await server.http.get("/api/userdata/workflows%2fa.json")).content == b"1"
        assert (await server.http.get("/userdata/workflows/a.json")).status_code == 404
        big = os.urandom(6 << 20)
        assert (await server.http.post("/userdata/big.bin", content=big)).status_code == 200
        assert (await server.http.get("/userdata/big.bin")).content == big


async def test_a_file_is_replaced_unless_the_client_says_no(http, root):
    assert (await http.post("/userdata/a.txt", content=b"1")).status_code == 200
    assert (await http.post("/userdata/a.txt", content=b"2")).status_code == 200
    reply = await http.post("/userdata/a.txt?overwrite=false", content=b"3")
    assert (reply.status_code, reply.json()["error"]["message"]) == (409, "File already exists")
    assert (root / "a.txt").read_text() == "2"
    assert (await http.post("/userdata/b.txt?overwrite=false", content=b"3")).json() == "b.txt"
    assert sorted(path.name for path in root.iterdir()) == ["a.txt", "b.txt"]  # nothing temporary stays


async def test_of_those_who_write_a_new_file_at_once_one_succeeds(http, root):
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(http.post("/userdata/a?overwrite=false", content=str(index).encode()))
            for index in range(20)
        ]
    statuses = [task.result().status_code for task in tasks]
    assert sorted(statuses) == [200] + [409] * 19
    assert (root / "a").read_text() == str(statuses.index(200))


async def test_full_info_has_milliseconds(http, root):
    before = int(time.time() * 1000) - 2000
    info = (await http.post("/userdata/w%2Fa.txt?full_info=true", content=b"123")).json()
    assert (info["path"], info["size"]) == ("w/a.txt", 3)
    for name in ("modified", "created"):
        assert type(info[name]) is int
        assert before < info[name] < before + 60_000
    (listed,) = (await http.get("/userdata?dir=w&full_info=true&split=true")).json()
    assert listed == {**info, "path": "a.txt"}
    moved = (await http.post("/userdata/w%2Fa.txt/move/b.txt?full_info=true")).json()
    assert (moved["path"], moved["size"]) == ("b.txt", 3)


async def test_a_body_that_is_too_large_leaves_nothing(tmp_path, root):
    async with idle_server(tmp_path, max_upload_size_mb=0.001) as server:

        async def pieces():
            for _ in range(10):
                yield b"x" * 1000

        for content in (b"x" * 5000, pieces()):
            reply = await server.http.post("/userdata/a.txt", content=content)
            assert reply.status_code == 413
    assert list(root.iterdir()) == []


# Moving


async def test_a_file_is_moved(http, root):
    put(root, "a.json", content="1")
    reply = await http.post("/userdata/a.json/move/sub%2Fdeep%2Fb.json")
    assert (reply.status_code, reply.json()) == (200, "sub/deep/b.json")
    assert (root / "sub/deep/b.json").read_text() == "1"
    assert not (root / "a.json").exists()


async def test_moving_overwrites_unless_the_client_says_no(http, root):
    put(root, "a", content="1")
    put(root, "b", content="2")
    assert (await http.post("/userdata/a/move/b?overwrite=false")).status_code == 409
    assert (root / "b").read_text() == "2"
    assert (await http.post("/userdata/a/move/b")).json() == "b"
    assert [(path.name, path.read_text()) for path in root.iterdir()] == [("b", "1")]
    assert (await http.post("/userdata/b/move/c?overwrite=false")).json() == "c"
    assert [path.name for path in root.iterdir()] == ["c"]


@pytest.mark.parametrize(
    ("path", "status"),
    [("nope/move/b", 404), ("a/move/..%2Fb", 403), ("..%2Fx/move/b", 403), ("a/move/folder", 400),
     ("folder/move/b", 404), ("a/move/a%2Fb", 400), ("a/move/%00", 403), ("a/move/%2e", 403)],
)  # fmt: skip
async def test_what_cannot_be_moved(http, root, path, status):
    put(root, "a", "folder/c")
    assert (await http.post(f"/userdata/{path}")).status_code == status
    assert (root / "a").read_text() == "x"


# What a browser may do with a file


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.json", "application/json"),
        ("a.png", "image/png"),
        ("a.html", "application/octet-stream"),
        ("a.svg", "application/octet-stream"),
        ("a.js", "application/octet-stream"),
        ("other.css", "application/octet-stream"),
        ("sub/user.css", "application/octet-stream"),
        ("a.xml", "application/octet-stream"),
        ("noending", "application/octet-stream"),
    ],
)
async def test_a_file_is_a_download_that_no_page_runs(http, root, name, media_type):
    put(root, name)
    reply = await http.get(f"/userdata/{name.replace('/', '%2F')}")
    assert reply.headers["content-type"].split(";")[0] == media_type
    assert reply.headers["content-disposition"] == f'attachment; filename="{name.rpartition("/")[2]}"'
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "public" not in reply.headers["cache-control"]


async def test_the_style_sheet_of_the_user_is_shown(http, root):
    put(root, "user.css", content="body{}")
    reply = await http.get("/api/userdata/user.css")
    assert reply.headers["content-type"] == "text/css; charset=utf-8"
    assert "content-disposition" not in reply.headers


async def test_a_file_is_sent_in_parts_and_not_twice(http, root):
    put(root, "a.bin", content="0123456789")
    reply = await http.get("/userdata/a.bin", headers={"Range": "bytes=2-4"})
    assert (reply.status_code, reply.content) == (206, b"234")
    etag = reply.headers["etag"]
    assert (await http.get("/userdata/a.bin", headers={"If-None-Match": etag})).status_code == 304


# Lists


async def test_lists_of_a_folder(http, root):
    put(root, "workflows/b.json", "workflows/.index.json", "workflows/sub/deep/a.json", "other.txt")
    assert (await http.get("/userdata?dir=workflows")).json() == [".index.json", "b.json"]
    every = [".index.json", "b.json", "sub/deep/a.json"]
    assert (await http.get("/userdata?dir=workflows&recurse=true")).json() == every
    reply = await http.get("/userdata?dir=workflows&recurse=TRUE&split=true&full_info=false")
    assert reply.json() == [[".index.json"] * 2, ["b.json"] * 2, ["sub/deep/a.json", "sub", "deep", "a.json"]]
    assert (await http.get("/userdata?dir=workflows%2Fsub&recurse=true")).json() == ["deep/a.json"]
    assert (await http.get("/userdata?dir=.")).json() == ["other.txt"]


async def test_all_files_are_listed_without_a_folder(http, tmp_path):
    assert (await http.get("/userdata")).json() == []
    put(tmp_path / "user/default", "workflows/b.json", "a.txt")
    assert (await http.get("/userdata")).json() == ["a.txt", "workflows/b.json"]


@pytest.mark.parametrize(
    ("folder", "status", "message"),
    [("", 400, "Directory not provided"), ("nope", 404, "Directory not found"), ("a.txt", 404, "Directory not found"),
     ("..", 403, "Invalid directory"), ("x/../..", 403, "Invalid directory"), ("/etc", 403, "Invalid directory"),
     ("a\0b", 403, "Invalid directory"), ("x" * 300, 403, "Invalid directory"), ("x/" * 1990, 403, "Invalid directory"),
     ("../inglenook", 403, "Invalid directory")],
)  # fmt: skip
async def test_folders_that_cannot_be_listed(http, root, folder, status, message):
    put(root, "a.txt")
    reply = await http.get("/userdata", params={"dir": folder})
    assert (reply.status_code, reply.json()["error"]["message"]) == (status, message)


async def test_the_tree_has_folders_first(http, root):
    put(root, "b.txt", "A.txt", "sub/C.txt", "sub/deep/a.txt", content="12")
    tree = (await http.get("/v2/userdata")).json()
    assert [(entry["type"], entry["name"], entry["path"]) for entry in tree] == [
        ("directory", "deep", "sub/deep"),
        ("directory", "sub", "sub"),
        ("file", "A.txt", "A.txt"),
        ("file", "a.txt", "sub/deep/a.txt"),
        ("file", "b.txt", "b.txt"),
        ("file", "C.txt", "sub/C.txt"),
    ]
    assert set(tree[0]) == {"name", "path", "type"}
    assert tree[2]["size"] == 2
    assert abs(tree[2]["modified"] - time.time()) < 60
    below = (await http.get("/api/v2/userdata?path=sub")).json()
    assert [entry["path"] for entry in below] == ["sub/deep", "sub/deep/a.txt", "sub/C.txt"]


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [("nope", 404, "Requested path not found"), ("a.txt", 400, "Requested path is not a directory"),
     ("..", 403, "Invalid path requested"), ("a\0", 400, "Invalid path requested")],
)  # fmt: skip
async def test_trees_that_cannot_be_shown(http, root, path, status, message):
    put(root, "a.txt")
    reply = await http.get("/v2/userdata", params={"path": path})
    assert (reply.status_code, reply.json()["error"]["message"]) == (status, message)


async def test_a_user_without_a_folder_has_an_empty_tree(http):
    assert (await http.get("/v2/userdata")).json() == []


# What must not get out

HOSTILE = ["%2e%2e", "..%2F..%2Fusers.json", "..%2Finglenook%2Fjobs.sqlite", "..%5Cinglenook%5Cjobs.sqlite",
           "%2Fetc%2Fpasswd", "a%2F..%2F..%2F..%2Fx", "%00", "a%00.json", "%ff%fe", "%ed%a0%80", "C%3A%5Cx", "x" * 300,
           "a%0Ab", "%2E%2E%2Finglenook", "a%2F" * 1300 + "b"]  # fmt: skip


async def test_no_name_leaves_the_folder_of_the_user(http, tmp_path, root):
    put(tmp_path / "user", "inglenook/jobs.sqlite", "users.json", content="secret")
    for name in HOSTILE:
        for method in ("GET", "POST", "DELETE"):
            reply = await http.request(method, httpx.URL(f"http://127.0.0.1/userdata/{name}"))
            assert reply.status_code in (403, 404), (method, name)
            assert b"secret" not in reply.content
    assert (tmp_path / "user/inglenook/jobs.sqlite").read_text() == "secret"
    assert (tmp_path / "user/users.json").read_text() == "secret"
    assert list(root.iterdir()) == []


async def test_links_that_leave_are_neither_listed_nor_followed(http, tmp_path, root):
    put(tmp_path / "user/inglenook", "key", content="secret")
    put(root, "real/a.txt")
    (root / "out").symlink_to(tmp_path / "user/inglenook")
    (root / "key").symlink_to(tmp_path / "user/inglenook/key")
    (root / "loop").symlink_to(root)
    for path in ("/userdata/key", "/userdata/out%2Fkey"):
        assert (await http.get(path)).status_code == 403
    assert (await http.get("/userdata?dir=out")).status_code == 403
    assert (await http.get("/userdata?dir=.&recurse=true")).json() == ["real/a.txt"]
    assert (await http.post("/userdata/out%2Fnew", content=b"")).status_code == 403


async def test_a_data_folder_inside_the_folder_of_a_user_stays_hidden(tmp_path, root):
    put(root, "data/jobs.db", "a.txt", content="secret")
    async with idle_server(tmp_path, data_dir=root / "data") as server:
        assert (await server.http.get("/userdata/data%2Fjobs.db")).status_code == 403
        assert (await server.http.get("/userdata")).json() == ["a.txt"]
        assert [entry["name"] for entry in (await server.http.get("/v2/userdata")).json()] == ["a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="names are bytes")
async def test_a_name_that_is_not_utf8_is_left_out_of_lists(http, root):
    put(root, "a.txt")
    os.close(os.open(os.fsencode(root) + b"/caf\xe9", os.O_CREAT))
    assert (await http.get("/userdata")).json() == ["a.txt"]


# Without a file in the address


async def test_a_form_is_stored(http, root):
    reply = await http.post("/userdata", files={"file": ("a.json", b"1")}, data={"path": "workflows/b.json"})
    assert (reply.status_code, reply.json()) == (200, "workflows/b.json")
    assert (await http.post("/userdata", files={"any": ("a.json", b"2")}, data={"dir": "w"})).json() == "w/a.json"
    assert (await http.post("/api/userdata", files={"any": ("c.json", b"3")})).json() == "c.json"
    reply = await http.post("/userdata", files={"any": ("c.json", b"4")}, data={"overwrite": "false"})
    assert reply.status_code == 409
    assert (root / "c.json").read_text() == "3"


async def test_json_is_stored(http, root):
    reply = await http.post("/userdata", content=json.dumps({"path": "w/a.json", "content": {"b": [1]}}))
    assert (reply.status_code, reply.json()) == (200, "w/a.json")
    assert json.loads((root / "w/a.json").read_text()) == {"b": [1]}
    await http.post("/userdata", content=json.dumps({"file": "note.txt", "data": "text é"}))
    assert (root / "note.txt").read_text() == "text é"
    reply = await http.post("/userdata", content=json.dumps({"path": "note.txt", "content": "2", "overwrite": False}))
    assert reply.status_code == 409


@pytest.mark.parametrize(
    ("content", "status"),
    [("", 400), ("[]", 400), ("{}", 400), ('{"path": "a"}', 400), ('{"path": 3, "content": ""}', 400), ("NaN", 400),
     ('{"path": "a", "content": "", "overwrite": "no"}', 400), ('{"path": "../a", "content": ""}', 403),
     ('{"path": "", "content": ""}', 403), ('{"path": "\\ud800", "content": ""}', 400), ("[" * 3000, 400)],
)  # fmt: skip
async def test_bodies_that_store_nothing(http, tmp_path, content, status):
    assert (await http.post("/userdata", content=content)).status_code == status
    assert not (tmp_path / "user/default").exists() or not list((tmp_path / "user/default").iterdir())


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=x"])
async def test_forms_without_a_file_are_refused(http, kind):
    assert (await http.post("/userdata", content=b"--y", headers={"content-type": kind})).status_code == 400
    assert (await http.post("/userdata", files={"a": (None, "text")})).status_code == 400
    assert (await http.post("/userdata", files={"a": ("../../x", b"")})).status_code == 403
