"""What node packs do with `server.PromptServer.instance`."""

import io
import struct
import subprocess
import sys

import numpy
import pytest
from aiohttp import web
from PIL import Image

from inglenook.engine import context, events
from inglenook.errors import NodeError
from inglenook.packs import host as host_module
from inglenook.packs import surface_finder
from inglenook.packs.host import Host, set_host
from inglenook.packs.prompt_server import BinaryEventTypes, PromptServer

NODE = events.NodeRef("7.0.0.1", "7", "7", "7")


@pytest.fixture
def sent(monkeypatch):
    """What left through the host; the host is put back afterwards."""
    messages = []
    monkeypatch.setattr(host_module, "_host", host_module.host())
    set_host(Host(send=lambda *message: messages.append(message)))
    return messages


@pytest.fixture
def emitted():
    """Events of a node that is being executed."""
    told = []
    with context.running(context.NodeContext("job", NODE, told.append, lambda: False)):
        yield told


@pytest.fixture
def server(sent):
    return PromptServer()


def test_packs_import_it_as_server(tmp_path):
    surface_finder.install(tmp_path)
    try:
        from server import PromptServer as found

        assert found.instance is PromptServer.instance
        assert isinstance(found.instance.routes, web.RouteTableDef)
        assert isinstance(found.instance.app, web.Application)
        with pytest.raises(ImportError, match="Nonsense"):
            from server import Nonsense  # noqa: F401
    finally:
        surface_finder.uninstall()


def test_the_instance_is_made_when_it_is_first_used():
    program = (
        "from inglenook.packs.prompt_server import PromptServer\n"
        "assert not isinstance(vars(PromptServer)['instance'], PromptServer)\n"
        "assert PromptServer.instance is PromptServer.instance is vars(PromptServer)['instance']\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_message_leaves_with_its_data_made_fit_for_json(server, sent):
    server.send_sync("acme.done", {"size": numpy.float32(2), "pair": (1, {3}), "bad": float("nan"), 5: None}, "client")
    server.send_sync("acme.all", None)
    assert sent == [
        ("acme.done", {"size": 2.0, "pair": [1, [3]], "bad": None, "5": None}, "client"),
        ("acme.all", None, None),
    ]


async def test_the_async_ways_of_sending_send_too(server, sent):
    await server.send("a", 1)
    await server.send_json("b", 2, "client")
    assert sent == [("a", 1, None), ("b", 2, "client")]


def test_bytes_in_a_message_are_an_error_of_the_sender(server, sent):
    with pytest.raises(NodeError, match="3 bytes"):
        server.send_sync("acme.done", {"file": b"abc"})
    assert sent == []


def test_a_picture_becomes_one_of_the_node_that_runs(server, emitted):
    picture = Image.new("RGBA", (80, 40), (200, 10, 10, 0))
    server.send_sync(BinaryEventTypes.UNENCODED_PREVIEW_IMAGE, ("JPEG", picture, 20))
    server.send_sync(BinaryEventTypes.PREVIEW_IMAGE_WITH_METADATA, (("PNG", picture, None), {"node_id": "7"}))
    shrunk, whole = emitted
    assert [shrunk.node, whole.node] == [NODE, NODE]
    assert [shrunk.picture.media_type, whole.picture.media_type] == ["image/jpeg", "image/png"]
    assert Image.open(io.BytesIO(shrunk.picture.data)).size == (20, 10)
    assert Image.open(io.BytesIO(whole.picture.data)).mode == "RGBA"


@pytest.mark.parametrize(("number", "media_type"), [(1, "image/jpeg"), (2, "image/png")])
def test_an_encoded_picture_keeps_its_bytes(server, emitted, number, media_type):
    server.send_sync(1, struct.pack(">I", number) + b"the file")
    assert emitted == [events.ImageSent(NODE, events.Picture(b"the file", media_type))]


async def test_send_image_is_a_picture_too(server, emitted):
    await server.send_image(("png", Image.new("L", (1, 1)), None))
    await server.send_bytes(1, struct.pack(">I", 2) + b"x")
    assert [event.picture.media_type for event in emitted] == ["image/png", "image/png"]


def test_text_is_shown_at_the_node_that_it_names(server, emitted):
    server.send_progress_text("half", "7.0.0.1")
    server.send_progress_text("öl".encode(), "9")
    server.send_sync(BinaryEventTypes.TEXT, struct.pack(">I", 1) + b"9done")
    server.send_progress_text("mine", "9", "a")
    server.send_sync(BinaryEventTypes.TEXT, struct.pack(">I", 1) + b"9ours", sid="b")
    other = events.NodeRef("9", "9", None, "9")
    assert emitted == [
        events.Text(NODE, "half"),
        events.Text(other, "öl"),
        events.Text(other, "done"),
        events.Text(other, "mine", "a"),
        events.Text(other, "ours", "b"),
    ]


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (1, b"abc"),
        (1, "text"),
        (2, None),
        (2, ("JPEG",)),
        (2, ("JPEG", b"no image", None)),
        (2, ("GIF", Image.new("L", (1, 1)), None)),
        (3, b""),
        (3, struct.pack(">I", 2**32 - 1) + b"x"),
        (4, ()),
    ],
)
def test_a_binary_message_that_is_none_is_an_error_of_the_sender(server, emitted, event, data):
    with pytest.raises(NodeError):
        server.send_sync(event, data)
    assert emitted == []


