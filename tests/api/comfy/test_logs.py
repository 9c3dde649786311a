"""`/internal/logs` and the `logs` messages of sockets, from a real server."""

import json
import logging

import pytest

from tests.api.idle import idle_server
from tests.api.live import LiveServer, new_id, read_for, read_until

logger = logging.getLogger("tests.logs")

PACK = """
class Printer:
    CATEGORY = "tests"
    RETURN_TYPES = ()
    FUNCTION = "run"
    OUTPUT_NODE = True
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {}), "lines": ("INT", {"max": 10**7})},
                "hidden": {"key": "API_KEY_COMFY_ORG"}}
    def run(self, text, lines, key=None):
        print(text, key)
        for line in range(lines):
            print("storm", line)
        return {}
NODE_CLASS_MAPPINGS = {"TestPrinter": Printer}
"""


@pytest.fixture(scope="module")
def printing(tmp_path_factory):
    base = tmp_path_factory.mktemp("printing")
    pack = base / "custom_nodes" / "printer"
    pack.mkdir(parents=True)
    (pack / "__init__.py").write_text(PACK)
    server = LiveServer(base).start()
    yield server
    server.stop()


def printer(text, lines=0):
    return {"1": {"class_type": "TestPrinter", "inputs": {"text": text, "lines": lines}}}


def subscribe(server, sid, enabled=True):
    body = json.dumps({"clientId": sid, "enabled": enabled})
    reply = server._http.request("PATCH", "/internal/logs/subscribe", content=body)
    assert reply.status_code == 200
    assert reply.content == b""


def is_log_with(text):
    return lambda message: message["type"] == "logs" and any(text in e["m"] for e in message["data"]["entries"])


def test_what_a_node_prints_is_sent_to_those_who_asked_for_it(printing):
    sid, other = new_id(), new_id()
    subscribe(printing, sid)  # before it is connected
    with printing.socket(sid) as websocket, printing.socket(other) as quiet:
        printing.run(printer(f"hello {sid}"))
        data = read_until(websocket, is_log_with(f"hello {sid}"))[-1]["data"]
        assert set(data) == {"entries", "size"}
        assert set(data["size"]) == {"cols", "rows"}
        entry = next(entry for entry in data["entries"] if sid in entry["m"])
        assert entry["m"] == f"hello {sid} None\n"
        assert "T" in entry["t"]
        assert "logs" not in [message["type"] for message in read_for(quiet)]
        subscribe(printing, sid, enabled=False)
        printing.run(printer(f"again {sid}"))
        printing.until(lambda: f" - again {sid} None\n" in printing.get("/internal/logs").json())
        told = [message for message in read_for(websocket) if message["type"] == "logs"]
        assert not any(is_log_with("again")(message) for message in told)
    assert f" - hello {sid} None\n" in printing.get("/internal/logs").json()
    printing.until(lambda: both_forms_of_the_log_agree(printing))


def both_forms_of_the_log_agree(server):
    """False when something was logged between the two questions."""
    raw = server.get("/internal/logs/raw").json()
    return "".join(f"{entry['t']} - {entry['m']}" for entry in raw["entries"]) == server.get("/internal/logs").json()


def test_a_key_that_a_node_prints_is_not_shown(printing):
    printing.run(printer("my key is"), extra_data={"api_key_comfy_org": "comfyui-secret-value"})
    printing.until(lambda: "my key is [secret]" in printing.get("/internal/logs").json())
    assert "comfyui-secret-value" not in printing.get("/internal/logs").text
    assert "comfyui-secret-value" not in printing._log.read_text()


def test_a_node_that_prints_without_end_is_cut_short_with_a_note(printing):
    sid = new_id()
    subscribe(printing, sid)
    with printing.socket(sid) as websocket:
        printing.submit(printer("begin", lines=100_000), client_id=sid)
        seen = read_until(websocket, is_log_with("lines were left out"))
        lines = sum(len(message["data"]["entries"]) for message in seen if message["type"] == "logs")
        assert lines < 10_000
    assert len(printing.get("/internal/logs/raw").json()["entries"]) == 300


# Without a device process


@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", "7", "{}", "{", '{"clientId": 5, "enabled": true}',
     '{"clientId": "a"}', '{"clientId": "", "enabled": true}',
     '{"clientId": "a", "enabled": "yes"}', '{"clientId": "a", "enabled": 1}',
     '{"clientId": null, "enabled": false}'],
)  # fmt: skip
async def test_a_subscription_of_the_wrong_kind_is_refused(tmp_path, body):
    async with idle_server(tmp_path) as server:
        reply = await server.http.request("PATCH", "/internal/logs/subscribe", content=body)
        assert reply.status_code == 400
        assert reply.json()["error"]["message"]


async def test_any_id_may_be_subscribed_and_few_are_remembered(tmp_path):
    async with idle_server(tmp_path) as server:
        for number in range(1500):
            body = json.dumps({"clientId": f"{number}\0", "enabled": True})
            assert (await server.http.request("PATCH", "/internal/logs/subscribe", content=body)).status_code == 200
        assert len(server.services.sockets._log_readers) == 1000


async def test_the_logs_are_served_bare_only(tmp_path):
    async with idle_server(tmp_path) as server:
        for path in ("/internal/logs", "/internal/logs/raw"):
            assert (await server.http.get(path)).status_code == 200
            assert (await server.http.get(f"/api{path}")).status_code == 404
