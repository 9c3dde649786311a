"""`--offline`."""

import os

from inglenook.api.offline import ENVIRONMENT
from inglenook.api.services import _local_worker
from inglenook.settings import Settings
from tests.api.idle import idle_server


def policies(reply):
    return [value for name, value in reply.headers.multi_items() if name == "content-security-policy"]


async def test_every_answer_says_that_nothing_may_be_loaded_from_elsewhere(tmp_path):
    async with idle_server(tmp_path, offline=True) as server:
        for path in ("/", "/editor/", "/prompt", "/nothing"):
            *_, policy = policies(await server.http.get(path))  # a page may have a stricter one of its own before it
            assert "default-src 'self'" in policy
            assert "http" not in policy


async def test_stricter_policies_of_single_answers_stay(tmp_path):
    async with idle_server(tmp_path, offline=True) as server:
        (tmp_path / "output").mkdir(exist_ok=True)
        (tmp_path / "output" / "page.html").write_text("<script>")
        assert any("sandbox" in policy for policy in policies(await server.http.get("/view?filename=page.html")))


async def test_otherwise_nothing_is_said(tmp_path):
    async with idle_server(tmp_path) as server:
        assert policies(await server.http.get("/prompt")) == []


def test_nodes_ask_no_model_hub():
    assert ENVIRONMENT.items() <= _local_worker(Settings(offline=True))._environment.items()
    assert not ENVIRONMENT.keys() & _local_worker(Settings())._environment.keys() - os.environ.keys()
