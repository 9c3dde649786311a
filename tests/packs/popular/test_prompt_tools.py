"""Text tools: files beside the pack, widgets in the workflow, text encoders, model folders."""

import csv
import io
import json

from PIL import Image

from tests.packs.popular.harness import constant, shown, solid
from tests.packs.rules.harness import node

PACK = "comfyui_prompt_tools"


def test_texts_are_joined(server):
    graph = {
        "a": constant(" one "),
        "b": constant("two"),
        "join": node(
            "Text Concatenate (Prompt Tools)",
            delimiter=" + ",
            clean_whitespace="true",
            text_a=["a", 0],
            text_c=["b", 0],
        ),
    }
    assert server.value(graph, "join") == "one + two"


def test_texts_are_replaced_and_counted(server):
    graph = {"1": node("Text Replace (Prompt Tools)", text="a-b-c", find="-", replace="+")}
    assert (server.value(graph, "1"), server.value(graph, "1", 1)) == ("a+b+c", "2")


def test_a_regular_expression_gives_a_list(server):
    graph = {"1": node("Text Regex|pt", text="a1 b22 c333", pattern=r"\d+", mode="find all"), "s": node("ShowText|pt")}
    graph["s"]["inputs"]["text"] = ["1", 0]
    assert server.outputs(graph)["s"]["text"] == ["1", "22", "333"]
    graph["1"]["inputs"]["pattern"] = "("
    assert "Invalid regular expression" in str(server.refused(graph)["node_errors"]["1"])


def test_wildcards_are_read_from_the_folder_of_the_pack(server):
    def of(seed):
        text = "a {red|blue} __animal__"
        return server.value({"1": node("TextWildcards|pt", text=text, seed=seed, insert="none")}, "1")

    drawn = {of(seed) for seed in range(6)}
    assert drawn <= {f"a {color} {animal}" for color in ("red", "blue") for animal in ("otter", "heron", "badger")}
    assert len(drawn) > 1
    assert of(3) == of(3)


def test_a_new_wildcard_file_is_offered_and_used(server):
    assert server.info("TextWildcards|pt")["input"]["optional"]["insert"][0] == ["none", "animal"]
    folder = server.packs / PACK / "wildcards"
    (folder / "city.txt").write_text("Kyoto\n")
    graph = {"1": node("TextWildcards|pt", text="in", seed=1, insert="city")}
    assert server.value(graph, "1") == "in Kyoto"
    assert server.info("TextWildcards|pt")["input"]["optional"]["insert"][0] == ["none", "animal", "city"]
    (folder / "city.txt").unlink()


def test_styles_are_read_from_a_table_that_may_be_edited_meanwhile(server):
    graph = {"1": node("StyleSelector|pt", positive="a boat", style="watercolor")}
    assert server.value(graph, "1") == "a boat, watercolor, soft edges"
    assert server.value(graph, "1", 1) == "photo, sharp"
    assert server.info("StyleSelector|pt")["input"]["required"]["style"][0] == ["plain", "watercolor"]
    with open(server.packs / PACK / "styles.csv", "a", newline="") as file:
        csv.writer(file).writerow(["ink", "ink drawing", "color"])
    assert server.info("StyleSelector|pt")["input"]["required"]["style"][0] == ["plain", "watercolor", "ink"]
    graph["1"]["inputs"]["style"] = "ink"
    assert server.value(graph, "1") == "a boat, ink drawing"
    graph["1"]["inputs"]["style"] = "oil"
    (problem,) = server.refused(graph | {"s": shown("1")})["node_errors"]["1"]["errors"]
    assert problem["type"] == "value_not_in_list"


def test_a_seed_below_zero_is_drawn_each_time_and_another_is_kept(server):
    def run(seed):
        outputs = server.outputs({"1": node("Seed (pt)", seed=seed), "s": shown("1")})
        return outputs["s"]["text"][0]

    assert run(5) == run(5) == "5"
    assert run(-1) != run(-1)


def test_a_drawn_seed_is_written_into_the_workflow_of_saved_pictures(server):
    graph = {
        "1": node("Seed (pt)", seed=-1),
        "2": solid(),
        "3": node("Text Replace (Prompt Tools)", text="x", find="", replace=""),
        "after": node("logic ifElse", boolean=["more", 0], on_true=["2", 0]),
        "more": node("logic compare", a=["1", 0], b=0, comparison="a >= b"),
        "save": node("SaveImage", images=["after", 0], filename_prefix="seeded"),
    }
    workflow = {"nodes": [{"id": 1, "widgets_values": [-1]}, {"id": 2}]}
    outputs = server.outputs(graph, extra_data={"extra_pnginfo": {"workflow": workflow}})
    (seed,) = outputs["1"]["seed"]
    text = Image.open(io.BytesIO(server.file(outputs["save"]["images"][0]))).text
    assert json.loads(text["workflow"])["nodes"][0]["widgets_values"] == [seed]
    assert json.loads(text["prompt"])["1"]["inputs"]["seed"] == seed


