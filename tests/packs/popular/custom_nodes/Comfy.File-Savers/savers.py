import json
import os
import time
from datetime import datetime

import folder_paths
import numpy as np
from comfy.cli_args import args
from PIL import Image
from PIL.PngImagePlugin import PngInfo


class SaveTextFile:
    def __init__(self):
        self.output_dir = folder_paths.get_output_directory()
        self.type = "output"

    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "text": ("STRING", {"forceInput": True}),
                "filename_prefix": ("STRING", {"default": "text/%date%"}),
                "extension": ([".txt", ".md", ".csv"],),
                "mode": (["new file", "append", "overwrite"],),
            }
        }

    OUTPUT_NODE = True
    RETURN_TYPES = ("STRING", "STRING")
    RETURN_NAMES = ("text", "path")
    FUNCTION = "save"
    CATEGORY = "file savers"

    def save(self, text, filename_prefix, extension, mode):
        filename_prefix = filename_prefix.replace("%date%", datetime.now().strftime("%Y-%m-%d"))
        folder, filename, counter, subfolder, filename_prefix = folder_paths.get_save_image_path(
            filename_prefix, self.output_dir, 1, 1
        )
        name = f"{filename}_{counter:05}_{extension}" if mode == "new file" else f"{filename}{extension}"
        path = os.path.join(folder, name)
        with open(path, "a" if mode == "append" else "w", encoding="utf-8") as f:
            f.write(text + "\n" if mode == "append" else text)
        shown = {"filename": name, "subfolder": subfolder, "type": self.type}
        return {"ui": {"text": (text,), "files": [shown]}, "result": (text, path)}


class SaveJsonFile:
    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {"data": ("STRING", {"multiline": True}), "filename_prefix": ("STRING", {"default": "data"})},
            "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"},
        }

    OUTPUT_NODE = True
    RETURN_TYPES = ()
    FUNCTION = "save"
    CATEGORY = "file savers"

    def save(self, data, filename_prefix, prompt=None, extra_pnginfo=None):
        full_output_folder, filename, counter, subfolder, _ = folder_paths.get_save_image_path(
            filename_prefix, folder_paths.get_output_directory()
        )
        file = f"{filename}_{counter:05}_.json"
        content = {"data": json.loads(data), "prompt": prompt, "workflow": (extra_pnginfo or {}).get("workflow")}
        with open(os.path.join(full_output_folder, file), "w") as f:
            json.dump(content, f)
        return {"ui": {"json": [{"filename": file, "subfolder": subfolder, "type": "output"}]}}


class SaveImageExtended:
    """PNG, JPEG or WebP, the workflow in it however the format allows."""

    type = "output"

    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "images": ("IMAGE",),
                "filename_prefix": ("STRING", {"default": "ComfyUI"}),
                "format": (["webp", "jpeg", "png"],),
                "quality": ("INT", {"default": 80, "min": 1, "max": 100}),
            },
            "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"},
        }

    RETURN_TYPES = ()
    FUNCTION = "save_images"
    OUTPUT_NODE = True
    CATEGORY = "file savers"

    def save_images(self, images, filename_prefix, format, quality, prompt=None, extra_pnginfo=None):
        output_dir = folder_paths.get_output_directory()
        full_output_folder, filename, counter, subfolder, filename_prefix = folder_paths.get_save_image_path(
            filename_prefix, output_dir, images[0].shape[1], images[0].shape[0]
        )
        results = []
        for batch_number, image in enumerate(images):
            i = 255.0 * image.cpu().numpy()
            img = Image.fromarray(np.clip(i, 0, 255).astype(np.uint8))
            name = filename.replace("%batch_num%", str(batch_number))
            file = f"{name}_{counter:05}_.{'jpg' if format == 'jpeg' else format}"
            path = os.path.join(full_output_folder, file)
            if format == "png":
                metadata = None
                if not args.disable_metadata:
                    metadata = PngInfo()
                    if prompt is not None:
                        metadata.add_text("prompt", json.dumps(prompt))
                    for x in extra_pnginfo or ():
                        metadata.add_text(x, json.dumps(extra_pnginfo[x]))
                img.save(path, pnginfo=metadata, compress_level=4)
            else:
                exif = img.getexif()
                if not args.disable_metadata:
                    if prompt is not None:
                        exif[0x0110] = "prompt:{}".format(json.dumps(prompt))
                    tag = 0x010F
                    for x in extra_pnginfo or ():
                        exif[tag] = "{}:{}".format(x, json.dumps(extra_pnginfo[x]))
                        tag -= 1
                img.save(path, format=format, quality=quality, exif=exif.tobytes())
            results.append({"filename": file, "subfolder": subfolder, "type": self.type})
            counter += 1
        return {"ui": {"images": results}}


class SaveToCounter:
    """Counts by itself, in a folder given as an absolute or relative path."""

    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "images": ("IMAGE",),
                "path": ("STRING", {"default": ""}),
                "prefix": ("STRING", {"default": "img"}),
                "digits": ("INT", {"default": 4, "min": 1, "max": 9}),
            }
        }

    RETURN_TYPES = ("IMAGE", "STRING")
    FUNCTION = "save"
    OUTPUT_NODE = True
    CATEGORY = "file savers"

    @classmethod
    def IS_CHANGED(s, **kwargs):
        return time.time()

    def save(self, images, path, prefix, digits):
        root = folder_paths.output_directory
        folder = path if os.path.isabs(path) else os.path.join(root, path)
        os.makedirs(folder, exist_ok=True)
        files = []
        for image in images:
            taken = [f for f in os.listdir(folder) if f.startswith(prefix + "-")]
            number = max([int(os.path.splitext(f)[0][len(prefix) + 1 :]) for f in taken], default=0) + 1
            file = os.path.join(folder, f"{prefix}-{number:0{digits}}.png")
            Image.fromarray((image.numpy() * 255).astype(np.uint8)).save(file)
            files.append(file)
        return (images, "\n".join(files))


NODE_CLASS_MAPPINGS = {
    "SaveTextFile.fs": SaveTextFile,
    "SaveJsonFile.fs": SaveJsonFile,
    "SaveImageExtended.fs": SaveImageExtended,
    "SaveToCounter.fs": SaveToCounter,
}
