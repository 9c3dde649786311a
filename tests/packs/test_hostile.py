"""Packs that say and send odd things: none of them costs the process, the other packs or a client."""

import os
import time
from pathlib import Path

import pytest

from tests.api.live import LiveServer, is_left, new_id, read_until

PATIENCE_S = 1

CLASS = """
class Node:
    CATEGORY = "hostile"
    RETURN_TYPES = ()
    FUNCTION = "run"
    OUTPUT_NODE = True
    asked = 0

    @classmethod
    def INPUT_TYPES(cls):
        cls.asked += 1
        return {"required": {"text": ("STRING", {"default": "a"})}}

    def run(self, text):
        return {"ui": {"text": [text]}}
"""


def of(body, name):
    return f"{CLASS}{body}\nNODE_CLASS_MAPPINGS = {{{name!r}: Node}}\n"


SENDS = """
    def run(self, text):
        import logging
        from comfy.utils import ProgressBar
        from server import PromptServer
        server = PromptServer.instance
        server.send_sync("odd \\ud83d", {"n": 1}, sid=123)
        server.send_sync("to all", {"n": 2})
        ProgressBar(10, node_id=7).update(1)
        return {"ui": {"text": [text]}}
"""

HANGS = """
    @classmethod
    def VALIDATE_INPUTS(cls, text):
        import os, time
        import folder_paths
        path = os.path.join(folder_paths.base_path, "go on")
        while text == "hang" or text.startswith("wait") and not os.path.exists(path):
            time.sleep(0.01)
        return "refused \\ud83d" if text in ("odd", "wait and refuse") else True
"""

GROWS = """
    @classmethod
    def INPUT_TYPES(cls):
        import os
        import folder_paths
        inputs = {"text": ("STRING", {})}
        if os.path.exists(os.path.join(folder_paths.base_path, "spoilt")):
            return {"hidden": {"text": 5}, "required": inputs}
        if os.path.exists(os.path.join(folder_paths.base_path, "grown")):
            inputs["more"] = ("STRING", {})
        return {"required": inputs}

    def run(self, text, more="nothing"):
        return {"ui": {"text": [text + more]}}
"""

