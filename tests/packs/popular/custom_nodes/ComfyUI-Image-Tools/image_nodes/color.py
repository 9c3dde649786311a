import os
from concurrent.futures import ThreadPoolExecutor

import comfy.model_management as mm
import numpy as np
import torch
from comfy.utils import ProgressBar

main_device = mm.get_torch_device()
offload_device = mm.intermediate_device()


def match_statistics(picture, reference):
    result = np.empty_like(picture)
    for channel in range(3):
        source, target = picture[..., channel], reference[..., channel]
        spread = source.std()
        scale = target.std() / spread if spread > 1e-6 else 0.0
        result[..., channel] = (source - source.mean()) * scale + target.mean()
    return result


class ColorMatch:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "image_ref": ("IMAGE",),
                "image_target": ("IMAGE",),
                "method": (["mean-std"], {"default": "mean-std"}),
            },
            "optional": {
                "strength": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 10.0, "step": 0.01}),
                "multithread": ("BOOLEAN", {"default": True}),
            },
        }

    CATEGORY = "image tools/color"
    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("image",)
    FUNCTION = "colormatch"
    DESCRIPTION = """
Moves the colors of the target
towards those of the reference.
"""

    def colormatch(self, image_ref, image_target, method, strength=1.0, multithread=True):
        image_ref = image_ref.cpu()
        image_target = image_target.cpu()
        batch_size = image_target.size(0)
        if image_ref.size(0) > 1 and image_ref.size(0) != batch_size:
            raise ValueError("ColorMatch: Use either single reference image or a matching batch of reference images.")
        pbar = ProgressBar(batch_size)

        def process(i):
            target = image_target[i].numpy()
            reference = image_ref[min(i, image_ref.size(0) - 1)].numpy()
            matched = match_statistics(target, reference)
            matched = target + strength * (matched - target)
            pbar.update(1)
            return torch.from_numpy(matched.astype(np.float32))

        if multithread and batch_size > 1:
            with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, batch_size)) as executor:
                out = list(executor.map(process, range(batch_size)))
        else:
            out = [process(i) for i in range(batch_size)]
        return (torch.stack(out, dim=0).to(torch.float32).clamp_(0, 1),)


class ImageDesaturate:
    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "image": ("IMAGE",),
                "factor": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.05, "display": "slider"}),
                "method": (["luminance (Rec.709)", "average"],),
            }
        }

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "execute"
    CATEGORY = "image tools/color"

    def execute(self, image, factor, method):
        image = image.to(main_device)
        if method == "average":
            grey = image[..., :3].mean(dim=3)
        else:
            grey = 0.2126 * image[..., 0] + 0.7152 * image[..., 1] + 0.0722 * image[..., 2]
        grey = (1.0 - factor) * image[..., :3] + factor * grey.unsqueeze(-1)
        return (grey.to(offload_device),)


NODE_CLASS_MAPPINGS = {"ColorMatch+": ColorMatch, "ImageDesaturate+": ImageDesaturate}
NODE_DISPLAY_NAME_MAPPINGS = {"ColorMatch+": "🔧 Color Match"}
