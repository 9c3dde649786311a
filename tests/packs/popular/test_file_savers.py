"""Savers that write files by themselves, loaders of latents, progress with pictures."""

import io
import json
import time

import pytest
from PIL import Image

from tests.packs.popular.harness import constant, shown, solid
from tests.packs.rules.harness import new_key, node, of_type

WORKFLOW = {"nodes": [{"id": 1}], "version": 0.4}
INFO = {"extra_pnginfo": {"workflow": WORKFLOW}}


def saved_text(text, **inputs):
    given = {"filename_prefix": "text/%date%-note", "extension": ".txt", "mode": "new file"} | inputs
    return {"1": constant(text), "2": node("SaveTextFile.fs", text=["1", 0], **given), "path": shown("2", 1)}


def test_texts_are_written_to_numbered_files_and_served(server):
    for number in (1, 2):
        outputs = server.outputs(saved_text(f"text {number}"))
        (file,) = outputs["2"]["files"]
        assert file["filename"] == time.strftime(f"%Y-%m-%d-note_{number:05}_.txt")
        assert file["subfolder"] == "text"
        assert server.file(file) == f"text {number}".encode()
        assert outputs["path"]["text"] == [str(server.base / "output" / "text" / file["filename"])]


def test_texts_are_added_to_a_file(server):
    for text in ("one", "two"):
        server.outputs(saved_text(text, filename_prefix="log", mode="append"))
    assert (server.base / "output" / "log.txt").read_text() == "one\ntwo\n"


def test_a_prefix_that_leaves_the_output_folder_is_an_error(server):
    error = server.error(saved_text("x", filename_prefix="../../escaped"))
    assert error["node_id"] == "2"
    assert not list(server.base.parent.glob("escaped*"))


def test_json_is_written_with_the_workflow(server):
    graph = {"1": node("SaveJsonFile.fs", data='{"a": [1, 2]}', filename_prefix="data/set")}
    (file,) = server.outputs(graph, extra_data=INFO)["1"]["json"]
    content = json.loads(server.file(file))
    assert content == {"data": {"a": [1, 2]}, "prompt": graph, "workflow": WORKFLOW}


@pytest.mark.parametrize("form", ["webp", "jpeg"])
def test_pictures_carry_the_workflow_as_exif(server, form):
    graph = {
        "1": solid(count=2),
        "2": node("SaveImageExtended.fs", images=["1", 0], filename_prefix="ext/%width%", format=form, quality=90),
    }
    images = server.outputs(graph, extra_data=INFO)["2"]["images"]
    extension = {"webp": "webp", "jpeg": "jpg"}[form]
    numbers = [int(image["filename"].split("_")[1]) for image in images]
    assert numbers[1] == numbers[0] + 1
    assert all(image["filename"].startswith("32_") for image in images)
    assert all(image["filename"].endswith(extension) for image in images)
    picture = Image.open(io.BytesIO(server.file(images[0])))
    exif = picture.getexif()
    assert picture.format == form.upper()
    assert json.loads(exif[0x0110].removeprefix("prompt:")) == graph
    assert json.loads(exif[0x010F].removeprefix("workflow:")) == WORKFLOW
    assert abs(picture.convert("RGB").getpixel((5, 5))[2] - 0x99) < 6


def test_png_pictures_carry_the_workflow_as_text(server):
    save = node("SaveImageExtended.fs", images=["1", 0], filename_prefix="plain", format="png", quality=90)
    graph = {"1": solid(), "2": save}
    (file,) = server.outputs(graph, extra_data=INFO)["2"]["images"]
    text = Image.open(io.BytesIO(server.file(file))).text
    assert (json.loads(text["prompt"]), json.loads(text["workflow"])) == (graph, WORKFLOW)


def test_a_saver_counts_by_itself_and_runs_each_time(server):
    graph = {"1": solid(count=2), "2": node("SaveToCounter.fs", images=["1", 0], path="own", prefix="img", digits=3)}
    for _ in range(2):
        server.outputs(graph)
    folder = server.base / "output" / "own"
    assert sorted(file.name for file in folder.iterdir()) == [f"img-{number:03}.png" for number in (1, 2, 3, 4)]


def test_latents_are_saved_and_loaded_again(server):
    graph = {
        "1": node("EmptyLatentImage", width=64, height=32, batch_size=2),
        "2": node("SaveLatentFile.fs", samples=["1", 0], filename_prefix="latents/saved"),
    }
    (file,) = server.outputs(graph)["2"]["latents"]
    name = f"latents/{file['filename']} [output]"
    graph = {"1": node("LoadLatentFile.fs", latent=name)}
    assert server.value(graph, "1", 1) == "(2, 4, 4, 8)"
    graph["1"]["inputs"]["latent"] = "latents/other.latent [output]"
    assert "Invalid latent file" in str(server.refused(graph | {"s": shown("1", 1)})["node_errors"])


def test_progress_with_pictures(server):
    graph = {"1": node("SlowWork.fs", steps=3, preview="picture", use_threads=False), "s": shown("1")}
    messages = server.conversation(graph)
    steps = of_type([message for message in messages if isinstance(message, dict)], "progress")
    assert [(step["value"], step["max"], step["node"]) for step in steps] == [(i, 3, "1") for i in (1, 2, 3)]
    pictures = [message for message in messages if isinstance(message, bytes)]
    assert len(pictures) >= 1
    picture = Image.open(io.BytesIO(pictures[-1][8:]))
    assert (picture.format, picture.size) == ("JPEG", (64, 32))


def test_progress_with_pictures_of_latents(server):
    graph = {"1": node("SlowWork.fs", steps=2, preview="latent", use_threads=False), "s": shown("1")}
    messages = server.conversation(graph)
    pictures = [message for message in messages if isinstance(message, bytes)]
    assert not of_type([message for message in messages if isinstance(message, dict)], "execution_error")
    picture = Image.open(io.BytesIO(pictures[-1][8:]))
    assert (picture.format, picture.width / picture.height) == ("JPEG", 2)
    assert abs(picture.getpixel((3, 3))[0] - 127) < 4


def test_progress_from_threads_that_a_node_starts(server):
    graph = {"1": node("SlowWork.fs", steps=9, preview="none", use_threads=True), "s": shown("1")}
    messages = server.watch(graph)
    steps = of_type(messages, "progress")
    assert {step["node"] for step in steps} == {"1"}
    assert max(step["value"] for step in steps) == 9
    assert of_type(messages, "executed")[0]["output"]["text"] == ["9"]


def test_work_in_steps_can_be_interrupted(server):
    key = new_key()
    graph = {"1": node("SlowWork.fs", steps=10000, preview="picture", use_threads=False), "s": shown("1")}
    job = server.submit(graph, extra_data={"key": key})
    server.until_running(job)
    server.post("/interrupt", {"prompt_id": job})
    assert server.wait(job)["status"]["messages"][-1][0] == "execution_interrupted"