def test_a_shown_text_is_written_into_its_widget_in_the_workflow(server):
    graph = {
        "1": constant("remember me"),
        "7": node("ShowText|pt", text=["1", 0]),
        "i": solid(),
        "first": node("logic ifElse", boolean=["is", 0], on_false=["i", 0]),
        "is": node("logic isNone", any=["7", 0]),
        "save": node("SaveImage", images=["first", 0], filename_prefix="shown"),
    }
    workflow = {"nodes": [{"id": 7, "widgets_values": []}]}
    outputs = server.outputs(graph, extra_data={"extra_pnginfo": {"workflow": workflow}})
    assert outputs["7"]["text"] == ["remember me"]
    text = Image.open(io.BytesIO(server.file(outputs["save"]["images"][0]))).text
    assert json.loads(text["workflow"])["nodes"][0]["widgets_values"] == [["remember me"]]


CLIP = {"ckpt": node("CheckpointLoaderSimple", ckpt_name="tiny.safetensors")}


def test_texts_are_encoded_by_the_built_in_class_and_by_the_text_encoder_alike(server):
    graph = CLIP | {
        "pair": node("EncodePair|pt", clip=["ckpt", 1], positive="a (red:1.2) boat", negative="fog"),
        "tokens": node("EncodeByTokens|pt", clip=["ckpt", 1], text="a (red:1.2) boat"),
        "own": node("CLIPTextEncode", clip=["ckpt", 1], text="a (red:1.2) boat"),
        "same": node("ConditioningDifference|pt", a=["pair", 0], b=["tokens", 0]),
        "same too": node("ConditioningDifference|pt", a=["own", 0], b=["tokens", 0]),
        "other": node("ConditioningDifference|pt", a=["pair", 0], b=["pair", 1]),
    }
    outputs = server.outputs(graph | {f"show {key}": shown(key) for key in ("same", "same too", "other")})
    assert outputs["show same"]["text"] == outputs["show same too"]["text"] == ["0.0"]
    assert float(outputs["show other"]["text"][0]) > 0.01
    assert server.value(graph, "tokens", 1) == "(1, 77, 32) ['l'] 1 77"


def test_a_node_that_samples_with_built_in_classes_gives_what_the_built_in_nodes_give(server):
    assert "tiny.safetensors" in server.info("SampleWithPrompt|pt")["input"]["required"]["ckpt_name"][0]
    sampler = {"sampler_name": "euler", "scheduler": "normal"}
    graph = CLIP | {
        "one": node("SampleWithPrompt|pt", ckpt_name="tiny.safetensors", prompt="a boat", seed=4, **sampler),
        "positive": node("CLIPTextEncode", clip=["ckpt", 1], text="a boat"),
        "negative": node("CLIPTextEncode", clip=["ckpt", 1], text=""),
        "latent": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "sample": node(
            "KSampler",
            model=["ckpt", 0],
            positive=["positive", 0],
            negative=["negative", 0],
            latent_image=["latent", 0],
            seed=4,
            steps=2,
            cfg=7.0,
            denoise=1.0,
            **sampler,
        ),
        "decode": node("VAEDecode", vae=["ckpt", 2], samples=["sample", 0]),
    }
    (whole,) = server.pictures(graph, "one")
    (parts,) = server.pictures(graph, "decode")
    assert whole.shape == (64, 64, 3)
    assert (whole == parts).all()


def test_kinds_of_models_that_a_pack_adds_are_listed_and_read(server):
    assert server.info("PresetLoader|pt")["input"]["required"]["preset"][0] == ["harbor.txt"]
    graph = {"1": node("PresetLoader|pt", preset="harbor.txt", words="none")}
    assert server.value(graph, "1") == "a misty harbor at dawn"
    words = server.base / "models" / "prompt_words"
    (words / "light.txt").write_text("golden light")
    graph["1"]["inputs"]["words"] = "light.txt"
    assert server.value(graph, "1") == "a misty harbor at dawn, golden light"
    assert server.info("PresetLoader|pt")["input"]["optional"]["words"][0] == ["none", "light.txt"]


def test_kinds_of_models_that_a_pack_adds_are_served(server):
    assert "prompt_presets" in server.get("/models").json()
    assert server.get("/models/prompt_presets").json() == ["harbor.txt"]
