"""Inputs go to the server once, what nodes show comes from it, and no name of the server is left."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from inglenook.engine.events import Failed, Succeeded
from inglenook.media import png
from inglenook.media.folders import Folders
from inglenook.media.metadata import read_metadata
from inglenook.workers.remote import RemoteWorker
from tests.client.peer import PNG, Job
from tests.workers.remote.listening import Listener, request
from tests.workers.remote.peer import GRAPH, RemotePeer


def shows(output: dict[str, Any]) -> Any:
    async def script(job: Job) -> None:
        await job.tell("execution_start")
        await job.tell("executed", node="2", display_node="2", output=output)
        job.finish({"2": output})
        await job.tell("execution_success")

    return script


def loading(image: str, model: str = "a.safetensors") -> dict[str, Any]:
    return {
        "1": {"class_type": "Load", "inputs": {"image": image, "model": model}},
        "2": {"class_type": "Show", "inputs": {"images": ["1", 0]}},
    }


def file(name: str, kind: str = "output", subfolder: str = "", **more: Any) -> dict[str, Any]:
    return {"filename": name, "subfolder": subfolder, "type": kind, **more}


async def run(worker: RemoteWorker, listener: Listener, graph: dict[str, Any] = GRAPH, job_id: str = "a") -> Any:
    worker.execute(request(job_id, graph))
    end = await listener.end(job_id)
    assert isinstance(end, Succeeded), end
    return end.outputs.get("2")


async def test_files_of_every_kind_are_fetched_wherever_they_are_named(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer, front: Folders
) -> None:
    peer.files = {name: name.encode() for name in ("a.png", "b.mp4", "c.flac", "d.glb", "e.latent", "f.webp")}
    peer.script = shows(
        {
            "images": [file("a.png", "temp"), file("b.mp4", subfolder="video")],
            "animated": [True],
            "audio": [file("c.flac")],
            "gifs": [file("b.mp4", subfolder="video", format="video/h264-mp4", fullpath="/srv/comfy/output/b.mp4")],
            "result": ["d.glb", {"zoom": 1}],
            "latents": [[{"deep": {"er": file("e.latent")}}]],
            "text": ["a", ["b"]],
            "3d": [file("f.webp", subfolder="x\\y")],
            "odd": [{"filename": 7}, {"filename": ""}, file("x", "custom"), None],
        }
    )
    output = await run(worker, listener)
    assert output == {
        "images": [file("a.png", "temp"), file("b.mp4", subfolder="video")],
        "animated": [True],
        "audio": [file("c.flac")],
        "gifs": [
            file("b.mp4", subfolder="video", format="video/h264-mp4", fullpath=str(front.output / "video" / "b.mp4"))
        ],
        "result": ["d.glb", {"zoom": 1}],
        "latents": [[{"deep": {"er": file("e.latent")}}]],
        "text": ["a", ["b"]],
        "3d": [file("f.webp", subfolder="x/y")],
        "odd": [{"filename": 7}, {"filename": ""}, file("x", "custom"), None],
    }
    assert (front.temp / "a.png").read_bytes() == b"a.png"
    found = sorted(str(path.relative_to(front.output)) for path in front.output.rglob("*") if path.is_file())
    assert found == ["c.flac", "d.glb", "e.latent", "video/b.mp4", "x/y/f.webp"]


async def test_a_file_that_a_text_beside_another_names_is_fetched_too(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer, front: Folders
) -> None:
    (front.output / "sub").mkdir()
    (front.output / "sub" / "vhs_00001_.png").write_bytes(b"ours")
    peer.files = {"vhs_00001_.mp4": b"video", "vhs_00001_.png": PNG}
    about = {"format": "video/h264-mp4", "frame_rate": 8.0, "workflow": "vhs_00001_.png", "title": "none.png"}
    peer.script = shows({"gifs": [file("vhs_00001_.mp4", subfolder="sub", **about)]})
    (shown,) = (await run(worker, listener))["gifs"]
    assert shown == file("vhs_00003_.mp4", subfolder="sub", **(about | {"workflow": "vhs_00002_.png"}))
    assert (front.output / "sub" / "vhs_00002_.png").read_bytes() == PNG


async def test_the_workflow_in_a_fetched_file_has_the_names_of_this_server(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer, front: Folders
) -> None:
    async def embeds(job: Job) -> None:
        peer.files["a.png"] = png.encode(np.zeros((1, 1, 3), np.uint8), text={"prompt": json.dumps(job.graph)})
        await shows({"images": [file("a.png")]})(job)

    peer.script = embeds
    for job_id, name in (("a", "in9.png"), ("b", "sub/\u732b\u306e\u753b\u50cf" + "x" * 60 + ".png")):
        (front.input / name).parent.mkdir(exist_ok=True)
        (front.input / name).write_bytes(job_id.encode())
        graph = loading(name)
        output = await run(worker, listener, graph, job_id)
        made = front.output / output["images"][0]["filename"]
        assert json.loads(read_metadata(made)["prompt"]) == graph
        assert peer.submissions[-1]["prompt"] != graph


async def test_a_failure_names_files_as_the_job_does(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer, front: Folders
) -> None:
    async def fails(job: Job) -> None:
        name = job.graph["1"]["inputs"]["image"]
        details = {
            "node_id": "1",
            "node_type": "Load",
            "exception_message": f"cannot identify image file '/srv/far/input/{name}'",
            "exception_type": "OSError",
            "traceback": [f'  File "/srv/far/nodes.py", line 1, {name}'],
            "executed": [],
            "current_inputs": {"image": [name]},
        }
        job.finish({}, end="execution_error", **details)
        await job.tell("execution_error", **details)

    (front.input / "in9.png").write_bytes(b"no picture")
    peer.script = fails
    worker.execute(request("a", loading("in9.png")))
    end = await listener.end("a")
    assert isinstance(end, Failed)
    assert end.message == "cannot identify image file 'in9.png'"
    assert end.traceback == ['  File "/srv/far/nodes.py", line 1, in9.png']
    assert end.inputs == {"image": ["in9.png"]}


async def test_names_that_are_taken_here_get_others(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer, front: Folders
) -> None:
    (front.output / "ComfyUI_00007_.png").write_bytes(b"ours")
    (front.output / "plain.png").write_bytes(b"ours")
    peer.files = {"ComfyUI_00001_.png": PNG, "plain.png": PNG}
    peer.script = shows({"images": [file("ComfyUI_00001_.png"), file("plain.png")]})
    output = await run(worker, listener)
    assert [item["filename"] for item in output["images"]] == ["ComfyUI_00008_.png", "plain (1).png"]
    assert (front.output / "plain.png").read_bytes() == b"ours"
    assert (front.output / "ComfyUI_00008_.png").read_bytes() == PNG


async def test_an_input_is_sent_once_under_a_name_of_its_content(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer, front: Folders
) -> None:
    uploads: list[str] = []
    usual = peer._upload

    async def upload(asked: web.Request) -> web.StreamResponse:
        uploads.append("")
        return await usual(asked)

    peer.special["POST", "/upload/image"] = upload
    (front.input / "mine.png").write_bytes(b"content")
    (front.output / "result.png").write_bytes(b"content")
    for job_id, name in (("a", "mine.png"), ("b", "result.png [output]")):
        await run(worker, listener, loading(name), job_id)
    first, second = (sent["prompt"]["1"]["inputs"] for sent in peer.submissions)
    assert first == second
    assert first["image"].startswith("inglenook-")
    assert first["image"].endswith(".png")
    assert first["model"] == "a.safetensors"
    assert peer.files[first["image"]] == b"content"
    assert len(uploads) == 1
    (front.input / "mine.png").write_bytes(b"other content")
    await run(worker, listener, loading("mine.png"), "c")
    assert len(uploads) == 2
    assert peer.submissions[2]["prompt"]["1"]["inputs"]["image"] != first["image"]


async def test_two_jobs_at_once_send_a_file_once(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer, front: Folders
) -> None:
    count = 0
    usual = peer._upload

    async def slow(asked: web.Request) -> web.StreamResponse:
        nonlocal count
        count += 1
        await asyncio.sleep(0.1)
        return await usual(asked)

    peer.special["POST", "/upload/image"] = slow
    (front.input / "mine.png").write_bytes(b"content")
    worker.execute(request("a", loading("mine.png")))
    worker.execute(request("b", loading("mine.png")))
    assert isinstance(await listener.end("a"), Succeeded)
    assert isinstance(await listener.end("b"), Succeeded)
    assert count == 1


async def test_names_that_are_no_file_here_stay_as_they_are(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer, front: Folders
) -> None:
    for number, name in enumerate(("theirs.png", "../../etc/passwd", "/etc/passwd", "a\0b", "")):
        await run(worker, listener, loading(name), str(number))
        assert peer.submissions[-1]["prompt"]["1"]["inputs"]["image"] == name
    assert set(peer.files) == {"a.png"}


async def test_a_file_that_a_list_does_not_have_is_sent_too(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer, front: Folders
) -> None:
    (front.input / "odd.json").write_bytes(b"{}")
    await run(worker, listener, loading("theirs.png", "odd.json"))
    assert peer.submissions[0]["prompt"]["1"]["inputs"]["model"].startswith("inglenook-")


async def test_what_a_node_says_of_its_input_is_in_our_names(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer, front: Folders
) -> None:
    async def echoes(job: Job) -> None:
        name = job.graph["1"]["inputs"]["image"]
        await shows({"images": [file(name, "input")], "text": [f"read {name}"]})(job)

    peer.script = echoes
    (front.input / "sub").mkdir()
    (front.input / "sub" / "mine.png").write_bytes(b"content")
    output = await run(worker, listener, loading("sub/mine.png"))
    assert output == {"images": [file("mine.png", "input", "sub")], "text": ["read sub/mine.png"]}


async def test_a_server_that_lost_its_inputs_is_sent_them_again(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer, front: Folders
) -> None:
    (front.input / "mine.png").write_bytes(b"content")
    await run(worker, listener, loading("mine.png"), "a")
    peer.files = {"a.png": PNG}
    usual = peer._post_prompt

    async def checks(asked: web.Request) -> web.StreamResponse:
        name = (await asked.json())["prompt"]["1"]["inputs"]["image"]
        if name in peer.files:
            return await usual(asked)
        error = {"type": "prompt_outputs_failed_validation", "message": "no", "details": "", "extra_info": {}}
        return web.json_response({"error": error, "node_errors": {}}, status=400)

    peer.special["POST", "/prompt"] = checks
    await run(worker, listener, loading("mine.png"), "b")


async def test_an_unchanged_file_is_not_fetched_twice(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer, front: Folders
) -> None:
    etag = '"1"'

    async def view(asked: web.Request) -> web.StreamResponse:
        if asked.headers.get("If-None-Match") == etag:
            return web.Response(status=304)
        return web.Response(body=etag.encode(), headers={"ETag": etag})

    peer.special["GET", "/view"] = view
    peer.script = shows({"images": [file("a.png")]})
    first = await run(worker, listener, job_id="a")
    assert await run(worker, listener, job_id="b") == first
    etag = '"2"'
    assert (await run(worker, listener, job_id="c"))["images"][0]["filename"] == "a (1).png"
    await asyncio.to_thread((front.output / "a (1).png").unlink)
    assert (await run(worker, listener, job_id="d"))["images"][0]["filename"] == "a (1).png"
    assert (front.output / "a (1).png").read_bytes() == b'"2"'


@pytest.mark.parametrize("name", ["pick.png", "pick.png [output]"])
async def test_a_result_that_is_loaded_again_is_ours_and_found_where_it_was_sent(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer, front: Folders, name: str
) -> None:
    async def echoes(job: Job) -> None:
        sent = job.graph["1"]["inputs"]["image"]
        await shows({"images": [file(sent.removesuffix(" [input]"), "input")], "text": [f"read {sent}"]})(job)

    peer.script = echoes
    (front.output / "pick.png").write_bytes(b"ours")
    graph = loading(name)
    graph["1"]["class_type"] = "LoadResult"
    output = await run(worker, listener, graph)
    sent = peer.submissions[0]["prompt"]["1"]["inputs"]["image"]
    assert sent.endswith(".png [input]")
    assert peer.files[sent.removesuffix(" [input]")] == b"ours"
    assert output == {"images": [file("pick.png")], "text": [f"read {name}"]}
