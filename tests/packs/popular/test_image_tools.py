"""Image utilities: resizing, colors, masks, files, batches."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.packs.popular.harness import constant, save_picture, shown, solid
from tests.packs.rules.harness import node

BLUE = (0x33, 0x66, 0x99)


def resized(**inputs):
    given = {"width": 16, "height": 16, "interpolation": "lanczos", "method": "stretch", "condition": "always"}
    return {"1": solid(), "2": node("ImageResize+", image=["1", 0], multiple_of=0, **(given | inputs))}


@pytest.mark.parametrize(
    ("inputs", "size"),
    [
        ({}, (16, 16)),
        ({"interpolation": "bicubic", "width": 40, "height": 0}, (40, 16)),
        ({"method": "keep proportion"}, (16, 8)),
        ({"method": "fill / crop", "width": 10, "height": 20}, (10, 20)),
        ({"method": "pad"}, (16, 16)),
        ({"condition": "upscale if smaller", "width": 8, "height": 8}, (32, 16)),
    ],
)
def test_resizing(server, inputs, size):
    graph = resized(**inputs)
    graph |= {"w": shown("2", 1), "h": shown("2", 2), "p": node("PreviewImage", images=["2", 0])}
    outputs = server.outputs(graph)
    assert (outputs["w"]["text"], outputs["h"]["text"]) == ([str(size[0])], [str(size[1])])
    picture = server.picture(outputs["p"]["images"][0])
    assert picture.shape == (size[1], size[0], 3)
    assert abs(picture[size[1] // 2, size[0] // 2].astype(int) - BLUE).max() <= 1


def test_padding_is_black(server):
    (picture,) = server.pictures(resized(method="pad"), "2")
    assert picture[0].max() == 0
    assert tuple(picture[8, 8]) == BLUE


def test_scaling_to_a_number_of_pixels(server):
    scale = node("ImageScaleToMegapixels+", image=["1", 0], upscale_method="lanczos", megapixels=0.002)
    (picture,) = server.pictures({"1": solid(), "2": scale}, "2")
    assert picture.shape == (32, 65, 3)
    assert tuple(picture[5, 5]) == BLUE


def test_cropping_at_a_corner(server):
    save_picture(server.base / "input" / "corners.png", (0, 0, 0))
    picture = Image.open(server.base / "input" / "corners.png")
    picture.putpixel((23, 11), (255, 0, 0))
    picture.save(server.base / "input" / "corners.png")
    crop = node("ImageCrop+", image=["1", 0], width=8, height=8, position="bottom-right", x_offset=-2, y_offset=0)
    graph = {"1": node("LoadImage", image="corners.png"), "2": crop}
    (cropped,) = server.pictures(graph, "2")
    assert cropped.shape == (8, 8, 3)
    assert cropped[..., 0].max() == 0
    assert server.value(graph, "2", 1) == "14"


@pytest.mark.parametrize("threads", [True, False])
def test_matching_colors_reports_progress_from_its_threads(server, threads):
    graph = {
        "ref": solid(0x804020),
        "target": solid(0x102030, count=3),
        "match": node(
            "ColorMatch+",
            image_ref=["ref", 0],
            image_target=["target", 0],
            method="mean-std",
            strength=1.0 + threads / 100,
            multithread=threads,
        ),
        "show": node("PreviewImage", images=["match", 0]),
    }
    messages = server.conversation(graph)
    steps = [m["data"] for m in messages if isinstance(m, dict) and m["type"] == "progress"]
    assert {step["node"] for step in steps} == {"match"}
    assert (steps[-1]["value"], steps[-1]["max"]) == (3, 3)
    first = next(m["data"] for m in messages if isinstance(m, dict) and m["type"] == "executed")["output"]["images"][0]
    assert abs(server.picture(first)[0, 0].astype(int) - [0x80, 0x40, 0x20]).max() <= 2


def test_colors_of_batches_that_do_not_fit_are_an_error_in_the_words_of_the_pack(server):
    graph = {
        "ref": solid(count=2),
        "target": solid(count=3),
        "match": node("ColorMatch+", image_ref=["ref", 0], image_target=["target", 0], method="mean-std"),
        "show": node("PreviewImage", images=["match", 0]),
    }
    error = server.error(graph)
    assert (error["node_id"], error["exception_type"]) == ("match", "ValueError")
    assert "single reference image" in error["exception_message"]


def test_taking_color_away(server):
    grey = node("ImageDesaturate+", image=["1", 0], factor=1.0, method="average")
    (picture,) = server.pictures({"1": solid(), "2": grey}, "2")
    assert set(picture[0, 0]) == {0x66}


def test_growing_and_blurring_a_mask(server):
    graph = {
        "1": node("SolidMask", value=1.0, width=8, height=8),
        "0": node("SolidMask", value=0.0, width=24, height=24),
        "both": node("MaskComposite", destination=["0", 0], source=["1", 0], x=8, y=8, operation="add"),
        "grow": node("MaskGrowWithBlur+", mask=["both", 0], expand=3, blur_radius=0.0, tapered_corners=False),
        "blur": node("MaskGrowWithBlur+", mask=["both", 0], expand=0, blur_radius=2.0, tapered_corners=True),
        "grown": node("MaskToImage", mask=["grow", 0]),
        "blurred": node("MaskToImage", mask=["blur", 1]),
        "box": node("MaskBoundingBox+", mask=["grow", 0], padding=1),
        "cut": node("PreviewMask+", mask=["box", 0]),
    }
    (grown,) = server.pictures(graph, "grown")
    assert (grown[..., 0] == 255).sum() == 14 * 14
    (blurred,) = server.pictures(graph, "blurred")
    assert 0 < blurred[16, 8, 0] < 255
    outputs = server.outputs(graph | {f"box{i}": shown("box", i) for i in range(2, 6)})
    assert [outputs[f"box{i}"]["text"][0] for i in range(2, 6)] == ["4", "4", "16", "16"]
    (cut,) = outputs["cut"]["images"]
    assert cut["type"] == "temp"
    assert "_temp_" in cut["filename"]
    assert server.picture(cut).shape == (16, 16, 3)


def test_a_mask_of_a_color(server):
    mask = node("MaskFromColor+", image=["1", 0], red=0x33, green=0x66, blue=0x90, threshold=10)
    (picture,) = server.pictures({"1": solid(), "2": mask, "3": node("MaskToImage", mask=["2", 0])}, "3")
    assert picture.min() == 255


def loaded(name, **inputs):
    return {"1": node("LoadImageExtended", image=name, keep_alpha=False) | inputs}


def upload(server, name, color, **fields):
    file = io.BytesIO()
    Image.new("RGB", (10, 6), color).save(file, "PNG")
    files = {"image": (name, file.getvalue(), "image/png")}
    reply = server.post("/upload/image", files=files, data={"overwrite": "true", **fields})
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_a_new_upload_is_in_the_list_of_a_loader_and_is_accepted(server):
    choices = server.info("LoadImageExtended")["input"]["required"]["image"]
    assert "start.png" in choices[0]
    assert choices[1] == {"image_upload": True}
    assert "uploaded.png" not in choices[0]
    assert upload(server, "uploaded.png", (10, 20, 30))["name"] == "uploaded.png"
    (picture,) = server.pictures(loaded("uploaded.png"), "1")  # before the list is asked for again
    assert picture.shape == (6, 10, 3)
    assert tuple(picture[0, 0]) == (10, 20, 30)
    assert "uploaded.png" in server.info("LoadImageExtended")["input"]["required"]["image"][0]
    assert server.value(loaded("uploaded.png"), "1", 2) == "uploaded"


def test_a_loader_runs_again_when_its_file_has_changed(server):
    upload(server, "changing.png", (1, 1, 1))
    graph = loaded("changing.png") | {"2": node("PreviewPass", images=["1", 0])}
    assert tuple(server.picture(server.outputs(graph)["2"]["images"][0])[0, 0]) == (1, 1, 1)
    upload(server, "changing.png", (2, 2, 2))
    assert tuple(server.picture(server.outputs(graph)["2"]["images"][0])[0, 0]) == (2, 2, 2)


def test_a_loader_takes_names_in_subfolders_and_other_folders(server):
    upload(server, "deep.png", (5, 6, 7), subfolder="one/two")
    upload(server, "made.png", (7, 8, 9), type="temp")
    (deep,) = server.pictures(loaded("one/two/deep.png"), "1")
    (made,) = server.pictures(loaded("made.png [temp]"), "1")
    assert (tuple(deep[0, 0]), tuple(made[0, 0])) == ((5, 6, 7), (7, 8, 9))


@pytest.mark.parametrize("name", ["gone.png", "../server.log"])
def test_a_loader_refuses_what_is_not_there_in_its_own_words(server, name):
    graph = loaded(name) | {"2": node("PreviewPass", images=["1", 0])}
    (problem,) = server.refused(graph)["node_errors"]["1"]["errors"]
    assert problem["type"] == "custom_validation_failed"
    assert f"Invalid image file: {name}" in problem["details"]


def test_loading_a_list_of_paths(server):
    folder = server.base / "pictures"
    folder.mkdir(exist_ok=True)
    save_picture(folder / "a.png", (1, 2, 3))
    save_picture(folder / "b.jpg", (200, 200, 200))
    graph = {"1": node("LoadImagesFromPaths", paths=f'"{folder}"\nstart.png', load_cap=0)}
    assert [tuple(picture[0, 0]) for picture in server.pictures(graph, "1")] == [
        (1, 2, 3),
        (200, 200, 200),
        (200, 100, 50),
    ]
    assert server.value(graph, "1", 1) == ["a.png", "b.jpg", "start.png"]
    save_picture(folder / "c.png")
    assert len(server.pictures(graph, "1")) == 4  # IS_CHANGED saw it
    graph["1"]["inputs"]["paths"] = "/no/such/folder"
    graph["2"] = node("PreviewImage", images=["1", 0])
    assert "Path does not exist: /no/such/folder" in str(server.refused(graph)["node_errors"])


def test_a_subclass_of_the_built_in_loader(server):
    assert "start.png" in server.info("LoadImageWithSize")["input"]["required"]["image"][0]
    graph = {"1": node("LoadImageWithSize", image="start.png")}
    (picture,) = server.pictures(graph, "1")
    assert tuple(picture[0, 0]) == (200, 100, 50)
    assert [server.value(graph, "1", slot) for slot in (2, 3)] == ["24", "12"]
    save_picture(server.base / "input" / "start2.png", size=(7, 5))
    assert server.value({"1": node("LoadImageWithSize", image="start2.png")}, "1", 2) == "7"
    graph = {"1": node("LoadImageWithSize", image="nowhere.png"), "2": shown("1")}
    assert server.refused(graph)["node_errors"]["1"]["errors"][0]["type"] == "custom_validation_failed"


def test_subclasses_of_the_built_in_savers(server):
    graph = {
        "1": solid(count=2),
        "pass": node("PreviewPass", images=["1", 0]),
        "save": node("SaveImageWithFolder", images=["pass", 0], filename_prefix="tools", folder="by/size-%width%"),
        "names": shown("save"),
    }
    workflow = {"nodes": [], "version": 0.4}
    outputs = server.outputs(graph, extra_data={"extra_pnginfo": {"workflow": workflow}})
    assert {image["type"] for image in outputs["pass"]["images"]} == {"temp"}
    saved = outputs["save"]["images"]
    assert saved[0] == {"filename": "tools_00001_.png", "subfolder": "by/size-32", "type": "output"}
    assert outputs["names"]["text"] == ["tools_00001_.png, tools_00002_.png"]
    picture = Image.open(io.BytesIO(server.file(saved[1])))
    assert json.loads(picture.text["prompt"])["save"]["class_type"] == "SaveImageWithFolder"
    assert json.loads(picture.text["workflow"]) == workflow


def test_batches_become_lists_and_lists_become_batches(server):
    graph = {
        "1": solid(count=3),
        "list": node("ImageBatchToList+", image=["1", 0]),
        "each": node("GetImageSizeAndCount", image=["list", 0]),
        "paths": node("LoadImagesFromPaths", paths="start.png", load_cap=1),
        "batch": node("ImageListToBatch+", images=["list", 0]),
        "all": node("GetImageSizeAndCount", image=["batch", 0]),
    }
    outputs = server.outputs(graph)
    assert outputs["each"]["text"] == ["1x32x16"] * 3
    assert outputs["all"]["text"] == ["3x32x16"]


def test_inputs_that_only_the_editor_script_adds_reach_the_node(server):
    inputs = {f"image_{i}": [str(i), 0] for i in range(1, 5)}
    graph = {str(i): solid(i) for i in range(1, 5)}
    graph["batch"] = node("ImageBatchMulti", inputcount=4, **inputs)
    graph["count"] = node("GetImageSizeAndCount", image=["batch", 0])
    assert server.outputs(graph)["count"]["text"] == ["4x32x16"]
    blues = [picture[0, 0, 2] for picture in server.pictures(graph, "batch")]
    assert np.array_equal(blues, [1, 2, 3, 4])


def test_a_text_as_an_image_is_refused(server):
    graph = {"t": constant("no image"), "2": node("PreviewPass", images=["t", 0])}
    assert server.refused(graph)["node_errors"]["2"]["errors"][0]["type"] == "return_type_mismatch"
