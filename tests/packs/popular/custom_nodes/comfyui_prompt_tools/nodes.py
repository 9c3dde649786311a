import csv
import os
import random
import re

import folder_paths
import nodes
import prompt_tools_wildcards

HERE = os.path.dirname(os.path.realpath(__file__))
STYLES = os.path.join(HERE, "styles.csv")
WILDCARDS = os.path.join(HERE, "wildcards")

# The two ways in which packs add a kind of model.
folder_paths.add_model_folder_path("prompt_words", os.path.join(folder_paths.models_dir, "prompt_words"))
if "prompt_presets" not in folder_paths.folder_names_and_paths:
    folder_paths.folder_names_and_paths["prompt_presets"] = ([os.path.join(HERE, "presets")], {".txt"})
os.makedirs(os.path.join(folder_paths.models_dir, "prompt_words"), exist_ok=True)


def read_styles():
    if not os.path.exists(STYLES):
        return {}
    with open(STYLES, newline="", encoding="utf-8-sig") as file:
        return {row["name"]: (row["prompt"] or "", row["negative_prompt"] or "") for row in csv.DictReader(file)}


class TextConcatenate:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "delimiter": ("STRING", {"default": ", "}),
                "clean_whitespace": (["true", "false"],),
            },
            "optional": {
                "text_a": ("STRING", {"forceInput": True}),
                "text_b": ("STRING", {"forceInput": True}),
                "text_c": ("STRING", {"forceInput": True}),
            },
        }

    RETURN_TYPES = ("STRING",)
    FUNCTION = "text_concatenate"
    CATEGORY = "🔤 prompt tools/text"

    def text_concatenate(self, delimiter, clean_whitespace, **kwargs):
        text_inputs = []
        if delimiter in ("\n", "\\n"):
            delimiter = "\n"
        for k in sorted(kwargs.keys()):
            v = kwargs[k]
            if isinstance(v, str):
                if clean_whitespace == "true":
                    v = v.strip()
                if v != "":
                    text_inputs.append(v)
        return (delimiter.join(text_inputs),)


class TextReplace:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "text": ("STRING", {"default": "", "multiline": True, "dynamicPrompts": False}),
                "find": ("STRING", {"default": ""}),
                "replace": ("STRING", {"default": ""}),
            }
        }

    RETURN_TYPES = ("STRING", "INT")
    RETURN_NAMES = ("result_text", "replacements")
    FUNCTION = "run"
    CATEGORY = "🔤 prompt tools/text"

    def run(self, text, find, replace):
        return (text.replace(find, replace), text.count(find) if find else 0)


class TextRegex:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "text": ("STRING", {"default": "", "multiline": True}),
                "pattern": ("STRING", {"default": ""}),
                "mode": (["substitute", "find all", "split"],),
            },
            "optional": {"substitute": ("STRING", {"default": ""})},
        }

    RETURN_TYPES = ("STRING",)
    OUTPUT_IS_LIST = (True,)
    FUNCTION = "run"
    CATEGORY = "🔤 prompt tools/text"

    @classmethod
    def VALIDATE_INPUTS(cls, pattern):
        try:
            re.compile(pattern or "")
        except re.error as e:
            return f"Invalid regular expression: {e}"
        return True

    def run(self, text, pattern, mode, substitute=""):
        if mode == "find all":
            return ([m.group(0) for m in re.finditer(pattern, text)],)
        if mode == "split":
            return (re.split(pattern, text),)
        return ([re.sub(pattern, substitute, text)],)


class TextWildcards:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "text": ("STRING", {"default": "", "multiline": True}),
                "seed": ("INT", {"default": 0, "min": 0, "max": 0xFFFFFFFFFFFFFFFF}),
            },
            "optional": {"insert": (["none", *sorted(os.path.splitext(f)[0] for f in os.listdir(WILDCARDS))],)},
        }

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "🔤 prompt tools/text"

    def run(self, text, seed, insert="none"):
        if insert != "none":
            text = f"{text} __{insert}__".strip()
        return (prompt_tools_wildcards.process(text, WILDCARDS, seed),)


