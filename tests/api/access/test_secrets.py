"""No key is kept or told: a whole server, its device process, a node pack that tells all it gets, and then every byte
that the server has written or sent is searched."""

import contextlib
import io
import json
from pathlib import Path

import orjson
import pytest
from PIL import Image

from inglenook.engine.secrets import split_secrets
from tests.api.live import LiveServer, is_left, picture_graph, read_until

KEY = "the-servers-own-key-0123456789"
COMFY_KEY = "comfyui-key-abcdef-0123456789"
TOKEN = "account-token-fedcba-9876543210"
SECRETS = (KEY, COMFY_KEY, TOKEN)

PACK = """
import os, sys

class Telltale:
    \"\"\"Prints and raises whatever it is given.\"\"\"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"fails": ("BOOLEAN", {"default": False})},
                "hidden": {"key": "API_KEY_COMFY_ORG", "token": "AUTH_TOKEN_COMFY_ORG", "extra": "EXTRA_PNGINFO"}}

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "tell"
    CATEGORY = "tests"

    def tell(self, fails, key=None, token=None, extra=None):
        from inglenook.engine import context
        print("has a key:", key is not None, "token:", token is not None, flush=True)
        print(f"key={key} token={token}", flush=True)
        print("environment:", sorted(os.environ.items()), flush=True)
        print("arguments:", sys.argv, flush=True)
        if fails:
            raise RuntimeError(f"cannot use {key} with {token}")
        return {"ui": {"text": ["told"]}}

NODE_CLASS_MAPPINGS = {"Telltale": Telltale}

try:
    from server import PromptServer

    @PromptServer.instance.routes.get("/telltale")
    async def telltale(request):
        from aiohttp import web
        return web.json_response({"headers": dict(request.headers), "query": request.query_string})

    def on_prompt(body):
        print("prompt:", body.get("extra_data"), flush=True)
        return body

    PromptServer.instance.add_on_prompt_handler(on_prompt)
except Exception as error:
    print("no routes", error)
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The server, and everything that it has sent."""
    base = tmp_path_factory.mktemp("secrets")
    (base / "custom_nodes").mkdir()
    (base / "custom_nodes" / "telltale.py").write_text(PACK)
    server = LiveServer(base, key=KEY, log_level="debug")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INGLENOOK_API_KEY", KEY)
        server.start()
    try:
        server.until(lambda: "Telltale" in server.get("/object_info/Telltale").json())
        yield server, use(server)
    finally:
        server.stop()


def use(server):
    """Run jobs with secrets in every way; what comes back on all sides."""
    sent = []
    extra = {"api_key": KEY, "api_key_comfy_org": COMFY_KEY, "auth_token_comfy_org": TOKEN,
             "extra_pnginfo": {"workflow": {"id": "w", "note": f"{TOKEN} and {KEY}"}, "api_key": KEY, "list": [KEY],
                               "deep": [{"api_key_comfy_org": "x", KEY: {"auth_token_comfy_org": 7}}]}}  # fmt: skip
    graphs = {
        "png": picture_graph(1, sink="SaveImage", filename_prefix="png"),
        "told": {"1": {"class_type": "Telltale", "inputs": {"fails": False}}},
        "failed": {"1": {"class_type": "Telltale", "inputs": {"fails": True}}},
        "refused": {"1": {"class_type": "Telltale", "inputs": {"fails": [5]}}, "2": {"inputs": {}}},
    }
    with server.socket("watching") as socket:
        for name, graph in graphs.items():
            reply = server.post("/prompt", {"prompt": graph, "client_id": "watching", "extra_data": extra})
            sent.append(reply.text)
            assert (reply.status_code == 200) is (name != "refused"), reply.text
            if name != "refused":
                sent += [str(message) for message in read_until(socket, is_left(reply.json()["prompt_id"]))]
    for name in ("BLOCK", "WAIT"):
        server.post("/prompt", {"prompt": picture_graph(7, filename_prefix=name), "extra_data": extra})
    paths = ["/queue", "/history", "/system_stats", "/api/jobs", "/internal/logs", "/internal/logs/raw", "/settings",
             "/features", "/openapi.json", "/keys", "/health", f"/telltale?a=1&token={'x' * 20}"]  # fmt: skip
    sent += [server.get(path).text for path in paths]
    answer = server.get("/telltale", headers={"Authorization": f"Bearer {KEY}", "x-own": "kept"})
    assert answer.json()["headers"]["x-own"] == "kept"
    sent.append(answer.text)
    server.until_idle()
    return sent


