"""What becomes of packs at the start: their classes, their scripts, and the reasons of those that cannot be used."""

import re
from pathlib import Path

import pytest

from tests.packs.popular.harness import shown
from tests.packs.rules.harness import node

CLASSES = {
    "ComfyUI-Image-Tools": 18,
    "comfyui_prompt_tools": 12,
    "logic-switches": 10,
    "loop_math": 10,
    "Comfy.File-Savers": 7,
    "web-routes-pack": 4,
    "v3-image-nodes": 7,
    "v3_text_kit": 8,
    "comfyui habits": 9,
    "tiny_samplers": 4,
}


def summaries(server):
    return {pack["name"]: pack for pack in server.get("/system_stats").json()["system"]["custom_nodes"]}


def classes_of(server, pack):
    module = f"custom_nodes.{pack}"
    return [name for name, info in server.get("/object_info").json().items() if info["python_module"] == module]


@pytest.mark.parametrize(("pack", "count"), CLASSES.items())
def test_every_class_of_a_pack_is_there(server, pack, count):
    told = summaries(server)[pack]
    assert (told["error"], told["warnings"], told["classes"]) == (None, [], count)


@pytest.mark.parametrize("pack", CLASSES)
def test_classes_name_the_pack_that_they_come_from(server, pack):
    assert len(classes_of(server, pack)) == CLASSES[pack]


def test_every_class_of_the_packs_is_run_by_a_test(server):
    tests = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    written = set(re.findall(r'"([^"\n]+)"', tests))
    names = {name for pack in CLASSES for name in classes_of(server, pack)}
    assert names
    assert names - written == set()


def test_names_and_texts_of_classes_are_shown(server):
    resize = server.info("ImageResize+")
    assert resize["display_name"] == "🔧 Image Resize"
    assert resize["category"] == "image tools/resize"
    assert resize["output_name"] == ["IMAGE", "width", "height"]
    assert server.info("ImageScaleToMegapixels+")["input"]["required"]["upscale_method"][1] == {"default": "lanczos"}
    assert "towards those of the reference" in server.info("ColorMatch+")["description"]


@pytest.mark.parametrize(
    ("pack", "reason"),
    [
        ("needs-a-library", "ModuleNotFoundError: No module named 'a_library_that_nobody_has'"),
        ("wrong-syntax", "SyntaxError: invalid syntax"),
        ("exits", "SystemExit: this pack wants another Python"),
        ("crashes", "a device process died while it imported this pack: killed by signal 11 (SIGSEGV)"),
        ("too-deep", "inglenook has no module 'comfy.ldm'"),
        (
            "too-deep-names",
            "ImportError: cannot import name 'UNETLoaderOfTomorrow' from 'nodes': inglenook's has none "
            "(see docs/custom-nodes.md)",
        ),
        ("no-extension", "comfy_entrypoint returned NoneType, not a ComfyExtension"),
        ("not-a-pack", "neither NODE_CLASS_MAPPINGS nor comfy_entrypoint"),
        ("odd-error", "Odd"),
        ("late", "LookupError: no nodes today"),
    ],
)
def test_a_pack_that_cannot_be_used_is_reported_with_its_reason(server, pack, reason):
    told = summaries(server)[pack]
    assert reason in told["error"]
    assert told["classes"] == 0


def test_a_pack_that_is_switched_off_is_not_imported(server):
    assert not [name for name in summaries(server) if name.startswith("switched-off")]


def test_the_process_after_a_crash_skips_the_pack_that_crashed_it(server):
    log = (server.base / "server.log").read_text()
    assert "pack crashes is skipped" in log
    (worker,) = server.get("/api/health").json()["workers"]
    assert worker["pid"]


def test_good_classes_beside_broken_ones_are_used(server):
    told = summaries(server)["half-broken"]
    assert (told["error"], told["classes"]) == (None, 1)
    bad_inputs, no_method, nothing = told["warnings"]
    assert "HalfBadInputs" in bad_inputs
    assert "/nonexistent/styles.csv" in bad_inputs
    assert "HalfNoMethod" in no_method
    assert nothing == "class HalfNothing is left out: HalfNothing is mapped to NoneType, which has no INPUT_TYPES"
    assert server.value({"1": node("HalfGood", text="good")}, "1") == "good!"


def test_a_built_in_class_is_not_replaced_by_a_pack(server):
    told = summaries(server)["overrides"]
    assert told["classes"] == 1
    assert "KSampler" in told["warnings"][0]
    assert "latent_image" in server.info("KSampler")["input"]["required"]
    assert server.value({"1": node("OverridesOwn", text="own")}, "1") == "own!"


def test_a_node_of_a_pack_that_is_not_there_is_refused(server):
    body = server.refused({"1": node("NeedsALibrary"), "2": shown("1")})
    assert "NeedsALibrary" in str(body["error"])


def test_the_log_tells_of_each_pack_as_severely_as_it_deserves(server):
    log = (server.base / "server.log").read_text()
    device = "inglenook.device.local"
    assert re.search(rf"INFO:{device}:pack loop_math: 10 node classes, imported in [\d.]+ s\n", log)
    assert f"ERROR:{device}:pack wrong-syntax cannot be imported: SyntaxError: " in log
    assert re.search(
        rf"ERROR:{device}:What it needs can be installed with: inglenook packs install .*/needs-a-library\n", log
    )
    assert "pack too-deep cannot be imported" in log
    assert "packs install" not in log.split("pack too-deep cannot be imported")[1].split("pack ")[0]


def test_a_refusal_of_an_unknown_class_says_which_packs_are_missing(server):
    error = server.post("/prompt", json={"prompt": {"1": node("NobodyHasIt")}}).json()["error"]
    assert error["details"] == "Node ID '#1'"
    assert error["extra_info"]["packs"]["wrong-syntax"].startswith("SyntaxError: ")
    assert "loop_math" not in error["extra_info"]["packs"]
