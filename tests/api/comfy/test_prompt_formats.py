"""`POST /prompt` with workflows of any format, and with small mistakes: what is run, told, stored and refused."""

import io
import json

import orjson
import pytest
from PIL import Image

from inglenook.api.submission import PromptRefused, repairs_of, submit_body
from inglenook.demo import load_workflow
from inglenook.engine.replacement import NodeReplacement
from inglenook.media.png import text_chunks
from inglenook.nodes.interfaces import builtin_interfaces
from tests.api.idle import idle_server, idle_services
from tests.api.live import new_id, picture_graph

UI = {
    "version": 0.4,
    "nodes": [
        {"id": 1, "type": "EmptyImage", "widgets_values": [64, 48, 1, 99], "outputs": [{"name": "I", "type": "IMAGE"}]},
        {"id": 2, "type": "SaveImage", "widgets_values": ["ui"], "inputs": [{"name": "images", "link": 1}]},
        {"id": 3, "type": "Note", "widgets_values": ["for you"]},
    ],
    "links": [[1, 1, 0, 2, 0, "IMAGE"]],
}  # fmt: skip


def noisy(color=0, seed=-1):
    """A graph with a seed: noise upon a picture."""
    graph = picture_graph(color)
    graph["3"] = {"class_type": "ImageAddNoise", "inputs": {"image": ["1", 0], "seed": seed, "strength": 0.5}}
    graph["2"]["inputs"]["images"] = ["3", 0]
    return graph


def png(texts):
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, "PNG")
    data = buffer.getvalue()
    end = data.index(b"IDAT") - 4
    return data[:end] + b"".join(text_chunks(texts)) + data[end:]


def waiting(services, job_id):
    return services.dispatcher.find(job_id).job


# -- formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [{"prompt": UI}, {"workflow": UI}, UI, {"prompt": json.dumps(UI)}])
def test_a_workflow_of_the_editor_runs(live, body):
    reply = live.post("/prompt", body)
    assert reply.status_code == 200, reply.text
    assert set(reply.json()) == {"prompt_id", "number", "node_errors"}
    entry = live.wait(reply.json()["prompt_id"])
    assert entry["status"]["status_str"] == "success"
    assert [node["class_type"] for node in entry["prompt"][2].values()] == ["EmptyImage", "SaveImage"]
    (image,) = entry["outputs"]["2"]["images"]
    assert image["filename"].startswith("ui_")


def test_files_carry_the_workflow_of_the_editor_that_was_sent(live):
    entry = live.run(UI)
    (image,) = entry["outputs"]["2"]["images"]
    texts = Image.open(io.BytesIO(live.get("/view", params=image).content)).text
    assert json.loads(texts["workflow"]) == UI
    assert json.loads(texts["prompt"]).keys() == {"1", "2"}


@pytest.mark.parametrize(
    "body",
    [
        png({"workflow": json.dumps(UI)}),
        png({"prompt": json.dumps(picture_graph(5)).replace("}", ', "is_changed": [NaN]}', 1)}),
        json.dumps({"prompt": picture_graph(6)}).encode("utf-8-sig"),
        json.dumps({"prompt": UI, "client_id": "猫"}, ensure_ascii=False).encode("gbk"),
        json.dumps({"prompt": UI}).encode("utf-16"),
    ],
    ids=["picture with workflow", "picture with prompt", "byte order mark", "gbk", "utf-16"],
)
def test_a_file_is_a_body(live, body):
    reply = live.post("/prompt", body)
    assert reply.status_code == 200, reply.text
    assert live.wait(reply.json()["prompt_id"])["status"]["status_str"] == "success"


@pytest.mark.parametrize(
    "body",
    [
        png({}),
        png({"prompt": "{"}),
        png({"prompt": "[" * 500 + "]" * 500}),
        png({"workflow": '{"nodes": [' + "[]," * 2_000_000 + "[]]}"}),
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\xff\xff\xff\xffWEBPVP8 ",
        b"\xff\xd8\xff",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b'{"prompt": {"1": {"class_type": "EmptyImage", "inputs": {"width": NaN}}}}',
        b'\xef\xbb\xbf{"prompt": NaN}',
    ],
)
async def test_files_without_a_workflow_are_refused_with_an_error(idle, body):
    reply = await idle.http.post("/prompt", content=body)
    assert reply.status_code in (400, 413), reply.text
    assert reply.json()["error"]["message"]