def test_an_unknown_number_is_named(server, emitted):
    with pytest.raises(ValueError, match="binary event 99"):
        server.send_sync(99, b"")


def test_outside_a_run_pictures_and_texts_go_nowhere(server, sent):
    server.send_sync(BinaryEventTypes.UNENCODED_PREVIEW_IMAGE, ("JPEG", Image.new("L", (1, 1)), None))
    server.send_progress_text("text", "1")
    assert sent == []


def test_it_tells_whose_job_runs_and_at_which_node(server, emitted):
    host_module.host().job_id, host_module.host().client_id = "job", "me"
    assert (server.client_id, server.last_prompt_id, server.last_node_id) == ("me", "job", "7")
    server.client_id = "other"
    assert host_module.host().client_id == "other"


def test_without_a_run_it_tells_what_was_assigned(server):
    assert (server.client_id, server.last_prompt_id, server.last_node_id) == (None, None, None)
    server.last_node_id, server.last_prompt_id = "3", "p"
    assert (server.last_node_id, server.last_prompt_id) == ("3", "p")


def test_prompt_handlers_change_the_body_one_after_another(server):
    server.add_on_prompt_handler(lambda body: {**body, "first": True})
    server.add_on_prompt_handler(lambda body: {**body, "second": body["first"]})
    assert server.trigger_on_prompt({"prompt": {}}) == {"prompt": {}, "first": True, "second": True}


def test_a_prompt_handler_that_fails_changes_nothing(server, caplog):
    def failing(body):
        body["prompt"]["1"] = "half a change"
        raise KeyError("acme")

    async def asynchronous(body):
        return body

    server.add_on_prompt_handler(failing)
    server.add_on_prompt_handler(lambda body: None)
    server.add_on_prompt_handler(asynchronous)
    server.add_on_prompt_handler(lambda body: {**body, "last": 1})
    assert server.trigger_on_prompt({"prompt": {}}) == {"prompt": {}, "last": 1}
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 3
    assert "failing" in caplog.text


def test_the_queue_is_the_job_that_runs(server):
    queue = server.prompt_queue
    assert (queue.get_tasks_remaining(), queue.get_current_queue(), queue.currently_running) == (0, ([], []), {})
    host_module.host().job_id, host_module.host().client_id = "job", "me"
    running, waiting = queue.get_current_queue()
    assert [item[1] for item in running] == ["job"]
    assert running[0][3] == {"client_id": "me"}
    assert waiting == []
    assert server.get_queue_info() == {"exec_info": {"queue_remaining": 1}}


def test_the_queues_flags_give_memory_back(server):
    asked = []
    host_module.host().free = lambda **what: asked.append(what)
    server.prompt_queue.set_flag("unload_models", True)
    server.prompt_queue.set_flag("free_memory", True)
    server.prompt_queue.set_flag("free_memory", False)
    assert asked == [
        {"unload_models": True, "free_memory": False},
        {"unload_models": True, "free_memory": True},
    ]
    with pytest.raises(ValueError, match="dance"):
        server.prompt_queue.set_flag("dance", True)


@pytest.mark.parametrize("name", ["user_manager", "sockets", "web_root", "client_session", "nonsense"])
def test_what_is_not_there_is_named(server, name):
    with pytest.raises(AttributeError, match=rf"PromptServer.*{name}.*docs/custom-nodes\.md"):
        getattr(server, name)
    with pytest.raises(AttributeError, match=rf"prompt_queue.*{name}.*docs/custom-nodes\.md"):
        getattr(server.prompt_queue, name)
