"""Sources and sinks: constants of each type, nodes that show what they received, in every form of result."""

import json
import os
import time

from comfy_execution.graph import ExecutionBlocker


class AnyType(str):
    """A type that says of itself that it differs from nothing."""

    def __ne__(self, other):
        return False


ANY = AnyType("*")
ODD_ANY = AnyType("anything at all")


def described(value):
    """What a node received, as text that tells types apart."""
    if isinstance(value, ExecutionBlocker):
        return "blocker"
    if isinstance(value, (str, int, float, bool, type(None), list, tuple, dict)):
        return json.dumps(value)
    return type(value).__name__


class RuleText:
    CATEGORY = "rules/values"
    DESCRIPTION = "Gives its text"
    RETURN_TYPES = ("STRING",)
    RETURN_NAMES = ("words",)
    OUTPUT_TOOLTIPS = ("what was given",)
    FUNCTION = "give"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"default": "", "multiline": True})}}

    def give(self, text):
        return (text,)


class RuleNumber:
    CATEGORY = "rules/values"
    RETURN_TYPES = ("INT", "FLOAT", "BOOLEAN")
    FUNCTION = "give"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "integer": ("INT", {"default": 1, "min": -10, "max": 10}),
                "number": ("FLOAT", {"default": 0.5, "min": 0.0, "max": 1.0}),
                "flag": ("BOOLEAN", {"default": False}),
            }
        }

    def give(self, integer, number, flag):
        return (integer, number, flag)


class RuleChoice:
    CATEGORY = "rules/values"
    RETURN_TYPES = (["red", "green"],)
    FUNCTION = "give"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"colour": (["red", "green"],)},
            "optional": {"shade": ("COMBO", {"options": ["light", "dark"]})},
        }

    def give(self, colour, shade="light"):
        return (colour,)


class RuleShow:
    """An output node for anything."""

    CATEGORY = "rules/values"
    RETURN_TYPES = ()
    FUNCTION = "show"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,)}}

    def show(self, value):
        return {"ui": {"text": [described(value)]}}


class RuleShowOdd(RuleShow):
    """A wildcard whose text is not `*`."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ODD_ANY,)}}


class RuleShowStar(RuleShow):
    """`*` as a plain string."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("*",)}}


class RuleShowUnion(RuleShow):
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT, STRING",)}}


class RuleShowImage(RuleShow):
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("IMAGE",)}}


class RuleShowChoice(RuleShow):
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("COMBO", {"options": ["red", "green"]})}}


class RuleShowList(RuleShow):
    """Its input is a list constant."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("LIST",)}}


class RuleWild:
    """Gives its input under a type that matches everything."""

    CATEGORY = "rules/values"
    RETURN_TYPES = (ODD_ANY,)
    FUNCTION = "give"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,)}}

    def give(self, value):
        return (value,)


class EveryIndex(tuple):
    """Outputs without end, as packs with many-armed switches declare them."""

    def __getitem__(self, index):
        return ANY if index >= len(self) else super().__getitem__(index)


class RuleManyOutputs:
    CATEGORY = "rules/values"
    RETURN_TYPES = EveryIndex(("STRING",))
    FUNCTION = "give"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def give(self):
        return ("first", "second", "third")


class AnyName(dict):
    """Optional inputs of any name, as packs with growing nodes declare them."""

    def __contains__(self, name):
        return True

    def __getitem__(self, name):
        return (ANY,)


class RuleJoin:
    """Takes inputs that it does not declare."""

    CATEGORY = "rules/values"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "join"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}, "optional": AnyName()}

    def join(self, **parts):
        return ("+".join(f"{name}={parts[name]}" for name in sorted(parts)),)


class RuleReturn:
    """Returns its outputs in one of the forms that are allowed."""

    CATEGORY = "rules/values"
    RETURN_TYPES = ("STRING", "STRING")
    FUNCTION = "give"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"form": ("STRING", {})}}

    def give(self, form):
        if form == "tuple":
            return ("a", "b")
        if form == "list":
            return ["a", "b"]
        if form == "dict":
            return {"result": ("a", "b"), "ui": {"text": ["shown"], "numbers": [1, 2.5, None]}}
        if form == "result only":
            return {"result": ("a", "b")}
        if form == "blocker":
            return ExecutionBlocker(None)
        return {"number": 7, "text": "text", "none": None}[form]


class RuleNothing:
    """An output node that returns nothing, in one of the forms that are allowed."""

    CATEGORY = "rules/values"
    RETURN_TYPES = ()
    FUNCTION = "give"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"form": ("STRING", {})}}

    def give(self, form):
        return {"tuple": (), "dict": {}, "none": None}[form]


class RuleHidden:
    CATEGORY = "rules/values"
    RETURN_TYPES = ()
    FUNCTION = "show"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {},
            "hidden": {
                "prompt": "PROMPT",
                "info": "EXTRA_PNGINFO",
                "own_id": "UNIQUE_ID",
                "graph": "DYNPROMPT",
                "token": "AUTH_TOKEN_COMFY_ORG",
                "key": "API_KEY_COMFY_ORG",
                "source": "COMFY_USAGE_SOURCE",
            },
        }

    def show(self, prompt, info, own_id, graph, token, key, source):
        told = {
            "classes": sorted(node["class_type"] for node in prompt.values()),
            "inputs": prompt[own_id]["inputs"],
            "info": info,
            "own_id": own_id,
            "in_graph": [graph.has_node(own_id), graph.has_node("absent"), sorted(graph.all_node_ids())],
            "ids": [
                graph.get_parent_node_id(own_id),
                graph.get_real_node_id(own_id),
                graph.get_display_node_id(own_id),
            ],
            "class": graph.get_node(own_id)["class_type"],
            "same": graph.get_original_prompt() == prompt,
            "secrets": [token == "a token", key == "a key"],
            "source": source,
        }
        return {"ui": {"text": [json.dumps(told)]}}


class RuleDefault:
    """The default of the declaration is not the default of the function."""

    CATEGORY = "rules/values"
    RETURN_TYPES = ()
    FUNCTION = "show"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}, "optional": {"text": ("STRING", {"default": "declared"})}}

    def show(self, text="of the function"):
        return {"ui": {"text": [text]}}


class RuleFolder:
    """The working directory."""

    CATEGORY = "rules/values"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "give"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def give(self):
        return (os.getcwd(),)  # noqa: PTH109 - as packs ask


class RuleClock:
    """Shows when it ran: for the order of nodes."""

    CATEGORY = "rules/values"
    RETURN_TYPES = ("FLOAT",)
    FUNCTION = "give"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"key": ("STRING", {})}, "optional": {"after": (ANY,)}}

    def give(self, key, after=None):
        return (time.monotonic(),)


CLASSES = {name: value for name, value in list(globals().items()) if name.startswith("Rule")}
