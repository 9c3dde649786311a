"""What the server says of itself, and how it answers paths and methods that it does not have."""

import gzip
import os
import sys

import httpx
import pytest

from tests.api.live import new_id, picture_graph


def test_system_stats_has_comfyuis_fields(live):
    live.run(picture_graph(1))  # so that the device process is there
    stats = live.get("/system_stats").json()
    assert {"os", "ram_total", "ram_free", "comfyui_version", "python_version", "pytorch_version", "argv"} <= set(
        stats["system"]
    )
    assert stats["system"]["pytorch_version"].startswith("2.")
    (device,) = stats["devices"]
    assert set(device) == {
        "name",
        "type",
        "index",
        "vram_total",
        "vram_free",
        "torch_vram_total",
        "torch_vram_free",
    }
    assert device["type"] == "cpu"
    assert live.get("/api/system_stats").status_code == 200


def test_object_info_is_compressed_on_request_and_not_sent_twice(live):
    plain = live.get("/object_info", headers={"accept-encoding": "identity"})
    assert "KSampler" in plain.json()
    with live._http.stream("GET", "/object_info", headers={"accept-encoding": "gzip"}) as reply:
        raw = b"".join(reply.iter_raw())
    assert gzip.decompress(raw) == plain.content
    again = live.get("/object_info", headers={"if-none-match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_object_info_lists_new_input_files(live):
    def images():
        return live.get("/object_info").json()["LoadImage"]["input"]["required"]["image"][0]

    name = f"{new_id()}.png"
    before = live.get("/object_info").headers["etag"]
    assert name not in images()
    picture = live.get("/view", params=live.run(picture_graph(9))["outputs"]["2"]["images"][0]).content
    live.post("/upload/image", files={"image": (name, picture)})
    assert name in images()
    assert live.get("/object_info").headers["etag"] != before


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux only")
def test_object_info_leaves_out_a_file_whose_name_is_not_utf8(live):
    bad = os.fsencode(live.base / "input") + b"/not-utf8-\xe9.png"
    with open(bad, "wb"):
        pass
    try:
        reply = live.get("/object_info")
        assert reply.status_code == 200
        assert b"not-utf8-" not in reply.content
    finally:
        os.remove(bad)  # noqa: PTH107 - a name in bytes


def test_one_class_is_shown_and_an_unknown_one_is_empty(live):
    assert list(live.get("/object_info/KSampler").json()) == ["KSampler"]
    assert "engine" not in live.get("/object_info/LoadImage").json()["LoadImage"]
    for name in ("Nope", "%00", "..%2f..", "x" * 5000, "a/b"):
        reply = live.get(f"/object_info/{name}")
        assert (reply.status_code, reply.json()) == (200, {})


def test_features_tell_the_upload_limit(live):
    assert live.get("/features").json()["max_upload_size"] == 100 << 20


def test_extensions_and_health_answer(live):
    assert all(path.startswith("/extensions/core/") for path in live.get("/extensions").json())  # the editor's own
    health = live.until(lambda: (told := live.get("/api/health").json())["status"] == "ok" and told)
    assert health["status"] == "ok"
    assert health["workers"][0]["name"] == "local"


def test_the_openapi_page_is_there(live):
    assert live.get("/docs").status_code == 200
    paths = live.get("/openapi.json").json()["paths"]
    assert {"/prompt", "/queue", "/history/{prompt_id}", "/view", "/upload/image", "/object_info"} <= set(paths)


@pytest.mark.parametrize("path", ["/prompt", "/system_stats", "/queue", "/history", "/object_info", "/api/features"])
def test_head_answers_as_get_without_a_body(live, path):
    reply = live._http.head(path)
    assert (reply.status_code, reply.content) == (200, b"")


@pytest.mark.parametrize("host", ["x.localhost", "localhost.", "0.0.0.0"])
def test_foreign_pages_are_refused_under_other_names_of_this_machine(live, host):
    headers = {"host": f"{host}:{live.port}", "origin": "http://evil.example"}
    assert live.get("/queue", headers=headers).status_code == 403
    assert live.get("/queue", headers={"host": headers["host"]}).status_code == 200


def test_options_is_answered_anywhere(live):
    for path in ("/prompt", "/nowhere"):
        reply = live._http.options(path)
        assert (reply.status_code, reply.content) == (200, b"")


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize("path", ["/interrupt", "/free", "/queue", "/history", "/settings", "/settings/a"])
def test_success_without_a_result_is_an_empty_answer(live, prefix, path):
    reply = live.post(prefix + path, b"{}")
    assert (reply.status_code, reply.content) == (200, b"")
    assert "content-type" not in reply.headers


@pytest.mark.parametrize("path", ["/nope", "/api/nope", "/prompt/x/y", "/%2e%2e/etc/passwd", "/%00", "/" + "x" * 3000])
def test_unknown_paths_are_404_and_other_methods_405(live, path):
    reply = live.get(path)
    assert reply.status_code == 404
    assert reply.json()["error"]["type"] == "not_found"
    reply = live.post(path)
    assert reply.status_code == 405
    assert reply.headers["allow"] == "GET,HEAD"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/clear", {"POST"}),
        ("GET", "/api/upload/image", {"POST"}),
        ("PUT", "/queue", {"GET", "HEAD", "POST"}),
        ("PATCH", "/userdata/a%2Fb.json", {"GET", "HEAD", "POST", "DELETE"}),
    ],
)
def test_a_known_path_says_which_methods_it_takes(live, method, path, allowed):
    reply = httpx.request(method, live.url + path)
    assert reply.status_code == 405
    assert set(reply.headers["allow"].split(",")) == allowed


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://127.0.0.1:{port}", 200),
        ("http://127.0.0.1", 200),
        ("http://localhost:{port}", 403),
        ("http://127.0.0.1:1", 403),
        ("https://evil.example", 403),
        ("null", 403),
        ("http://[", 403),
        ("", 403),
    ],
)
def test_pages_of_other_origins_are_refused(live, origin, status):
    headers = {} if origin is None else {"origin": origin.format(port=live.port)}
    for reply in (live.get("/queue", headers=headers), live._http.options("/queue", headers=headers)):
        assert reply.status_code == status
        if status == 403:
            assert reply.content == b""
