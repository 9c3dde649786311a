"""Routes and messages of a node pack in a real device process."""

import json
import os
import signal
import threading

import pytest

from tests.api.live import LiveServer, new_id, read_until

PACK = """
import asyncio
import os
import threading
import time

from aiohttp import web
from server import BinaryEventTypes, PromptServer

server = PromptServer.instance


@server.routes.post("/acme/tell")
async def tell(request):
    body = await request.json()
    server.send_sync("acme.told", body["data"], body.get("sid"))
    return web.json_response({"loop": server.loop is asyncio.get_running_loop(), "pid": os.getpid()})


@server.routes.get("/acme/die")
async def die(request):
    os.kill(os.getpid(), 9)


waiting = []

@server.routes.get("/acme/wait")
async def wait(request):
    waiting.append(request)
    await asyncio.sleep(3600)

@server.routes.get("/acme/waiting")
async def count_waiting(request):
    return web.json_response(len(waiting))

free = threading.Event()

@server.routes.post("/acme/free")
async def set_free(request):
    free.set()
    return web.Response()


class AcmeShow:
    RETURN_TYPES = ()
    FUNCTION = "show"
    OUTPUT_NODE = True
    CATEGORY = "acme"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {}), "is_busy": ("BOOLEAN", {})}}

    def show(self, text, is_busy):
        from PIL import Image

        server.send_sync("acme.running", {"client": server.client_id, "node": server.last_node_id}, server.client_id)
        server.send_sync(BinaryEventTypes.UNENCODED_PREVIEW_IMAGE, ("PNG", Image.new("RGB", (9, 3)), None))
        server.send_progress_text(text, "1")
        end = time.monotonic() + 120
        while is_busy and not free.is_set() and time.monotonic() < end:
            pass
        return ()


NODE_CLASS_MAPPINGS = {"AcmeShow": AcmeShow}
WEB_DIRECTORY = "web"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    base = tmp_path_factory.mktemp("packs")
    folder = base / "custom_nodes" / "acme"
    (folder / "web").mkdir(parents=True)
    (folder / "__init__.py").write_text(PACK)
    (folder / "web" / "acme.js").write_text("export {};")
    running = LiveServer(base).start()
    running.until(lambda: "AcmeShow" in running.get("/object_info").json())
    yield running
    running.stop()


def tell(server, **body):
    return server.post("/acme/tell", body)


def test_a_route_runs_beside_the_graphs_and_tells_clients(server):
    client_id = new_id()
    with server.socket(client_id) as mine, server.socket(new_id()) as other:
        assert tell(server, data=[1], sid=client_id).json()["loop"] is True
        assert server.post("/api/acme/tell", {"data": {"to": "all"}}).status_code == 200
        told = [message for message in read_until(mine, is_told_to_all) if message["type"] == "acme.told"]
        assert [message["data"] for message in told] == [[1], {"to": "all"}]
        assert [m for m in read_until(other, is_told_to_all) if m["type"] == "acme.told"] == told[1:]


def is_told_to_all(message):
    return isinstance(message, dict) and message["type"] == "acme.told" and message["data"] == {"to": "all"}


def test_a_node_sends_messages_pictures_and_text_in_their_order(server):
    client_id = new_id()
    graph = {"1": {"class_type": "AcmeShow", "inputs": {"text": "half", "is_busy": False}}}
    with server.socket(client_id) as socket:
        server.submit(graph, client_id=client_id)
        seen = read_until(socket, lambda m: isinstance(m, dict) and m["type"] == "execution_success")
    wanted = [message for message in seen if isinstance(message, bytes) or message["type"] == "acme.running"]
    message, picture, text = wanted
    assert message["data"] == {"client": client_id, "node": "1"}
    assert picture[:8] == bytes([0, 0, 0, 1, 0, 0, 0, 2])
    assert picture[8:12] == b"\x89PNG"
    assert text == bytes([0, 0, 0, 3, 0, 0, 0, 1]) + b"1half"


def test_a_route_answers_while_a_node_keeps_the_processor_busy(server):
    prompt_id = server.submit({"1": {"class_type": "AcmeShow", "inputs": {"text": "busy", "is_busy": True}}})
    server.until_running(prompt_id)
    assert tell(server, data=None).status_code == 200
    assert prompt_id not in server.get(f"/history/{prompt_id}").json()
    assert server.post("/acme/free").status_code == 200
    server.wait(prompt_id)


def test_its_scripts_and_what_became_of_it_are_shown(server):
    scripts = server.get("/extensions").json()
    assert [path for path in scripts if not path.startswith("/extensions/core/")] == ["/extensions/acme/acme.js"]
    assert server.get("/extensions/acme/acme.js").text == "export {};"
    (pack,) = server.get("/system_stats").json()["system"]["custom_nodes"]
    assert (pack["name"], pack["classes"], pack["error"], pack["warnings"]) == ("acme", 1, None, [])


def test_a_route_that_ends_the_process_is_a_502_and_comes_back(server):
    first = tell(server, data=None).json()["pid"]
    (socket,) = server.base.glob("inglenook-routes-*/http")
    died = server.get("/acme/die")
    assert (died.status_code, died.json()["error"]["type"]) == (502, "route_failed")
    assert server.get("/queue").status_code == 200
    server.until(lambda: tell(server, data=None).status_code == 200, 60)
    assert tell(server, data=None).json()["pid"] != first
    (other,) = server.base.glob("inglenook-routes-*/http")  # that of the dead process is gone
    assert other != socket


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"sid": 1}', b"\xff" * 100_000])
def test_bad_bodies_are_errors_of_the_route_alone(server, body):
    assert server.post("/acme/tell", body).status_code == 500
    assert tell(server, data=json.loads("1")).status_code == 200


def test_a_killed_process_ends_requests_that_wait_for_it(server):
    pid = tell(server, data=None).json()["pid"]
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(server.get("/acme/wait")))
    waiting.start()
    server.until(lambda: server.get("/acme/waiting").json() == 1)
    os.kill(pid, signal.SIGKILL)
    waiting.join(60)
    assert [answer.status_code for answer in answers] == [502]
    server.until(lambda: tell(server, data=None).status_code == 200, 60)
