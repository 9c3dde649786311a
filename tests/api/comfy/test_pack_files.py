"""What node packs bring for the editor beside scripts: translations, templates, subgraphs; and the template library."""

import hashlib
import json

import httpx
import pytest

from inglenook.packs.report import PackReport
from tests.api.idle import NeverReady, idle_server


class Worker(NeverReady):
    def __init__(self, *packs):
        self.packs = packs


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


@pytest.fixture
def packs(tmp_path):
    return tmp_path / "custom_nodes"


@pytest.fixture
async def http(tmp_path, packs):
    reports = []
    for name in ("acme", "b pack", "broken"):
        (packs / name).mkdir(parents=True)
        reports.append(PackReport(name, str(packs / name), error="no" if name == "broken" else None))
    (packs / "single.py").write_text("")
    reports.append(PackReport("single", str(packs / "single.py")))
    async with idle_server(tmp_path, Worker(*reports)) as server:
        yield server.http


# Translations


async def test_translations_of_all_packs_are_merged(http, packs):
    assert (await http.get("/i18n")).json() == {}
    write(
        packs,
        {
            "acme/locales/zh/main.json": {"title": "标题", "nested": {"a": 1}},
            "acme/locales/zh/nodeDefs.json": {"A": {"display_name": "甲"}},
            "acme/locales/zh/other.json": {"not": "taken"},
            "b pack/locales/zh/main.json": {"nested": {"b": 2}},
            "b pack/locales/zh/nodeDefs.json": "\ufeff" + json.dumps({"B": {"display_name": "乙"}}),
            "b pack/locales/zh/commands.json": {"c": 1},
            "b pack/locales/fr/settings.json": {"s": "é"},
            "broken/locales/fr/main.json": {"x": 1},
        },
    )
    zh = {
        "title": "标题",
        "nested": {"a": 1, "b": 2},
        "nodeDefs": {"A": {"display_name": "甲"}, "B": {"display_name": "乙"}},
        "commands": {"c": 1},
    }
    assert (await http.get("/api/i18n")).json() == {"zh": zh, "fr": {"settings": {"s": "é"}}}
    assert (await http.get("/i18n/zh")).json() == zh
    for unknown in ("de", "%2e%2e", "%00", "%ff", "zh%2fmain"):
        assert (await http.get(f"/i18n/{unknown}")).json() == {}
    write(packs, {"acme/locales/zh/main.json": {"changed": True}})
    assert (await http.get("/i18n/zh")).json()["changed"] is True


@pytest.mark.parametrize("content", ["{", "[]", "NaN", "", '{"a":' * 60 + "1" + "}" * 60, "[" * 100_000])
async def test_a_translation_that_cannot_be_read_is_left_out(http, packs, content):
    write(packs, {"acme/locales/fr/main.json": content, "acme/locales/fr/commands.json": {"a": 1}})
    assert (await http.get("/i18n")).json() == {"fr": {"commands": {"a": 1}}}


async def test_links_out_of_a_pack_are_not_followed(http, packs, tmp_path):
    write(tmp_path, {"secret/main.json": {"secret": 1}})
    (packs / "acme/locales").mkdir()
    (packs / "acme/locales/fr").symlink_to(tmp_path / "secret")
    (packs / "acme/example_workflows").symlink_to(tmp_path / "secret")
    (packs / "acme/subgraphs").mkdir()
    (packs / "acme/subgraphs/a.json").symlink_to(tmp_path / "secret/main.json")
    for path in ("/i18n", "/workflow_templates", "/global_subgraphs"):
        assert (await http.get(path)).json() == {}


# Templates of packs


async def test_templates_of_packs_are_listed_and_sent(http, packs):
    assert (await http.get("/workflow_templates")).json() == {}
    write(
        packs,
        {
            "acme/example_workflows/b c#.json": {"nodes": [1]},
            "acme/example_workflows/b c#.jpg": "picture",
            "acme/example_workflows/a.json": {},
            "acme/example_workflows/.hidden.json": {},
            "acme/workflows/old.json": {},
            "acme/other/x.json": {},
            "b pack/examples/one.json": {},
            "broken/examples/two.json": {},
        },
    )
    listed = (await http.get("/api/workflow_templates")).json()
    assert listed == {"acme": ["a", "b c#", "old"], "b pack": ["one"]}
    reply = await http.get("/api/workflow_templates/acme/b%20c%23.json")
    assert (reply.json(), reply.headers["content-type"]) == ({"nodes": [1]}, "application/json")
    reply = await http.get("/api/workflow_templates/acme/b%20c%23.jpg")
    assert (reply.content, reply.headers["cache-control"]) == (b"picture", "public, max-age=86400")
    assert (await http.get("/api/workflow_templates/b%20pack/one.json")).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["acme/nope.json", "acme/..%2f__init__.py", "acme/%2e%2e/secret", "acme/.git%2fconfig", "acme/%00", "acme/",
     "%2e%2e/a.json", "single/a.json", "broken/a.json", "inglenook/a.json", "acme/" + "a/" * 2000],
)  # fmt: skip
async def test_nothing_but_templates_is_sent(http, packs, path):
    write(packs, {"acme/__init__.py": "hush", "acme/secret": "hush", "acme/example_workflows/.git/config": "hush"})
    reply = await http.get(httpx.URL(f"http://127.0.0.1/api/workflow_templates/{path}"))
    assert reply.status_code == 404
    assert b"hush" not in reply.content