class StyleSelector:
    """Reads its CSV whenever the interface is asked for, so that edits show after a refresh."""

    @classmethod
    def INPUT_TYPES(cls):
        cls.styles = read_styles()
        return {
            "required": {
                "positive": ("STRING", {"default": "", "multiline": True}),
                "style": (list(cls.styles.keys()),),
            },
        }

    RETURN_TYPES = ("STRING", "STRING")
    RETURN_NAMES = ("positive prompt", "negative prompt")
    FUNCTION = "execute"
    CATEGORY = "🔤 prompt tools/style"

    def execute(self, positive, style):
        prompt, negative = self.styles[style]
        if "{prompt}" in prompt:
            prompt = prompt.replace("{prompt}", positive)
        else:
            prompt = ", ".join(part for part in (positive, prompt) if part)
        return (prompt, negative)


class SeedNode:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"seed": ("INT", {"default": 0, "min": -1, "max": 0xFFFFFFFFFFFFFFFF})},
            "hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO", "unique_id": "UNIQUE_ID"},
        }

    RETURN_TYPES = ("INT",)
    RETURN_NAMES = ("SEED",)
    FUNCTION = "main"
    CATEGORY = "🔤 prompt tools"

    @classmethod
    def IS_CHANGED(cls, seed, prompt=None, extra_pnginfo=None, unique_id=None):
        if seed < 0:
            return float("NaN")
        return seed

    def main(self, seed=0, prompt=None, extra_pnginfo=None, unique_id=None):
        if seed >= 0:
            return (seed,)
        new_seed = random.SystemRandom().randint(0, 1 << 50)
        if extra_pnginfo is not None:  # written into the workflow of saved pictures
            found = [n for n in extra_pnginfo["workflow"]["nodes"] if str(n["id"]) == str(unique_id)]
            for node in found:
                node["widgets_values"] = [new_seed]
        if prompt is not None:
            prompt[str(unique_id)]["inputs"]["seed"] = new_seed
        return {"ui": {"seed": (new_seed,)}, "result": (new_seed,)}


class ShowText:
    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {"text": ("STRING", {"forceInput": True})},
            "hidden": {"unique_id": "UNIQUE_ID", "extra_pnginfo": "EXTRA_PNGINFO"},
        }

    INPUT_IS_LIST = True
    RETURN_TYPES = ("STRING",)
    FUNCTION = "notify"
    OUTPUT_NODE = True
    OUTPUT_IS_LIST = (True,)
    CATEGORY = "🔤 prompt tools"

    def notify(self, text, unique_id=None, extra_pnginfo=None):
        if unique_id is not None and extra_pnginfo is not None:
            if not isinstance(extra_pnginfo, list):
                print("Error: extra_pnginfo is not a list")
            elif not isinstance(extra_pnginfo[0], dict) or "workflow" not in extra_pnginfo[0]:
                print("Error: extra_pnginfo[0] is not a dict or has no workflow")
            else:
                workflow = extra_pnginfo[0]["workflow"]
                node = next((x for x in workflow["nodes"] if str(x["id"]) == str(unique_id[0])), None)
                if node:
                    node["widgets_values"] = [text]
        return {"ui": {"text": text}, "result": (text,)}


class EncodePair:
    """Both prompts by the built-in node."""

    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "clip": ("CLIP",),
                "positive": ("STRING", {"multiline": True}),
                "negative": ("STRING", {"multiline": True}),
            }
        }

    RETURN_TYPES = ("CONDITIONING", "CONDITIONING")
    RETURN_NAMES = ("positive", "negative")
    FUNCTION = "encode"
    CATEGORY = "🔤 prompt tools/conditioning"

    def encode(self, clip, positive, negative):
        encoder = nodes.CLIPTextEncode()
        return (encoder.encode(clip, positive)[0], encoder.encode(clip, negative)[0])


