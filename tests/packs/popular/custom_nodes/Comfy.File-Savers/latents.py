import json
import os

import comfy.utils
import folder_paths
import safetensors.torch
import torch


class SaveLatentFile:
    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {"samples": ("LATENT",), "filename_prefix": ("STRING", {"default": "latents/saved"})},
            "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"},
        }

    RETURN_TYPES = ()
    FUNCTION = "save"
    OUTPUT_NODE = True
    CATEGORY = "file savers/latent"

    def save(self, samples, filename_prefix, prompt=None, extra_pnginfo=None):
        folder, filename, counter, subfolder, _ = folder_paths.get_save_image_path(
            filename_prefix, folder_paths.get_output_directory()
        )
        metadata = {"prompt": json.dumps(prompt)} if prompt is not None else None
        file = f"{filename}_{counter:05}_.latent"
        output = {"latent_tensor": samples["samples"].contiguous(), "latent_format_version_0": torch.tensor([])}
        comfy.utils.save_torch_file(output, os.path.join(folder, file), metadata=metadata)
        return {"ui": {"latents": [{"filename": file, "subfolder": subfolder, "type": "output"}]}}


class LoadLatentFile:
    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"latent": ("STRING", {"default": "saved.latent [output]"})}}

    RETURN_TYPES = ("LATENT", "STRING")
    FUNCTION = "load"
    CATEGORY = "file savers/latent"

    def load(self, latent):
        path = folder_paths.get_annotated_filepath(latent)
        tensors = safetensors.torch.load_file(path, device="cpu")
        again = comfy.utils.load_torch_file(path, safe_load=True) if path.endswith(".safetensors") else tensors
        samples = {"samples": again["latent_tensor"].float()}
        return (samples, str(tuple(samples["samples"].shape)))

    @classmethod
    def IS_CHANGED(s, latent):
        return os.path.getmtime(folder_paths.get_annotated_filepath(latent))

    @classmethod
    def VALIDATE_INPUTS(s, latent):
        if not folder_paths.exists_annotated_filepath(latent):
            return "Invalid latent file: {}".format(latent)
        return True


NODE_CLASS_MAPPINGS = {"SaveLatentFile.fs": SaveLatentFile, "LoadLatentFile.fs": LoadLatentFile}
