"""Events become ComfyUI's messages, in its order and shapes."""

import struct

import orjson

from inglenook.api.comfy.messages import RunMessages, final_messages
from inglenook.engine import events
from inglenook.engine.events import NodeRef, Picture
from inglenook.jobs import Job, JobResult, State

NODE = NodeRef("5.0.0.1", "5", "5", "5")


def decoded(renderer, *of):
    return [
        orjson.loads(item.payload) if isinstance(item.payload, str) else item
        for event in of
        for item in renderer.render(event)
    ]


def test_a_node_is_announced_shown_and_finished():
    renderer = RunMessages("p")
    seen = decoded(renderer, events.NodeStarted(NODE), events.NodeDone(NODE, {"text": ["a"]}))
    assert [message["type"] for message in seen] == ["progress_state", "executing", "executed", "progress_state"]
    state = {
        "node_id": "5.0.0.1",
        "prompt_id": "p",
        "display_node_id": "5",
        "parent_node_id": "5",
        "real_node_id": "5",
    }
    assert seen[0]["data"] == {
        "prompt_id": "p",
        "nodes": {"5.0.0.1": {"value": 0.0, "max": 1.0, "state": "running", **state}},
    }
    assert seen[1]["data"] == {"node": "5.0.0.1", "display_node": "5", "prompt_id": "p"}
    assert seen[2]["data"] == {
        "node": "5.0.0.1",
        "display_node": "5",
        "output": {"text": ["a"]},
        "prompt_id": "p",
    }
    assert seen[3]["data"]["nodes"]["5.0.0.1"]["state"] == "finished"
    assert seen[3]["data"]["nodes"]["5.0.0.1"]["value"] == 1.0


def test_a_node_without_ui_is_not_executed_and_a_cached_root_is():
    renderer = RunMessages("p")
    assert [message["type"] for message in decoded(renderer, events.NodeDone(NODE, None))] == ["progress_state"]
    cached = decoded(renderer, events.NodeDone(NODE, None, cached=True, show=True))
    assert [message["type"] for message in cached] == ["executed", "progress_state"]
    assert cached[0]["data"]["output"] is None
    inner = decoded(renderer, events.NodeDone(NODE, {"text": []}, cached=True, show=False))
    assert [message["type"] for message in inner] == ["progress_state"]


def test_previews_with_metadata_come_before_progress_and_plain_ones_after():
    items = list(RunMessages("p").render(events.Progress(NODE, 3, 20, Picture(b"\xff\xd8picture", "image/jpeg"))))
    state, described, progress, plain = items
    assert orjson.loads(state.payload)["type"] == "progress_state"
    assert orjson.loads(progress.payload) == {
        "type": "progress",
        "data": {"value": 3, "max": 20, "prompt_id": "p", "node": "5.0.0.1"},
    }
    assert plain.payload == struct.pack(">II", 1, 1) + b"\xff\xd8picture"
    kind, length = struct.unpack_from(">II", described.payload)
    about = orjson.loads(described.payload[8 : 8 + length])
    assert kind == 4
    assert about["image_type"] == "image/jpeg"
    assert about["display_node_id"] == "5"
    assert described.payload[8 + length :] == b"\xff\xd8picture"
    assert all(item.droppable for item in items)


def test_a_sent_image_is_a_png_that_is_never_dropped():
    plain, described = RunMessages("p").render(events.ImageSent(NODE, Picture(b"png", "image/png")))
    assert plain.payload == struct.pack(">II", 1, 2) + b"png"
    assert not plain.droppable
    assert not described.droppable


def test_a_failure_has_every_field_of_execution_error():
    failed = events.Failed("5", "K", "no\n", "ValueError", ["line"], {"x": [1]}, ["1"], ["1", "2"], {"1": {}}, {}, 1234)
    (message,) = decoded(RunMessages("p"), failed)
    assert message == {
        "type": "execution_error",
        "data": {
            "prompt_id": "p",
            "node_id": "5",
            "node_type": "K",
            "executed": ["1"],
            "exception_message": "no\n",
            "exception_type": "ValueError",
            "traceback": ["line"],
            "current_inputs": {"x": [1]},
            "current_outputs": ["1", "2"],
            "timestamp": 1234,
        },
    }


def test_bytes_of_progress_state_are_linear_in_the_nodes_and_every_node_is_told_finished():
    def total(count):
        now = [0.0]
        renderer = RunMessages("p", clock=lambda: now[0])
        size, finished = 0, set()
        for index in range(count):
            ref = NodeRef(str(index), str(index), None, str(index))
            now[0] += 0.001
            for event in (events.NodeStarted(ref), events.NodeDone(ref, None)):
                for item in renderer.render(event):
                    size += len(item.frame)
                    message = orjson.loads(item.payload)
                    if message["type"] == "progress_state":
                        nodes = message["data"]["nodes"].values()
                        finished |= {node["node_id"] for node in nodes if node["state"] == "finished"}
        for item in renderer.render(events.Succeeded({}, {}, 1)):
            message = orjson.loads(item.payload)
            if message["type"] == "progress_state":
                finished |= set(message["data"]["nodes"])
        assert len(finished) == count
        return size

    assert total(4000) < 2.5 * total(2000)


def test_final_messages_of_a_finished_job_end_with_executing_null():
    job = Job("p", 0, b"{}", ("9",), "f", 1)
    result = JobResult(
        State.succeeded,
        5,
        outputs={"9": {"images": [{"filename": "a.webm"}], "animated": [True]}},
        meta={"9": {"display_node": "9"}},
        messages=[["Started", {"time_ms": 1}], ["Succeeded", {"time_ms": 5}]],
    )
    executed, success, left = (orjson.loads(item.payload) for item in final_messages(job, result))
    assert executed["data"]["output"]["videos"] == [{"filename": "a.webm"}]
    assert success == {"type": "execution_success", "data": {"prompt_id": "p", "timestamp": 5}}
    assert left == {"type": "executing", "data": {"node": None, "prompt_id": "p"}}
