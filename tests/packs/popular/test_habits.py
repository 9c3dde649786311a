"""Habits of packs that are neither good nor rare."""

import pytest

from tests.packs.popular.harness import solid
from tests.packs.rules.harness import new_key, node

OPTIONS = {"number": 1e9, "count": 3, "size": 512, "flag": True, "level": 1.0, "key": "second"}


def test_options_that_no_json_knows_harm_nobody(server):
    declared = server.info("HabitsOptions")["input"]["required"]
    assert declared["size"] == [[256, 512, 1024], {"default": 512}]
    assert declared["flag"] == [[True, False]]
    assert declared["key"][0] == ["first", "second"]
    assert declared["level"] == [[0.5, 1.0], {"default": 0.5}]
    output = server.outputs({"1": node("HabitsOptions", **OPTIONS)})["1"]
    assert output == {"text": ["1000000000.0 3 512 True 1.0 second"], "size": [512, 1.0]}


@pytest.mark.parametrize("wrong", [{"size": 300}, {"key": "third"}, {"level": 0.7}])
def test_choices_that_are_no_texts_are_checked(server, wrong):
    (problem,) = server.refused({"1": node("HabitsOptions", **OPTIONS | wrong)})["node_errors"]["1"]["errors"]
    assert problem["type"] == "value_not_in_list"


def test_an_output_that_is_a_choice_links_to_a_choice(server):
    graph = {
        "1": node("HabitsSampler 采样/器", sampler_name="euler", lora="light.safetensors"),
        "2": node("HabitsNext", sampler_name=["1", 0]),
        "k": node("KSampler", sampler_name=["1", 0]),
    }
    (server.packs / "comfyui habits" / "models" / "light.safetensors").write_bytes(b"")
    assert server.outputs({key: graph[key] for key in "12"})["2"]["text"] == ["euler"]
    assert server.value(graph, "1", 1).endswith("light.safetensors")
    assert "light.safetensors" in server.get("/models/loras").json()


def test_a_class_is_found_by_a_name_with_a_slash(server):
    reply = server.get("/object_info/HabitsSampler%20%E9%87%87%E6%A0%B7%2F%E5%99%A8")
    assert list(reply.json()) == ["HabitsSampler 采样/器"]


def test_what_a_pack_prints_through_its_own_stream_is_logged(server):
    server.outputs({"1": node("HabitsNext", sampler_name="heun")})
    server.until(lambda: "habits: heun" in (server.base / "server.log").read_text())


def test_a_node_may_use_gradients(server):
    graph = {"1": solid(0xFF8000), "2": node("HabitsTrain", image=["1", 0], steps=40)}
    assert server.outputs(graph)["2"]["text"] == ["1.00 0.50 0.00"]


def test_methods_that_are_declared_wrongly_run_each_time(server):
    key = new_key()
    graph = {"1": node("HabitsMethods", text=key)}
    assert [server.outputs(graph)["1"]["text"] for _ in range(2)] == [[f"{key} 1"], [f"{key} 2"]]


def test_folders_are_where_packs_look_for_them(server):
    assert server.outputs({"1": node("HabitsPath")})["1"]["text"] == ["True"] * 4


def test_scripts_under_another_name_are_served(server):
    assert "/extensions/habits/habits.js" in server.get("/extensions").json()
    assert server.get("/extensions/habits/habits.js").text == "export const habits = true;\n"


def test_classes_of_other_packs_and_built_in_ones_are_called(server):
    graph = {"1": solid(0x804020), "2": node("HabitsBorrow", image=["1", 0])}
    assert server.outputs(graph)["2"]["text"] == ["(1,4,8,3)", "🔧 Image Crop"]
    (picture,) = server.pictures(graph, "2")
    assert abs(picture[0, 0].astype(int) - [255 - 0x40, 255 - 0x20, 255 - 0x10]).max() <= 1


def test_a_node_starts_a_process(server):
    assert server.outputs({"1": node("HabitsProcess", number=6)})["1"]["text"] == ["42"]


def test_start_up_scripts_run_before_any_pack_is_imported(server):
    assert server.outputs({"1": node("HabitsPrepared")})["1"]["text"] == ["0 packs before"]
    assert (server.base / "input" / "example of habits.txt").read_text() == "an example"


def test_a_start_up_script_that_fails_is_logged_and_its_pack_imported(server):
    assert (
        "the start-up script of pack half-broken failed: SystemExit: not ready"
        in (server.base / "server.log").read_text()
    )
    assert server.value({"1": node("HalfGood", text="good")}, "1") == "good!"