@pytest.mark.parametrize(
    "prompt",
    [
        {"nodes": []},
        {"nodes": [{"id": 1, "type": "Note"}]},
        {"nodes": [5, None, {}], "links": [5]},
        {"nodes": [{"type": "s"}], "definitions": {"subgraphs": [{"id": "s", "nodes": [{"id": 1, "type": "s"}]}]}},
        "{",
        "  ",
        5,
        [],
        None,
        {"prompt": "a text in a graph's place"},
        {"workflow": 5},
    ],
)  # fmt: skip
async def test_what_is_no_workflow_is_refused_in_comfyuis_shape(tmp_path, prompt):
    settings = {"default_workflow": str(tmp_path / "none.json")}
    async with idle_server(tmp_path, **settings) as server:
        reply = await server.http.post("/prompt", content=orjson.dumps({"prompt": prompt}))
        assert reply.status_code == 400, reply.text
        assert set(reply.json()) == {"error", "node_errors"}
        assert set(reply.json()["error"]) == {"type", "message", "details", "extra_info"}


async def test_all_unknown_classes_are_told_at_once(tmp_path):
    graph = picture_graph()
    graph["8"] = {"class_type": "EmptyImag", "inputs": {}, "_meta": {"title": "Mine"}}
    graph["9"] = {"class_type": "Zzz", "inputs": {}}
    async with idle_services(tmp_path) as services:
        services.catalogs.update(services.catalogs.current.object_info())
        with pytest.raises(PromptRefused) as refused:
            await submit_body(services, {"prompt": graph})
    error = refused.value.error
    assert error["type"] == "missing_node_type"
    assert [one["class_type"] for one in error["extra_info"]["missing"]] == ["EmptyImag", "Zzz"]
    assert error["extra_info"]["missing"][0]["near_matches"][0] == "EmptyImage"
    assert error["extra_info"]["missing"][0]["nodes"] == [{"id": "8", "title": "Mine"}]


async def test_values_of_a_replaced_class_are_named_as_its_pack_says(tmp_path):
    old = {"id": 1, "type": "OldImage", "widgets_values": [320, 240], "outputs": [{"name": "I", "type": "IMAGE"}]}
    inputs = [{"new_id": "width", "old_id": "w"}, {"new_id": "height", "old_id": "h"}]
    fixed = [{"new_id": "batch_size", "set_value": 1}, {"new_id": "color", "set_value": 0}]
    replacement = NodeReplacement("EmptyImage", "OldImage", old_widget_ids=["w", "h"], input_mapping=[*inputs, *fixed])
    async with idle_services(tmp_path) as services:
        services.catalogs.update(builtin_interfaces(), [replacement])
        reply = await submit_body(services, {"prompt": {**UI, "nodes": [old, *UI["nodes"][1:]]}})
        graph = json.loads(waiting(services, reply["prompt_id"]).graph)
    assert graph["1"]["class_type"] == "EmptyImage"
    assert graph["1"]["inputs"] == {"width": 320, "height": 240, "batch_size": 1, "color": 0}


# -- a text alone ----------------------------------------------------------------------------------------------------


async def test_a_text_is_drawn_with_the_demo_and_a_fresh_seed_each_time(tmp_path):
    async with idle_services(tmp_path) as services:
        replies = [await submit_body(services, {"prompt": "a red circle", "extra_data": {}}) for _ in range(2)]
        graphs = [json.loads(waiting(services, reply["prompt_id"]).graph) for reply in replies]
    assert [graph["2"]["inputs"]["text"] for graph in graphs] == ["a red circle"] * 2
    assert graphs[0]["5"]["inputs"]["seed"] != graphs[1]["5"]["inputs"]["seed"]
    assert [one["kind"] for one in replies[0]["repairs"]] == ["prompt_filled", "seed_drawn"]


async def test_a_text_sent_again_under_its_id_is_the_same_job(tmp_path):
    body = {"prompt": "a red circle", "prompt_id": "x"}
    async with idle_services(tmp_path) as services:
        first, again = [await submit_body(services, body) for _ in range(2)]
        assert first == again
        with pytest.raises(PromptRefused) as refused:
            await submit_body(services, {**body, "prompt": "a blue circle"})
        assert refused.value.status == 409


