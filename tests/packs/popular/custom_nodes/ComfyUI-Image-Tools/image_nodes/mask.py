import numpy as np
import torch
from nodes import MAX_RESOLUTION
from PIL import Image, ImageFilter

import comfy.utils


def tensor2pil(image):
    return Image.fromarray(np.clip(255.0 * image.cpu().numpy().squeeze(), 0, 255).astype(np.uint8))


def pil2tensor(image):
    return torch.from_numpy(np.array(image).astype(np.float32) / 255.0).unsqueeze(0)


class MaskGrowWithBlur:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "mask": ("MASK",),
                "expand": ("INT", {"default": 0, "min": -MAX_RESOLUTION, "max": MAX_RESOLUTION, "step": 1}),
                "blur_radius": ("FLOAT", {"default": 0.0, "min": 0.0, "max": 100, "step": 0.1}),
                "tapered_corners": ("BOOLEAN", {"default": True}),
            },
        }

    CATEGORY = "image tools/mask"
    RETURN_TYPES = ("MASK", "MASK")
    RETURN_NAMES = ("mask", "mask_inverted")
    FUNCTION = "expand_mask"

    def expand_mask(self, mask, expand, blur_radius, tapered_corners):
        import scipy.ndimage

        c = 0 if tapered_corners else 1
        kernel = np.array([[c, 1, c], [1, 1, 1], [c, 1, c]])
        out = []
        for m in mask.reshape((-1, mask.shape[-2], mask.shape[-1])).cpu():
            output = m.numpy()
            for _ in range(abs(expand)):
                grow = scipy.ndimage.grey_erosion if expand < 0 else scipy.ndimage.grey_dilation
                output = grow(output, footprint=kernel)
            out.append(torch.from_numpy(output))
        if blur_radius != 0:
            out = [
                pil2tensor(tensor2pil(m).filter(ImageFilter.GaussianBlur(blur_radius))).reshape(m.shape) for m in out
            ]
        result = torch.stack(out, dim=0)
        return (result, 1.0 - result)


class MaskBoundingBox:
    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {"mask": ("MASK",), "padding": ("INT", {"default": 0, "min": 0, "max": 4096, "step": 1})},
            "optional": {"image_optional": ("IMAGE",)},
        }

    RETURN_TYPES = ("MASK", "IMAGE", "INT", "INT", "INT", "INT")
    RETURN_NAMES = ("MASK", "IMAGE", "x", "y", "width", "height")
    FUNCTION = "execute"
    CATEGORY = "image tools/mask"

    def execute(self, mask, padding, image_optional=None):
        if mask.dim() == 2:
            mask = mask.unsqueeze(0)
        if image_optional is None:
            image_optional = mask.unsqueeze(3).repeat(1, 1, 1, 3)
        if image_optional.shape[1:3] != mask.shape[1:3]:
            image_optional = comfy.utils.common_upscale(
                image_optional.permute([0, 3, 1, 2]), mask.shape[2], mask.shape[1], "bicubic", "center"
            ).permute([0, 2, 3, 1])
        _, y, x = torch.where(mask > 0)
        x1, x2 = max(0, x.min().item() - padding), min(mask.shape[2], x.max().item() + 1 + padding)
        y1, y2 = max(0, y.min().item() - padding), min(mask.shape[1], y.max().item() + 1 + padding)
        return (mask[:, y1:y2, x1:x2], image_optional[:, y1:y2, x1:x2, :], x1, y1, x2 - x1, y2 - y1)


class MaskFromColor:
    @classmethod
    def INPUT_TYPES(s):
        channel = ("INT", {"default": 255, "min": 0, "max": 255, "step": 1})
        return {
            "required": {
                "image": ("IMAGE",),
                "red": channel,
                "green": channel,
                "blue": channel,
                "threshold": ("INT", {"default": 0, "min": 0, "max": 127, "step": 1}),
            }
        }

    RETURN_TYPES = ("MASK",)
    FUNCTION = "execute"
    CATEGORY = "image tools/mask"

    def execute(self, image, red, green, blue, threshold):
        temp = torch.clamp(image, 0, 1.0) * 255.0
        color = torch.tensor([red, green, blue])
        lower, upper = (color - threshold).clamp(min=0), (color + threshold).clamp(max=255)
        mask = ((temp.round() >= lower) & (temp.round() <= upper)).all(dim=-1)
        return (mask.float(),)


NODE_CLASS_MAPPINGS = {
    "MaskGrowWithBlur+": MaskGrowWithBlur,
    "MaskBoundingBox+": MaskBoundingBox,
    "MaskFromColor+": MaskFromColor,
}
