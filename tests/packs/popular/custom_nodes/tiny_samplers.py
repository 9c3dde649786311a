"""Sampling by the functions below the nodes, as packs with samplers of their own do."""

import comfy.sample
import comfy.samplers
import comfy.sd
import comfy.utils
import folder_paths
import latent_preview
import torch
from comfy import model_management
from nodes import VAEDecode, common_ksampler


class TinyLoader:
    """Checkpoints by the function of `comfy.sd`."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"ckpt_name": (folder_paths.get_filename_list("checkpoints"),)}}

    RETURN_TYPES = ("MODEL", "CLIP", "VAE", "STRING")
    FUNCTION = "load"
    CATEGORY = "tiny samplers"

    def load(self, ckpt_name):
        path = folder_paths.get_full_path_or_raise("checkpoints", ckpt_name)
        out = comfy.sd.load_checkpoint_guess_config(
            path, output_vae=True, output_clip=True, embedding_directory=folder_paths.get_folder_paths("embeddings")
        )
        return (*out[:3], ckpt_name)


class TinySampler:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "model": ("MODEL",),
                "seed": ("INT", {"default": 0, "min": 0, "max": 0xFFFFFFFFFFFFFFFF}),
                "steps": ("INT", {"default": 2, "min": 1, "max": 10000}),
                "cfg": ("FLOAT", {"default": 8.0}),
                "sampler_name": (comfy.samplers.KSampler.SAMPLERS,),
                "scheduler": (comfy.samplers.KSampler.SCHEDULERS,),
                "positive": ("CONDITIONING",),
                "negative": ("CONDITIONING",),
                "latent_image": ("LATENT",),
                "way": (["common_ksampler", "comfy.sample", "KSampler", "sample_custom"],),
            }
        }

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "sample"
    CATEGORY = "tiny samplers"

    def sample(self, model, seed, steps, cfg, sampler_name, scheduler, positive, negative, latent_image, way):
        if way == "common_ksampler":
            return common_ksampler(model, seed, steps, cfg, sampler_name, scheduler, positive, negative, latent_image)
        model = model.clone()
        latent = latent_image["samples"]
        latent = comfy.sample.fix_empty_latent_channels(model, latent)
        noise = comfy.sample.prepare_noise(latent, seed, latent_image.get("batch_index"))
        callback = latent_preview.prepare_callback(model, steps)
        disable_pbar = not comfy.utils.PROGRESS_BAR_ENABLED
        device = model_management.get_torch_device()
        if way == "comfy.sample":
            samples = comfy.sample.sample(
                model,
                noise,
                steps,
                cfg,
                sampler_name,
                scheduler,
                positive,
                negative,
                latent,
                denoise=1.0,
                disable_noise=False,
                start_step=None,
                last_step=None,
                force_full_denoise=False,
                noise_mask=None,
                callback=callback,
                disable_pbar=disable_pbar,
                seed=seed,
            )
        elif way == "KSampler":
            sampler = comfy.samplers.KSampler(
                model,
                steps=steps,
                device=device,
                sampler=sampler_name,
                scheduler=scheduler,
                denoise=1.0,
                model_options=model.model_options,
            )
            samples = sampler.sample(
                noise, positive, negative, cfg=cfg, latent_image=latent, callback=callback, disable_pbar=True, seed=seed
            )
        else:
            sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), scheduler, steps)
            sampler = comfy.samplers.sampler_object(sampler_name)
            samples = comfy.sample.sample_custom(
                model,
                noise,
                cfg,
                sampler,
                sigmas,
                positive,
                negative,
                latent,
                noise_mask=None,
                callback=callback,
                disable_pbar=disable_pbar,
                seed=seed,
            )
        out = latent_image.copy()
        out["samples"] = samples.to(model_management.intermediate_device())
        return (out,)


class TinyVae:
    """There and back."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"vae": ("VAE",), "pixels": ("IMAGE",), "tiled": ("BOOLEAN", {"default": False})}}

    RETURN_TYPES = ("IMAGE", "LATENT")
    FUNCTION = "run"
    CATEGORY = "tiny samplers"

    def run(self, vae, pixels, tiled):
        latent = vae.encode_tiled(pixels[:, :, :, :3]) if tiled else vae.encode(pixels[:, :, :, :3])
        images = vae.decode_tiled(latent) if tiled else vae.decode(latent)
        if len(images.shape) == 5:
            images = images.reshape(-1, images.shape[-3], images.shape[-2], images.shape[-1])
        return (images, {"samples": latent})


class TinyRegions:
    """Works on conditioning and latents as the plain data that they are."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "clip": ("CLIP",),
                "vae": ("VAE",),
                "texts": ("STRING", {"default": "a|b", "multiline": True}),
                "latent": ("LATENT",),
                "skip": ("INT", {"default": -1, "min": -24, "max": -1}),
            }
        }

    RETURN_TYPES = ("CONDITIONING", "LATENT", "IMAGE", "STRING")
    FUNCTION = "run"
    CATEGORY = "tiny samplers"

    def run(self, clip, vae, texts, latent, skip):
        clip = clip.clone()
        clip.clip_layer(skip)
        entries = []
        for text in texts.split("|"):
            cond, pooled = clip.encode_from_tokens(clip.tokenize(text), return_pooled=True)
            entries.append([cond, {"pooled_output": pooled, "strength": 0.5}])
        cond = torch.cat([entry[0] for entry in entries], dim=1)
        latent = latent.copy()
        latent["samples"] = torch.nn.functional.interpolate(latent["samples"], scale_factor=2, mode="nearest-exact")
        latent["noise_mask"] = torch.ones((1, 1, *(8 * size for size in latent["samples"].shape[-2:])))
        (image,) = VAEDecode().decode(vae, latent)
        return ([[cond, entries[0][1]]], latent, image, f"{tuple(cond.shape)} {tuple(image.shape)}")


NODE_CLASS_MAPPINGS = {
    "TinyLoader": TinyLoader,
    "TinySampler": TinySampler,
    "TinyVae": TinyVae,
    "TinyRegions": TinyRegions,
}
