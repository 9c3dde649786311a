import math

import comfy.utils
import torch
from nodes import MAX_RESOLUTION


class ImageResize:
    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "image": ("IMAGE",),
                "width": ("INT", {"default": 512, "min": 0, "max": MAX_RESOLUTION, "step": 1}),
                "height": ("INT", {"default": 512, "min": 0, "max": MAX_RESOLUTION, "step": 1}),
                "interpolation": (["nearest", "bilinear", "bicubic", "area", "nearest-exact", "lanczos"],),
                "method": (["stretch", "keep proportion", "fill / crop", "pad"],),
                "condition": (["always", "downscale if bigger", "upscale if smaller"],),
                "multiple_of": ("INT", {"default": 0, "min": 0, "max": 512, "step": 1}),
            }
        }

    RETURN_TYPES = ("IMAGE", "INT", "INT")
    RETURN_NAMES = ("IMAGE", "width", "height")
    FUNCTION = "execute"
    CATEGORY = "image tools/resize"

    def execute(
        self, image, width, height, method="stretch", interpolation="nearest", condition="always", multiple_of=0
    ):
        _, oh, ow, _ = image.shape
        x = y = x2 = y2 = 0
        pad = [0, 0, 0, 0]
        if multiple_of > 1:
            width -= width % multiple_of
            height -= height % multiple_of

        if method in ("keep proportion", "pad"):
            ratio = min((width or MAX_RESOLUTION) / ow, (height or MAX_RESOLUTION) / oh)
            new_width, new_height = round(ow * ratio), round(oh * ratio)
            if method == "pad":
                pad = [(width - new_width) // 2, 0, (height - new_height) // 2, 0]
                pad[1], pad[3] = width - new_width - pad[0], height - new_height - pad[2]
            width, height = new_width, new_height
        elif method.startswith("fill"):
            width, height = width or ow, height or oh
            ratio = max(width / ow, height / oh)
            new_width, new_height = round(ow * ratio), round(oh * ratio)
            x, y = (new_width - width) // 2, (new_height - height) // 2
            x2, y2 = x + width, y + height
            width, height = new_width, new_height
        else:
            width, height = width or ow, height or oh

        wanted = (
            condition == "always"
            or (condition.startswith("downscale") and (oh > height or ow > width))
            or (condition.startswith("upscale") and (oh < height or ow < width))
        )
        outputs = image
        if wanted:
            outputs = image.permute(0, 3, 1, 2)
            if interpolation == "lanczos":
                outputs = comfy.utils.lanczos(outputs, width, height)
            else:
                outputs = torch.nn.functional.interpolate(outputs, size=(height, width), mode=interpolation)
            if any(pad):
                outputs = torch.nn.functional.pad(outputs, pad, value=0)
            outputs = outputs.permute(0, 2, 3, 1)
            if x2 > 0:
                outputs = outputs[:, y:y2, x:x2, :]
        outputs = torch.clamp(outputs, 0, 1)
        return (outputs, outputs.shape[2], outputs.shape[1])


class ImageScaleToMegapixels:
    upscale_methods = ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "image": ("IMAGE",),
                "upscale_method": (cls.upscale_methods, {"default": "lanczos"}),
                "megapixels": ("FLOAT", {"default": 1.0, "min": 0.001, "max": 16.0, "step": 0.001}),
            },
            "optional": {"crop": (["disabled", "center"],)},
        }

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "upscale"
    CATEGORY = "image tools/resize"

    def upscale(self, image, upscale_method, megapixels, crop="disabled"):
        samples = image.movedim(-1, 1)
        scale_by = math.sqrt(megapixels * 1024 * 1024 / (samples.shape[3] * samples.shape[2]))
        width = round(samples.shape[3] * scale_by)
        height = round(samples.shape[2] * scale_by)
        s = comfy.utils.common_upscale(samples, width, height, upscale_method, crop)
        return (s.movedim(1, -1),)


class ImageCrop:
    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "image": ("IMAGE",),
                "width": ("INT", {"default": 256, "min": 0, "max": MAX_RESOLUTION, "step": 8}),
                "height": ("INT", {"default": 256, "min": 0, "max": MAX_RESOLUTION, "step": 8}),
                "position": (["top-left", "top-right", "center", "bottom-left", "bottom-right"],),
                "x_offset": ("INT", {"default": 0, "min": -99999, "step": 1}),
                "y_offset": ("INT", {"default": 0, "min": -99999, "step": 1}),
            }
        }

    RETURN_TYPES = ("IMAGE", "INT", "INT")
    RETURN_NAMES = ("IMAGE", "x", "y")
    FUNCTION = "execute"
    CATEGORY = "image tools/resize"

    def execute(self, image, width, height, position, x_offset, y_offset):
        _, oh, ow, _ = image.shape
        width, height = min(ow, width), min(oh, height)
        x = y = 0
        if "center" in position:
            x, y = round((ow - width) / 2), round((oh - height) / 2)
        if "right" in position:
            x = ow - width
        if "bottom" in position:
            y = oh - height
        x, y = max(0, min(x + x_offset, ow - width)), max(0, min(y + y_offset, oh - height))
        return (image[:, y : y + height, x : x + width, :], x, y)


NODE_CLASS_MAPPINGS = {
    "ImageResize+": ImageResize,
    "ImageScaleToMegapixels+": ImageScaleToMegapixels,
    "ImageCrop+": ImageCrop,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "ImageResize+": "🔧 Image Resize",
    "ImageScaleToMegapixels+": "🔧 Scale To Megapixels",
    "ImageCrop+": "🔧 Image Crop",
}