class EncodeByTokens:
    """The same by the text encoder's own methods, and what became of the text."""

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"clip": ("CLIP",), "text": ("STRING", {"multiline": True})}}

    RETURN_TYPES = ("CONDITIONING", "STRING")
    FUNCTION = "encode"
    CATEGORY = "🔤 prompt tools/conditioning"

    def encode(self, clip, text):
        if clip is None:
            raise RuntimeError("ERROR: clip input is invalid: None")
        tokens = clip.tokenize(text)
        cond, pooled = clip.encode_from_tokens(tokens, return_pooled=True)
        report = f"{tuple(cond.shape)} {sorted(tokens)} {len(tokens['l'])} {len(tokens['l'][0])}"
        return ([[cond, {"pooled_output": pooled}]], report)


class ConditioningDifference:
    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"a": ("CONDITIONING",), "b": ("CONDITIONING",)}}

    RETURN_TYPES = ("FLOAT", "STRING")
    FUNCTION = "compare"
    CATEGORY = "🔤 prompt tools/conditioning"

    def compare(self, a, b):
        difference = (a[0][0] - b[0][0]).abs().max().item()
        return (difference, f"{difference:.6f}")


class SampleWithPrompt:
    """All of text-to-image in one node, by the built-in classes."""

    @classmethod
    def INPUT_TYPES(s):
        import comfy.samplers

        return {
            "required": {
                "ckpt_name": (folder_paths.get_filename_list("checkpoints"),),
                "prompt": ("STRING", {"multiline": True}),
                "seed": ("INT", {"default": 0, "min": 0, "max": 0xFFFFFFFFFFFFFFFF, "control_after_generate": True}),
                "sampler_name": (comfy.samplers.KSampler.SAMPLERS,),
                "scheduler": (comfy.samplers.KSampler.SCHEDULERS,),
            }
        }

    RETURN_TYPES = ("IMAGE", "LATENT")
    FUNCTION = "sample"
    CATEGORY = "🔤 prompt tools"

    def sample(self, ckpt_name, prompt, seed, sampler_name, scheduler):
        model, clip, vae = nodes.CheckpointLoaderSimple().load_checkpoint(ckpt_name)[:3]
        positive = nodes.CLIPTextEncode().encode(clip, prompt)[0]
        negative = nodes.NODE_CLASS_MAPPINGS["CLIPTextEncode"]().encode(clip=clip, text="")[0]
        latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]
        (samples,) = nodes.common_ksampler(
            model, seed, 2, 7.0, sampler_name, scheduler, positive, negative, latent, denoise=1.0
        )
        return (nodes.VAEDecode().decode(vae, samples)[0], samples)


class PresetLoader:
    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {"preset": (folder_paths.get_filename_list("prompt_presets"),)},
            "optional": {"words": (["none"] + folder_paths.get_filename_list("prompt_words"),)},
        }

    RETURN_TYPES = ("STRING",)
    FUNCTION = "load"
    CATEGORY = "🔤 prompt tools"

    def load(self, preset, words="none"):
        texts = []
        for kind, name in (("prompt_presets", preset), ("prompt_words", words)):
            if name != "none":
                with open(folder_paths.get_full_path(kind, name), encoding="utf-8") as file:
                    texts.append(file.read().strip())
        return (", ".join(texts),)


NODE_CLASS_MAPPINGS = {
    "Text Concatenate (Prompt Tools)": TextConcatenate,
    "Text Replace (Prompt Tools)": TextReplace,
    "Text Regex|pt": TextRegex,
    "TextWildcards|pt": TextWildcards,
    "StyleSelector|pt": StyleSelector,
    "Seed (pt)": SeedNode,
    "ShowText|pt": ShowText,
    "EncodePair|pt": EncodePair,
    "EncodeByTokens|pt": EncodeByTokens,
    "ConditioningDifference|pt": ConditioningDifference,
    "SampleWithPrompt|pt": SampleWithPrompt,
    "PresetLoader|pt": PresetLoader,
}
NODE_DISPLAY_NAME_MAPPINGS = {key: key.split("|")[0] + " 🔤" for key in NODE_CLASS_MAPPINGS}