PACKS = {
    "good.py": of("", "Good"),
    "texts.py": of('    DESCRIPTION = CATEGORY = "\\ud83d"\n    RETURN_NAMES = ("\\ud83d",)\n', "Texts \ud83d")
    + 'NODE_DISPLAY_NAME_MAPPINGS = {"Texts \\ud83d": "\\ud83d"}\n',
    "leaves.py": of("", "Leaves").replace(
        "cls.asked += 1", "cls.asked += 1\n        if cls.asked > 1:\n            raise SystemExit"
    ),
    "folders.py": of("", "Folders")
    + "import folder_paths\n"
    + 'folder_paths.add_model_folder_path("odd \\ud800", "/tmp/\\ud800")\n'
    + 'folder_paths.add_model_folder_path(5, "/tmp/five")\n'
    + 'folder_paths.folder_names_and_paths["mixed"] = (["/tmp/mixed"], {5, None, ".x"})\n'
    + 'folder_paths.add_model_folder_path("fine", "/tmp/fine")\n',
    "replaces.py": of("", "Replaces")
    + "from comfy_api.latest import ComfyAPISync, io\n"
    + "ComfyAPISync().node_replacement.register(io.NodeReplace(new_node_id=5, old_node_id=None))\n",
    "grows.py": of(GROWS, "Grows"),
    "exits.py": "import sys\nasync def comfy_entrypoint():\n    sys.exit(3)\n",
    "sends.py": of(SENDS, "Sends"),
    "validates.py": of(HANGS, "Validates"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    base = tmp_path_factory.mktemp("hostile")
    folder = base / "custom_nodes"
    folder.mkdir()
    for name, source in PACKS.items():
        (folder / name).write_text(source, errors="backslashreplace")
    Path(os.fsdecode(os.fsencode(folder) + b"/name\xff.py")).write_text(of("", "Named"))
    running = LiveServer(base, patience_s=PATIENCE_S).start()
    running.until(lambda: "Good" in running.get("/object_info").json())
    yield running
    running.stop()


def graph(class_type, text="a"):
    return {"1": {"class_type": class_type, "inputs": {"text": text}}}


def pid(server):
    return server.get("/api/health").json()["workers"][0]["pid"]


def packs(server):
    return {pack["name"]: pack for pack in server.get("/system_stats").json()["system"]["custom_nodes"]}


def test_every_pack_is_imported_as_far_as_it_can_be(server):
    errors = {name: pack["error"] for name, pack in packs(server).items() if pack["error"] is not None}
    assert errors.keys() == {"exits", "replaces"}
    assert errors["exits"] == "SystemExit: 3"
    assert "new_node_id" in errors["replaces"]
    assert {"Good", "Texts \ufffd", "Folders", "Sends", "Named"} <= server.get("/object_info").json().keys()
    assert "died" not in server.log


def test_texts_that_are_no_unicode_are_shown_as_far_as_they_are(server):
    shown = server.get("/object_info/Texts \ufffd").json()["Texts \ufffd"]
    assert (shown["display_name"], shown["category"], shown["description"]) == ("\ufffd", "\ufffd", "\ufffd")
    assert "name\ufffd" in packs(server)


def test_a_model_folder_with_a_usual_name_is_known_whatever_others_there_are(server):
    assert "fine" in server.get("/models").json()


def test_a_message_to_an_odd_client_and_progress_of_an_odd_node_cost_nothing(server):
    before, client_id = pid(server), new_id()
    with server.socket(client_id) as socket:
        prompt_id = server.submit(graph("Sends"), client_id=client_id)
        seen = [message for message in read_until(socket, is_left(prompt_id)) if isinstance(message, dict)]
    assert {"n": 2} in [message["data"] for message in seen if message["type"] == "to all"]
    assert [message["data"]["node"] for message in seen if message["type"] == "progress"] == ["7"]
    assert server.wait(prompt_id)["status"]["status_str"] == "success"
    assert pid(server) == before


def test_an_input_that_a_class_has_since_lately_is_shown_and_reaches_the_node(server):
    def inputs():
        return server.get("/object_info/Grows").json()["Grows"]["input"]["required"].keys()

    def shown(**more):
        return server.run({"1": {"class_type": "Grows", "inputs": {"text": "a", **more}}})["outputs"]["1"]["text"]

    assert shown(more="b") == ["anothing"]
    (server.base / "grown").touch()
    server.until(lambda: inputs() == {"text", "more"})
    assert shown(more="c") == ["ac"]
    (server.base / "spoilt").touch()
    assert inputs() == {"text", "more"}
    assert shown(more="d") == ["ad"]


def test_the_words_of_a_validator_are_told_whatever_they_are(server):
    body = {"prompt": graph("Validates", "odd")}
    reply = server.until(lambda: (told := server.post("/prompt", body)).is_error and told)
    assert reply.status_code == 400
    assert "refused \ufffd" in reply.text


def test_a_slow_validator_is_asked_when_the_run_starts(server):
    good, bad = (server.submit(graph("Validates", text)) for text in ("wait", "wait and refuse"))
    (server.base / "go on").touch()
    assert server.wait(good)["outputs"]["1"]["text"] == ["wait"]
    name, data = server.wait(bad)["status"]["messages"][-1]
    assert (name, data["node_id"]) == ("execution_error", "1")
    assert "refused" in data["exception_message"]


def is_answered_sooner_than_packs(ask):
    """Whether an answer came before the server would have given up waiting for one of the device process."""
    started = time.monotonic()
    assert ask()
    return time.monotonic() - started < PATIENCE_S


def test_a_validator_that_hangs_delays_one_request_and_no_other(server):
    hanging = server.submit(graph("Validates", "hang"))
    for ask in (
        lambda: server.get("/object_info/Good").json(),
        lambda: server.submit(graph("Validates", "fine")),
    ):
        server.until(lambda ask=ask: is_answered_sooner_than_packs(ask))  # one answer is enough, however busy the rest
    for _ in range(2):  # by force
        server.post("/interrupt", {"prompt_id": hanging})
    server.wait(hanging)