@pytest.mark.parametrize("text", ["{a|b} circle", '{"a": 1', "猫"])
async def test_a_text_that_begins_like_json_is_still_a_text(tmp_path, text):
    async with idle_services(tmp_path) as services:
        reply = await submit_body(services, {"prompt": text})
        assert json.loads(waiting(services, reply["prompt_id"]).graph)["2"]["inputs"]["text"] == text


async def test_the_default_workflow_is_a_file_of_any_format(tmp_path):
    file = tmp_path / "mine.json"
    graph = load_workflow()
    graph["4"]["inputs"]["width"] = 192
    file.write_bytes(json.dumps({"prompt": graph}).encode("utf-8-sig"))
    async with idle_services(tmp_path, default_workflow=str(file)) as services:
        reply = await submit_body(services, {"prompt": "a red circle"})
        assert json.loads(waiting(services, reply["prompt_id"]).graph)["4"]["inputs"]["width"] == 192


@pytest.mark.parametrize(
    "content", [None, b"", b"{", b'"text"', b"[]", json.dumps(picture_graph()).encode(), b"\x89PNG\r\n\x1a\n"]
)
async def test_a_default_workflow_that_cannot_be_used_is_told_without_its_path(tmp_path, content):
    file = tmp_path / "mine.json"
    if content is not None:
        file.write_bytes(content)
    async with idle_services(tmp_path, default_workflow=str(file)) as services:
        with pytest.raises(PromptRefused) as refused:
            await submit_body(services, {"prompt": "a red circle"})
    assert refused.value.status == 400
    assert refused.value.error["message"] == "The default workflow cannot be used"
    assert str(tmp_path) not in json.dumps(refused.value.body())


# -- repairs ---------------------------------------------------------------------------------------------------------


def test_a_seed_of_minus_one_is_drawn_told_and_kept_in_the_history(live):
    reply = live.post("/prompt", {"prompt": noisy(20)}).json()
    (one,) = reply["repairs"]
    assert set(one) == {"node_id", "kind", "message", "before", "after"}
    assert (one["node_id"], one["kind"], one["before"]) == ("3", "seed_drawn", -1)
    entry = live.wait(reply["prompt_id"])
    assert entry["status"]["status_str"] == "success"
    assert entry["prompt"][2]["3"]["inputs"]["seed"] == one["after"]
    assert entry["prompt"][3]["inglenook"] == {"repairs": [one], "parameters": {"3.seed": one["after"]}}
    assert live.get(f"/prompt/{reply['prompt_id']}").json()["repairs"] == [one]
    assert live.get(f"/api/jobs/{reply['prompt_id']}").json()["workflow"]["extra_data"]["inglenook"]["repairs"] == [one]
    again = noisy(20, seed=one["after"])
    assert "repairs" not in live.post("/prompt", {"prompt": again}).json()


def test_the_same_id_with_the_same_undrawn_seed_is_the_same_job(live):
    body = {"prompt": noisy(21), "prompt_id": new_id()}
    replies = [live.post("/prompt", body) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200] * 3
    assert len({reply.text for reply in replies}) == 1
    assert replies[0].json()["repairs"]
    assert live.post("/prompt", {**body, "prompt": noisy(22)}).status_code == 409


def test_the_drawn_seed_is_what_a_saved_file_says(live):
    graph = noisy(23)
    graph["2"] = {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "drawn"}}
    reply = live.post("/prompt", {"prompt": graph}).json()
    (image,) = live.wait(reply["prompt_id"])["outputs"]["2"]["images"]
    texts = Image.open(io.BytesIO(live.get("/view", params=image).content)).text
    assert json.loads(texts["prompt"])["3"]["inputs"]["seed"] == reply["repairs"][0]["after"]


def test_the_documents_graph_without_a_decoder_makes_a_picture(live):
    graph = load_workflow()
    del graph["6"]
    graph["7"]["inputs"]["images"] = ["5", 0]
    graph["5"]["inputs"] |= {"sampler_name": "euler_a", "steps": 1}
    reply = live.post("/prompt", {"prompt": graph}).json()
    assert {one["kind"] for one in reply["repairs"]} == {"latent_decoded", "name_replaced"}
    entry = live.wait(reply["prompt_id"])
    assert entry["status"]["status_str"] == "success"
    assert entry["prompt"][2]["8"]["class_type"] == "VAEDecode"
    assert entry["outputs"]["7"]["images"]


