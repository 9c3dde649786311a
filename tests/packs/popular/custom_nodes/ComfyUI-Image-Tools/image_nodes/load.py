import hashlib
import os

import folder_paths
import node_helpers
import numpy as np
import torch
from nodes import LoadImage
from PIL import Image, ImageOps, ImageSequence

IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")


def strip_path(path):
    path = path.strip()
    if path.startswith('"'):
        path = path[1:]
    if path.endswith('"'):
        path = path[:-1]
    return path


class LoadImageExtended:
    """Lists the input folder by itself, as the copies of LoadImage in many packs do."""

    @classmethod
    def INPUT_TYPES(s):
        input_dir = folder_paths.get_input_directory()
        files = [f for f in os.listdir(input_dir) if os.path.isfile(os.path.join(input_dir, f))]
        return {
            "required": {
                "image": (sorted(files), {"image_upload": True}),
                "keep_alpha": ("BOOLEAN", {"default": False}),
            }
        }

    CATEGORY = "image tools/load"
    RETURN_TYPES = ("IMAGE", "MASK", "STRING")
    RETURN_NAMES = ("image", "mask", "filename")
    FUNCTION = "load_image"

    def load_image(self, image, keep_alpha):
        image_path = folder_paths.get_annotated_filepath(image)
        img = node_helpers.pillow(Image.open, image_path)
        output_images, output_masks = [], []
        for i in ImageSequence.Iterator(img):
            i = node_helpers.pillow(ImageOps.exif_transpose, i)
            if i.mode == "I":
                i = i.point(lambda v: v * (1 / 255))
            frame = i.convert("RGBA" if keep_alpha else "RGB")
            output_images.append(torch.from_numpy(np.array(frame).astype(np.float32) / 255.0)[None,])
            if "A" in i.getbands():
                mask = np.array(i.getchannel("A")).astype(np.float32) / 255.0
                mask = 1.0 - torch.from_numpy(mask)
            else:
                mask = torch.zeros((64, 64), dtype=torch.float32, device="cpu")
            output_masks.append(mask.unsqueeze(0))
        return (torch.cat(output_images, dim=0), torch.cat(output_masks, dim=0), os.path.splitext(image)[0])

    @classmethod
    def IS_CHANGED(s, image, **kwargs):
        image_path = folder_paths.get_annotated_filepath(image)
        m = hashlib.sha256()
        with open(image_path, "rb") as f:
            m.update(f.read())
        return m.digest().hex()

    @classmethod
    def VALIDATE_INPUTS(s, image):
        if not folder_paths.exists_annotated_filepath(image):
            return f"Invalid image file: {image}"
        return True


class LoadImagesFromPaths:
    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "paths": ("STRING", {"default": "", "multiline": True}),
                "load_cap": ("INT", {"default": 0, "min": 0, "max": 4096}),
            }
        }

    CATEGORY = "image tools/load"
    RETURN_TYPES = ("IMAGE", "STRING")
    RETURN_NAMES = ("images", "names")
    OUTPUT_IS_LIST = (True, True)
    FUNCTION = "load"

    @staticmethod
    def _files(paths):
        found = []
        for line in map(strip_path, paths.splitlines()):
            if not line:
                continue
            if os.path.isdir(line):
                names = sorted(os.listdir(line))
                found += [os.path.join(line, name) for name in names if name.lower().endswith(IMAGE_EXTENSIONS)]
            elif os.path.isabs(line):
                found.append(line)
            else:
                found.append(folder_paths.get_annotated_filepath(line))
        return found

    def load(self, paths, load_cap):
        files = self._files(paths)
        if load_cap:
            files = files[:load_cap]
        if not files:
            raise FileNotFoundError("No valid images found in the given paths.")
        images = []
        for file in files:
            image = ImageOps.exif_transpose(Image.open(file)).convert("RGB")
            images.append(torch.from_numpy(np.array(image).astype(np.float32) / 255.0)[None,])
        return (images, [os.path.basename(file) for file in files])

    @classmethod
    def IS_CHANGED(cls, paths, load_cap):
        digest = hashlib.sha256()
        for file in cls._files(paths):
            if os.path.isfile(file):
                digest.update(file.encode("utf-8"))
                digest.update(str(os.path.getmtime(file)).encode("utf-8"))
        return digest.hexdigest()

    @classmethod
    def VALIDATE_INPUTS(cls, paths):
        for line in map(strip_path, paths.splitlines()):
            known = os.path.exists(line) or folder_paths.exists_annotated_filepath(line)
            if line and not known:
                return "Path does not exist: {}".format(line)
        return True


class LoadImageWithSize(LoadImage):
    """The built-in class with more outputs."""

    RETURN_TYPES = (*LoadImage.RETURN_TYPES, "INT", "INT")
    RETURN_NAMES = ("image", "mask", "width", "height")
    FUNCTION = "load_with_size"
    CATEGORY = "image tools/load"

    def load_with_size(self, image):
        loaded, mask = self.load_image(image)
        return (loaded, mask, loaded.shape[2], loaded.shape[1])


NODE_CLASS_MAPPINGS = {
    "LoadImageExtended": LoadImageExtended,
    "LoadImagesFromPaths": LoadImagesFromPaths,
    "LoadImageWithSize": LoadImageWithSize,
}
NODE_DISPLAY_NAME_MAPPINGS = {"LoadImageExtended": "Load Image (extended)"}