# The library of the server


async def test_a_template_is_added_replaced_and_removed(http, tmp_path):
    reply = await http.post("/workflow_templates", content=json.dumps({"name": "my é", "workflow": {"nodes": [1]}}))
    assert (reply.status_code, reply.json()["name"], reply.json()["pack"]) == (201, "my é", "inglenook")
    assert (await http.get("/workflow_templates")).json() == {"inglenook": ["my é"]}
    for path in (reply.json()["url"], "/workflow_templates/my%20%C3%A9"):
        assert (await http.get(path)).json() == {"nodes": [1]}
    reply = await http.post("/workflow_templates", content=json.dumps({"name": "my é", "workflow": {"nodes": [2]}}))
    assert reply.status_code == 409
    assert (await http.put("/workflow_templates/my%20%C3%A9", content='{"nodes": [3]}')).status_code == 200
    assert (await http.get("/workflow_templates/my%20%C3%A9")).json() == {"nodes": [3]}
    (tmp_path / "user/inglenook/workflow_templates/my é.jpg").write_bytes(b"picture")
    assert (await http.get("/api/workflow_templates/inglenook/my%20%C3%A9.jpg")).content == b"picture"
    assert (await http.delete("/workflow_templates/my%20%C3%A9")).status_code == 204
    assert (await http.delete("/workflow_templates/my%20%C3%A9")).status_code == 404
    assert (await http.get("/workflow_templates")).json() == {}
    assert list((tmp_path / "user/inglenook/workflow_templates").iterdir()) == []


async def test_a_template_may_be_named_by_the_query_or_the_body(http):
    body = json.dumps({"name": "a", "workflow": {"1": {"class_type": "A"}}})
    assert (await http.put("/workflow_templates", content=body)).status_code == 201
    assert (await http.put("/workflow_templates", content=body)).status_code == 200
    assert (await http.post("/workflow_templates?name=b.json", content='{"workflow": 1, "x": 2}')).status_code == 201
    assert (await http.get("/workflow_templates/b")).json() == {"workflow": 1, "x": 2}
    assert (await http.request("DELETE", "/workflow_templates", content='{"name": "a"}')).status_code == 204
    assert (await http.delete("/workflow_templates?name=b")).status_code == 204
    assert (await http.get("/workflow_templates")).json() == {}


async def test_templates_without_a_proper_name_or_workflow_are_refused(http, tmp_path):
    for name in ("", ".", "..", "../x", "a/b", "a\\b", ".hidden", "a\0b", "x" * 300, "C:x", 5, None, ["a"]):
        body = json.dumps({"name": name, "workflow": {"a": 1}})
        for method in ("POST", "PUT"):
            reply = await http.request(method, "/workflow_templates", content=body)
            assert reply.status_code == 400, (method, name)
        assert (await http.request("DELETE", "/workflow_templates", content=body)).status_code in (400, 404), name
    for body in ("", "[]", "NaN", '{"name": "a"}', '{"name": "a", "workflow": {}}', '{"name": "a", "workflow": [1]}',
                 '{"name": "\\ud800", "workflow": {"a": 1}}', '{"a":' * 3000):  # fmt: skip
        assert (await http.post("/workflow_templates", content=body)).status_code == 400, body
    for name in ("%2e%2e", "..%2fx", "%00", "%ff"):
        assert (await http.put(f"/workflow_templates/{name}", content='{"a": 1}')).status_code == 400
        assert (await http.get(f"/workflow_templates/{name}")).status_code == 400
    assert not (tmp_path / "user/inglenook/workflow_templates").exists()


# Subgraphs


async def test_subgraphs_of_packs_are_listed_and_sent(http, packs):
    assert (await http.get("/global_subgraphs")).json() == {}
    text = '{"nodes": ["é"]}'
    write(packs, {"acme/subgraphs/up scale.json": text, "broken/subgraphs/x.json": "{}", "acme/subgraphs/a.txt": ""})
    listed = (await http.get("/api/global_subgraphs")).json()
    ((key, entry),) = listed.items()
    assert key == hashlib.sha256(b"custom_node/custom_nodes/acme/subgraphs/up scale.json").hexdigest()
    assert entry == {
        "source": "custom_node",
        "name": "up scale",
        "path": "custom_nodes/acme/subgraphs/up scale.json",
        "info": {"node_pack": "custom_nodes.acme"},
    }
    assert (await http.get(f"/global_subgraphs/{key}")).json() == {**entry, "data": text}
    for unknown in ("x", "%00", "%ff", "..%2f.."):
        reply = await http.get(f"/global_subgraphs/{unknown}")
        assert (reply.status_code, reply.json()) == (200, None)