def test_no_answer_and_no_message_has_a_key(told):
    _, sent = told
    for text in sent:
        assert [secret for secret in SECRETS if secret in text] == []
    assert any("told" in text for text in sent)


def test_the_node_had_its_keys_although_no_log_shows_them(told):
    server, _ = told
    log = (server.base / "server.log").read_text()
    assert "has a key: True token: True" in log
    assert "key=[secret] token=[secret]" in log
    assert "cannot use [secret] with [secret]" in json.dumps(server.get("/history").json())


def test_the_device_process_gets_no_key_of_the_server(told):
    """Its node prints environment, arguments and the prompts that its handler sees."""
    server, _ = told
    log = (server.base / "server.log").read_text()
    assert "environment:" in log
    assert "prompt: {" in log
    assert KEY not in log
    assert "INGLENOOK_API_KEY" not in log


def test_no_file_of_the_server_has_a_key(told):
    server, _ = told
    files = [path for path in server.base.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"jobs.sqlite", "jobs.sqlite-wal", "server.log"} <= names
    assert any(name.endswith(".png") for name in names)
    for path in files:
        with contextlib.suppress(FileNotFoundError):  # written under another name until it was whole
            data = path.read_bytes()
            assert [secret for secret in SECRETS if secret.encode() in data] == [], path


def test_the_database_has_no_key_behind_its_compression(told):
    """Bodies of jobs are compressed, so the file alone does not show it."""
    import sqlite3

    from inglenook.jobs.codec import unpack

    server, _ = told
    database = sqlite3.connect(f"file:{server.base / 'user/inglenook/jobs.sqlite'}?mode=ro", uri=True)
    rows = [*database.execute("SELECT graph, extra_data FROM job_body"),
            *database.execute("SELECT outputs, meta, messages, error FROM job_result")]  # fmt: skip
    database.close()
    cells = [unpack(cell) for row in rows for cell in row if cell is not None]
    assert any(b"extra_pnginfo" in cell for cell in cells)
    for cell in cells:
        assert [secret for secret in SECRETS if secret.encode() in cell] == []


def test_saved_pictures_carry_the_workflow_and_no_key(told):
    server, _ = told
    (path,) = (server.base / "output").glob("png_*.png")
    text = str(Image.open(io.BytesIO(path.read_bytes())).text)
    assert '"id": "w"' in text
    assert "[secret] and [secret]" in text
    assert [secret for secret in SECRETS if secret in text] == []


def test_settings_show_no_key(tmp_path):
    from inglenook.settings import Settings

    settings = Settings(base_directory=tmp_path, api_key=f"{KEY},another-key-of-it")
    shown = [repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump()),
             settings.for_workers().decode(), repr(orjson.loads(settings.for_workers()))]  # fmt: skip
    for text in shown:
        assert KEY not in text
        assert "another-key" not in text
    assert "api_key" not in settings.for_workers().decode()


@pytest.mark.parametrize("keys", ["short", "with a space in it", "ünïcödë-key-ünïcödë", "good-good-good,bad"])
def test_a_key_that_cannot_be_is_refused_without_being_shown(tmp_path, keys):
    from inglenook.cli.options import make_settings
    from inglenook.errors import SettingsError

    with pytest.raises(SettingsError, match="8 or more") as refused:
        make_settings({"base_directory": tmp_path, "api_key": keys})
    assert all(key not in str(refused.value) for key in keys.split(","))


def test_the_secret_of_logins_is_kept_for_nobody_else(tmp_path):
    from inglenook.api.access.keyring import KeyRing
    from inglenook.api.access.sessions import Sessions

    ring = KeyRing(tmp_path, [KEY])
    made = Sessions(tmp_path, ring).made_for(ring.find(KEY.encode()))
    files = [path for path in Path(tmp_path).iterdir() if path.is_file()]
    assert files
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)
    assert Sessions(tmp_path, ring).find(made) is not None


def test_the_extra_data_lose_secrets_and_nothing_else():
    link = {"inputs": {"api_key": ["4", 0]}}
    extra = {"api_key_comfy_org": COMFY_KEY, "a": {"api_key": "x", "prompt": link}, "b": [f"say {KEY}", COMFY_KEY, 1.5]}
    body, secrets = split_secrets({"prompt": {}, "extra_data": extra}, [KEY])
    assert secrets == {"api_key_comfy_org": COMFY_KEY}
    kept = {"a": {"prompt": link}, "b": ["say [secret]", "[secret]", 1.5]}
    assert body == {"prompt": {}, "extra_data": kept}
    plain = {"extra_data": {"a": [1, None, "text"]}}
    assert split_secrets(plain, [KEY]) == (plain, {})