async def test_a_latent_that_no_vae_can_decode_is_refused_with_a_hint(tmp_path):
    latent = {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}}
    graph = {"1": latent, "2": picture_graph()["2"]}
    async with idle_services(tmp_path) as services:
        with pytest.raises(PromptRefused) as refused:
            await submit_body(services, {"prompt": graph})
    (error,) = refused.value.node_errors["2"]["errors"]
    assert error["type"] == "return_type_mismatch"
    assert error["details"].startswith("images, received_type(LATENT) mismatch input_type(IMAGE): ")
    assert "VAEDecode" in error["details"]
    assert error["details"] in refused.value.error["details"]


@pytest.mark.parametrize("how", ["field", "setting"])
async def test_strict_answers_as_comfyui_does(tmp_path, how):
    settings = {"strict": True} if how == "setting" else {}
    fields = {"extra_data": {"strict": True}} if how == "field" else {}
    graph = load_workflow()
    graph["5"]["inputs"] |= {"sampler_name": "euler_a", "seed": -1}
    graph["7"]["inputs"]["images"] = ["5", 0]
    async with idle_services(tmp_path, **settings) as services:
        with pytest.raises(PromptRefused) as refused:
            await submit_body(services, {"prompt": graph, **fields})
    errors = refused.value.node_errors
    assert [one["type"] for one in errors["5"]["errors"]] == ["value_smaller_than_min", "value_not_in_list"]
    assert errors["7"]["errors"][0]["details"] == "images, received_type(LATENT) mismatch input_type(IMAGE)"
    assert "VAEDecode" not in json.dumps(refused.value.body())


@pytest.mark.parametrize("strict", ["yes", "true", 1, 0, {}, []])
async def test_strict_must_be_true_or_false(tmp_path, strict):
    async with idle_services(tmp_path) as services:
        with pytest.raises(PromptRefused) as refused:
            await submit_body(services, {"prompt": noisy(), "extra_data": {"strict": strict}})
    error = refused.value.body()["error"]
    assert (error["type"], error["message"]) == ("invalid_prompt", "extra_data.strict must be true or false")


@pytest.mark.parametrize("strict", [False, None])
async def test_only_true_is_strict(tmp_path, strict):
    async with idle_services(tmp_path) as services:
        reply = await submit_body(services, {"prompt": noisy(), "extra_data": {"strict": strict}})
        assert reply["repairs"]


async def test_a_graph_that_cannot_be_mended_is_refused_with_what_is_left(tmp_path):
    graph = noisy()
    graph["3"]["inputs"]["strength"] = -5
    async with idle_services(tmp_path) as services:
        with pytest.raises(PromptRefused) as refused:
            await submit_body(services, {"prompt": graph})
    (error,) = refused.value.node_errors["3"]["errors"]
    assert error["extra_info"]["input_name"] == "strength"


async def test_edits_of_widget_values_are_applied_and_told(tmp_path):
    graph = picture_graph()
    graph["1"]["widgets_values"] = [128, 64, 1, 0]
    async with idle_services(tmp_path) as services:
        reply = await submit_body(services, {"prompt": graph})
        job = waiting(services, reply["prompt_id"])
    stored = json.loads(job.graph)["1"]
    assert stored["inputs"]["width"] == 128
    assert "widgets_values" not in stored
    assert [(one["kind"], one["before"], one["after"]) for one in reply["repairs"]] == [
        ("widget_value_applied", 64, 128)
    ]
    assert repairs_of(job) == reply["repairs"]


async def test_a_valid_graph_is_answered_and_stored_as_before(tmp_path):
    async with idle_services(tmp_path) as services:
        told = {"inglenook": {"repairs": ["of the job that this was copied from"]}}
        reply = await submit_body(services, {"prompt": noisy(seed=3), "extra_data": {"a": 1, **told}})
        job = waiting(services, reply["prompt_id"])
    assert set(reply) == {"prompt_id", "number", "node_errors"}
    assert job.extra_data.keys() == {"a", "create_time"}
    assert json.loads(job.graph) == noisy(seed=3)
