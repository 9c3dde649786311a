import random

import folder_paths
from nodes import PreviewImage, SaveImage


class PreviewPass(PreviewImage):
    """Shows images and hands them on."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "execute"
    OUTPUT_NODE = True
    CATEGORY = "image tools/save"

    def execute(self, images, prompt=None, extra_pnginfo=None):
        result = self.save_images(images, filename_prefix="passed", prompt=prompt, extra_pnginfo=extra_pnginfo)
        return {"ui": result["ui"], "result": (images,)}


class PreviewMask(SaveImage):
    """Sets everything by hand, without the parent's constructor."""

    def __init__(self):
        self.output_dir = folder_paths.get_temp_directory()
        self.type = "temp"
        self.prefix_append = "_temp_" + "".join(
            random.choice("abcdehijklmnopqrstupvxyzABCDEFGHIJKLMNOPQRSTUPVXYZ") for x in range(5)
        )
        self.compress_level = 4

    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {"mask": ("MASK",)},
            "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"},
        }

    FUNCTION = "execute"
    CATEGORY = "image tools/save"

    def execute(self, mask, filename_prefix="mask", prompt=None, extra_pnginfo=None):
        preview = mask.reshape((-1, 1, mask.shape[-2], mask.shape[-1])).movedim(1, -1).expand(-1, -1, -1, 3)
        return self.save_images(preview, filename_prefix, prompt, extra_pnginfo)


class SaveImageWithFolder(SaveImage):
    """Adds a widget to the parent's inputs and changes the prefix."""

    @classmethod
    def INPUT_TYPES(cls):
        types = super().INPUT_TYPES()
        types["required"]["folder"] = ("STRING", {"default": ""})
        return types

    RETURN_TYPES = ("STRING",)
    RETURN_NAMES = ("filenames",)
    FUNCTION = "save_in_folder"
    CATEGORY = "image tools/save"

    def save_in_folder(self, images, filename_prefix, folder, prompt=None, extra_pnginfo=None):
        prefix = f"{folder}/{filename_prefix}" if folder else filename_prefix
        saved = super().save_images(images, prefix, prompt, extra_pnginfo)
        names = ", ".join(image["filename"] for image in saved["ui"]["images"])
        return {"ui": saved["ui"], "result": (names,)}


NODE_CLASS_MAPPINGS = {
    "PreviewPass": PreviewPass,
    "PreviewMask+": PreviewMask,
    "SaveImageWithFolder": SaveImageWithFolder,
}
