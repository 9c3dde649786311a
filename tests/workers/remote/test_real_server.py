"""A remote worker with the server it was made for, as a process of its own."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from PIL import Image

from inglenook.engine.events import Failed, Interrupted, NodeDone, NodeStarted, Progress, Started, Succeeded
from inglenook.media.attempts import discard_files
from inglenook.media.folders import Folders
from inglenook.workers.remote import RemoteLimits, RemoteWorker
from inglenook.workers.worker import Cause, Death, WorkerState
from tests.api.live import LiveServer, blocking_graph, picture_graph
from tests.workers.remote.listening import Listener, is_ready, request


@pytest.fixture
def server(live: LiveServer) -> LiveServer:
    return live


@pytest.fixture
async def worker(
    server: LiveServer, make_worker: Callable[..., RemoteWorker], listener: Listener
) -> AsyncIterator[RemoteWorker]:
    made = make_worker(server.url, slots=3)
    await made.start(listener)
    await is_ready(listener, made)
    return made


async def test_a_job_runs_there_and_its_picture_is_here(
    worker: RemoteWorker, listener: Listener, front: Folders, server: LiveServer
) -> None:
    worker.execute(request("a", picture_graph(0xFE0001, sink="SaveImage", filename_prefix="red/pic")))
    assert worker.running == 1
    end = await listener.end("a")
    assert isinstance(end, Succeeded)
    assert worker.running == 0
    (item,) = end.outputs["2"]["images"]
    assert item == {"filename": "pic_00001_.png", "subfolder": "red", "type": "output"}
    with Image.open(front.output / "red" / "pic_00001_.png") as picture:
        assert picture.getpixel((0, 0)) == (254, 0, 1)
    assert isinstance(listener.events["a"][0], Started)
    assert [event.node.node_id for event in listener.events["a"] if isinstance(event, NodeStarted)] == ["1", "2"]
    assert [event.node.node_id for event in listener.events["a"] if isinstance(event, NodeDone)] == ["1", "2"]


async def test_a_cached_job_shows_the_same_file_again(worker: RemoteWorker, listener: Listener, front: Folders) -> None:
    graph = picture_graph(0x123456, sink="SaveImage", filename_prefix="again")
    outputs = []
    for job_id in ("a", "b"):
        worker.execute(request(job_id, graph))
        outputs.append((await listener.end(job_id)).outputs)
    assert outputs[0] == outputs[1]
    assert [file.name for file in front.output.iterdir()] == ["again_00001_.png"]


async def test_previews_are_fetched_into_the_temp_folder(
    worker: RemoteWorker, listener: Listener, front: Folders
) -> None:
    worker.execute(request("a", picture_graph(7)))
    end = await listener.end("a")
    (item,) = end.outputs["2"]["images"]
    assert item["type"] == "temp"
    assert (front.temp / item["filename"]).is_file()


async def test_input_files_go_up_under_names_of_their_content_and_come_back_as_ours(
    worker: RemoteWorker, listener: Listener, front: Folders, server: LiveServer
) -> None:
    (front.input / "sub").mkdir()
    Image.new("RGB", (8, 8), (1, 2, 3)).save(front.input / "sub" / "my.png")
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "sub/my.png"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "copy"}},
    }
    worker.execute(request("a", graph))
    end = await listener.end("a")
    assert isinstance(end, Succeeded), end
    with Image.open(front.output / "copy_00001_.png") as picture:
        assert picture.getpixel((0, 0)) == (1, 2, 3)
    there = [file.name for file in (server.base / "input").iterdir() if file.name.startswith("inglenook-")]
    assert len(there) == 1
    worker.execute(request("b", graph))
    assert isinstance(await listener.end("b"), Succeeded)
    assert [file.name for file in (server.base / "input").iterdir() if file.name.startswith("inglenook-")] == there


async def test_a_failing_node_is_told_with_its_place_and_traceback(worker: RemoteWorker, listener: Listener) -> None:
    graph = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "../out"}},
    }
    worker.execute(request("a", graph))
    end = await listener.end("a")
    assert isinstance(end, Failed)
    assert (end.node_id, end.class_type) == ("2", "SaveImage")
    assert end.traceback
    assert end.inputs["filename_prefix"] == ["../out"]


async def test_what_the_server_refuses_is_told_with_the_reason(worker: RemoteWorker, listener: Listener) -> None:
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "nowhere.png"}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
    worker.execute(request("a", graph))
    end = await listener.end("a")
    assert isinstance(end, Death)
    assert end.cause is Cause.REFUSED
    assert end.node is not None
    assert end.node.node_id == "1"
    assert "nowhere.png" in end.reason


async def test_cancelling_stops_the_running_job_and_no_other(worker: RemoteWorker, listener: Listener) -> None:
    worker.execute(request("a", blocking_graph(1), ["out"]))
    await listener.until(lambda: any(isinstance(event, NodeStarted) for event in listener.events.get("a", [])))
    worker.execute(request("b", picture_graph(77)))
    worker.execute(request("c", picture_graph(78)))
    assert worker.state is WorkerState.BUSY
    worker.interrupt("c")
    assert isinstance(await listener.end("c"), Interrupted)
    assert not listener.ended("a")
    worker.interrupt("a")
    assert isinstance(await listener.end("a"), Interrupted)
    assert isinstance(await listener.end("b"), Succeeded)
    await is_ready(listener, worker)


async def test_a_job_over_its_time_limit_is_stopped_there(
    worker: RemoteWorker, listener: Listener, server: LiveServer
) -> None:
    worker.execute(request("a", blocking_graph(2), ["out"], timeout_s=0.2))
    end = await listener.end("a")
    assert isinstance(end, Failed)
    assert end.exception_type == "inglenook.TimeLimitExceeded"
    assert await asyncio.to_thread(
        server.until, lambda: server.get("/prompt").json()["exec_info"]["queue_remaining"] == 0
    )


async def test_its_catalog_says_what_it_has(worker: RemoteWorker) -> None:
    assert worker.documents is not None
    assert worker.documents["LoadImage"]["input"]["required"]["image"][0] == {"input": "image"}
    assert "inglenook-demo.safetensors" in worker.model_files["checkpoints"]
    assert worker.devices[0].type == "cpu"


async def test_pictures_of_work_in_progress_come_with_the_progress(worker: RemoteWorker, listener: Listener) -> None:
    graph = {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "inglenook-demo.safetensors"}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "a red circle"}},
        "3": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "4": {
            "class_type": "KSampler",
            "inputs": {
                "model": ["1", 0],
                "positive": ["2", 0],
                "negative": ["2", 0],
                "latent_image": ["3", 0],
                "seed": 1,
                "steps": 3,
                "cfg": 1.0,
                "sampler_name": "euler",
                "scheduler": "normal",
                "denoise": 1.0,
            },
        },
        "5": {"class_type": "VAEDecode", "inputs": {"samples": ["4", 0], "vae": ["1", 2]}},
        "6": {"class_type": "PreviewImage", "inputs": {"images": ["5", 0]}},
    }
    worker.execute(request("a", graph, ["6"]))
    assert isinstance(await listener.end("a", 60), Succeeded)
    steps = [event for event in listener.events["a"] if isinstance(event, Progress) and event.node.node_id == "4"]
    assert [(step.value, step.total) for step in steps] == [(1, 3), (2, 3), (3, 3)]
    assert all(step.preview is not None and step.preview.data.startswith(b"\xff\xd8") for step in steps)


async def test_a_new_attempt_can_remove_what_a_lost_one_left(
    worker: RemoteWorker, listener: Listener, front: Folders, tmp_path: Path
) -> None:
    worker.execute(request("a", picture_graph(0xABCDEF, sink="SaveImage", filename_prefix="left")))
    await listener.end("a")
    assert discard_files(tmp_path / "data", ["a"]) == [front.output / "left_00001_.png"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_server_that_is_gone_loses_the_attempt_and_is_taken_up_again(
    how: signal.Signals,
    make_worker: Callable[..., RemoteWorker],
    listener: Listener,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    lost_after_s = 60 if how is signal.SIGKILL else 5  # what refuses connections is given up before
    limits = RemoteLimits(check_interval_s=0.5, lost_after_s=lost_after_s, refused_after_s=1)
    server = LiveServer(tmp_path_factory.mktemp("victim"))
    await asyncio.to_thread(server.start)
    try:
        worker = make_worker(server.url, limits=limits)
        await worker.start(listener)
        await is_ready(listener, worker)
        worker.execute(request("a", blocking_graph(3), ["out"]))
        await listener.until(lambda: any(isinstance(event, NodeStarted) for event in listener.events.get("a", [])), 60)
        process = server.process
        assert process is not None
        process.send_signal(how)
        death = await listener.end("a")
        assert isinstance(death, Death)
        assert death.cause is Cause.LOST
        assert worker.state is WorkerState.STARTING
        if how is signal.SIGKILL:
            await asyncio.to_thread(process.wait)
            await asyncio.to_thread(server.start)
        else:
            process.send_signal(signal.SIGCONT)
        await is_ready(listener, worker, 60)
        worker.execute(request("b", picture_graph(5)))
        assert isinstance(await listener.end("b", 60), Succeeded)
    finally:
        await asyncio.to_thread(server.stop, signal.SIGKILL)
