"""What the server says that it can do, which versions it has, and what the editor asks for itself."""

import os
from importlib import metadata

import httpx
import pytest

from inglenook.api.app import create_app
from inglenook.api.comfy.features import parse_flags
from inglenook.engine.replacement import NodeReplacement
from tests.api.idle import idle_server, idle_services


async def test_features_name_what_is_there(idle):
    for path in ("/features", "/api/features"):
        flags = (await idle.http.get(path)).json()
        assert flags == {
            "supports_preview_metadata": True,
            "max_upload_size": 100 << 20,
            "node_replacements": True,
            "assets": True,
            "supports_model_type_tags": True,
        }


async def test_flags_of_the_settings_are_added(tmp_path):
    flags = ("max_upload_size=5", "show=true", "name=a=b", "bare", "half=0.5", "=x", " ")
    async with idle_server(tmp_path, feature_flags=flags) as server:
        found = (await server.http.get("/features")).json()
    assert found["supports_preview_metadata"] is True
    assert {name: found[name] for name in ("max_upload_size", "show", "name", "bare", "half")} == {
        "max_upload_size": 5, "show": True, "name": "a=b", "bare": True, "half": 0.5,
    }  # fmt: skip


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "9" * 30, "[1]", "null", "[" * 100_000])
def test_a_flag_that_is_no_plain_number_is_text(value):
    assert parse_flags([f"a={value}"]) == {"a": value}


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


async def test_system_stats_tell_the_installed_versions(idle):
    system = (await idle.http.get("/system_stats")).json()["system"]
    assert system["required_frontend_version"] == _version("comfyui-frontend-package")
    templates = _version("comfyui-workflow-templates")
    assert (system["installed_templates_version"], system["required_templates_version"]) == (templates, templates)
    for package in system["comfy_package_versions"]:
        assert package["installed"] == package["required"] == _version(package["name"])
    assert (system["embedded_python"], system["deploy_environment"]) == (False, "local")
    assert isinstance(system["argv"], list)


async def test_node_replacements_are_told_by_the_old_class(tmp_path):
    async with idle_services(tmp_path) as services:
        inputs, outputs = [{"new_id": "b", "set_value": [1]}], [{"new_idx": 0, "old_idx": 1}]
        replacement = NodeReplacement("New", "Old", ["a"], inputs, outputs)
        services.catalogs.update(services.catalogs._documents, [replacement])
        transport = httpx.ASGITransport(create_app(services))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            for path in ("/node_replacements", "/api/node_replacements"):
                assert (await http.get(path)).json() == {
                    "Old": [
                        {
                            "new_node_id": "New",
                            "old_node_id": "Old",
                            "old_widget_ids": ["a"],
                            "input_mapping": [{"new_id": "b", "set_value": [1]}],
                            "output_mapping": [{"new_idx": 0, "old_idx": 1}],
                        }
                    ]
                }


async def test_object_info_is_compressed_where_gzip_is_accepted_and_known_states_are_not_sent(idle):
    async def encoding(accepted):
        reply = await idle.http.get("/object_info", headers={"accept-encoding": accepted})
        assert "KSampler" in reply.json()
        return reply.headers.get("content-encoding")

    assert [await encoding(accepted) for accepted in ("gzip", "br, GZIP;q=0.5", "gzip;q=0", "identity", "")] == [
        "gzip", "gzip", None, None, None,
    ]  # fmt: skip
    etag = (await idle.http.get("/object_info")).headers["etag"]
    for known in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        reply = await idle.http.get("/object_info", headers={"if-none-match": known})
        assert (reply.status_code, reply.content) == (304, b"")
    assert (await idle.http.get("/object_info", headers={"if-none-match": '"x"'})).status_code == 200


# /internal


async def test_paths_of_all_folders(idle, tmp_path):
    paths = (await idle.http.get("/internal/folder_paths")).json()
    assert paths["checkpoints"] == [str(tmp_path / "models/checkpoints")]
    assert paths["custom_nodes"] == [str(tmp_path / "custom_nodes")]


@pytest.mark.parametrize("kind", ["input", "output", "temp"])
async def test_files_are_listed_the_newest_first(idle, tmp_path, kind):
    folder = tmp_path / kind
    assert (await idle.http.get(f"/internal/files/{kind}")).json() == []
    (folder / "sub").mkdir(parents=True)
    for age, name in enumerate(("new.png", "b.txt", ".hidden", "old.png")):
        (folder / name).write_bytes(b"")
        os.utime(folder / name, (1e9 - age, 1e9 - age))
    os.close(os.open(os.fsencode(folder) + b"/caf\xe9", os.O_CREAT))
    (folder / "gone").symlink_to(folder / "nothing")
    assert (await idle.http.get(f"/internal/files/{kind}")).json() == ["new.png", "b.txt", "old.png"]


@pytest.mark.parametrize("kind", ["models", "user", "%2e%2e", "%00", "INPUT"])
async def test_other_folders_are_not_listed(idle, kind):
    reply = await idle.http.get(f"/internal/files/{kind}")
    assert (reply.status_code, reply.json()) == (400, {"error": "Invalid directory type"})


async def test_internal_routes_have_no_api_prefix(idle):
    for path in ("/api/internal/folder_paths", "/api/internal/files/input"):
        assert (await idle.http.get(path)).status_code == 404
