import os
import sys

import comfy.samplers
import folder_paths
import numpy as np
import torch
from nodes import *  # noqa: F403


class Color:
    """No JSON knows it."""

    def __repr__(self):
        return "#336699"


class HabitsOptions:
    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "number": ("FLOAT", {"default": 0.5, "min": -float("inf"), "max": float("inf")}),
                "count": ("INT", {"default": 1, "min": -sys.maxsize, "max": 2**70}),
                "size": ([256, 512, 1024], {"default": 512}),
                "flag": ([True, False],),
                "level": (np.array([0.5, 1.0]).tolist(), {"default": np.float32(0.5)}),
                "key": ({"first": 1, "second": 2}.keys(),),
            },
            "optional": {"color": ("HABITS_COLOR", {"default": Color(), "choices": {"a", "b"}, "call": len})},
        }

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    OUTPUT_NODE = True

    def run(self, number, count, size, flag, level, key, color=None):
        text = f"{number} {count} {size} {flag} {level} {key}"
        return {"ui": {"text": (text,), "size": [np.int32(size), torch.tensor(level)]}, "result": (text,)}


class HabitsSampler:
    """Gives a choice of a list, to be linked to a list."""

    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "sampler_name": (comfy.samplers.KSampler.SAMPLERS,),
                "lora": (folder_paths.get_filename_list("loras"),),
            }
        }

    RETURN_TYPES = (comfy.samplers.KSampler.SAMPLERS, folder_paths.get_filename_list("habits"))
    RETURN_NAMES = ("sampler_name",)
    FUNCTION = "run"

    def run(self, sampler_name, lora):
        return (sampler_name, folder_paths.get_full_path("loras", lora))


class HabitsNext:
    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"sampler_name": (comfy.samplers.KSampler.SAMPLERS,)}}

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    OUTPUT_NODE = True

    def run(self, sampler_name):
        print(f"habits: {sampler_name}")
        return {"ui": {"text": [sampler_name]}, "result": (sampler_name,)}


class HabitsTrain:
    """Needs gradients, which nodes have to ask for."""

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"image": ("IMAGE",), "steps": ("INT", {"default": 50})}}

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    OUTPUT_NODE = True

    def run(self, image, steps):
        with torch.inference_mode(False), torch.enable_grad():
            target = image.clone()
            guess = torch.zeros(3, requires_grad=True)
            optimizer = torch.optim.SGD([guess], lr=0.4)
            for _ in range(steps):
                optimizer.zero_grad()
                ((guess - target) ** 2).mean(dim=(0, 1, 2)).sum().backward()
                optimizer.step()
        return {"ui": {"text": [" ".join(f"{value:.2f}" for value in guess.tolist())]}}


class HabitsMethods:
    """Methods that are no class methods, and an instance that remembers."""

    def __init__(self, device="cpu"):
        self.device = device
        self.runs = 0

    @classmethod
    def INPUT_TYPES(self):
        return {"required": {"text": ("STRING", {"default": ""})}, "optional": {"unused": ("IMAGE",)}}

    RETURN_TYPES = "STRING"
    FUNCTION = "__call__"
    OUTPUT_NODE = True
    CATEGORY = ""

    def IS_CHANGED(self, text, unused=None):
        return text

    def __call__(self, text, unused=None):
        self.runs += 1
        return {"ui": {"text": [f"{text} {self.runs}"]}, "result": [text]}


class HabitsPrepared:
    """What the start-up script has left."""

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {}}

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    OUTPUT_NODE = True

    def run(self):
        return {"ui": {"text": [os.environ.get("HABITS_PREPARED", "no")]}}


class HabitsPath:
    """Looks for its own folder below the base folder, or beside the server's modules."""

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {}}

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    OUTPUT_NODE = True

    def run(self):
        comfy_dir = os.path.dirname(os.path.realpath(folder_paths.__file__))
        places = [
            os.path.join(folder_paths.base_path, "models"),
            os.path.join(comfy_dir, "input"),
            folder_paths.models_dir,
            folder_paths.get_user_directory(),
        ]
        return {"ui": {"text": [str(os.path.isdir(place)) for place in places]}}


class HabitsBorrow:
    """Calls classes of other packs, in either style, as they are found in the server's list."""

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"image": ("IMAGE",)}}

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    OUTPUT_NODE = True

    def run(self, image):
        import nodes

        if "ImageCrop+" not in nodes.NODE_CLASS_MAPPINGS:
            raise Exception("install ComfyUI-Image-Tools for this")
        crop = nodes.NODE_CLASS_MAPPINGS["ImageCrop+"]
        (image, *_) = getattr(crop(), crop.FUNCTION)(image, 8, 4, "center", 0, 0)
        adjust = nodes.NODE_CLASS_MAPPINGS["V3Images_Adjust"]
        (image, mean) = getattr(adjust, adjust.FUNCTION)(image=image, amount=0.5, mode="multiply")
        invert = nodes.NODE_CLASS_MAPPINGS["ImageInvert"]
        (image,) = getattr(invert(), invert.FUNCTION)(image=image)
        from custom_nodes.comfyui_prompt_tools.nodes import TextReplace

        text = TextReplace().run(f"{tuple(image.shape)}", " ", "")[0]
        return {"ui": {"text": [text, nodes.NODE_DISPLAY_NAME_MAPPINGS["ImageCrop+"]]}, "result": (image,)}


class HabitsProcess:
    """Works in another process, and looks where it stands."""

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"number": ("INT", {"default": 3})}}

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    OUTPUT_NODE = True

    def run(self, number):
        import subprocess

        code = f"print({number} * 7)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return {"ui": {"text": [done.stdout.strip()]}, "result": (int(done.stdout),)}


NODE_CLASS_MAPPINGS = {
    "HabitsBorrow": HabitsBorrow,
    "HabitsProcess": HabitsProcess,
    "HabitsPrepared": HabitsPrepared,
    "HabitsOptions": HabitsOptions,
    "HabitsSampler 采样/器": HabitsSampler,
    "HabitsNext": HabitsNext,
    "HabitsTrain": HabitsTrain,
    "HabitsMethods": HabitsMethods,
    "HabitsPath": HabitsPath,
}
