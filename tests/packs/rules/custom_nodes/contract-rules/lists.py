"""Lists, and what is made of them."""

import json

from .values import ANY


class RuleList:
    CATEGORY = "rules/lists"
    RETURN_TYPES = ("STRING",)
    OUTPUT_IS_LIST = (True,)
    FUNCTION = "give"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"words": ("STRING", {})}}

    def give(self, words):
        return (words.split(),)


class RulePair:
    """Called once per element; shorter lists repeat their last one."""

    CATEGORY = "rules/lists"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "join"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"a": ("STRING", {}), "b": ("STRING", {})}}

    def join(self, a, b):
        return (a + b,)


class RuleDouble:
    """Gives a list per call: they are put one after another."""

    CATEGORY = "rules/lists"
    RETURN_TYPES = ("STRING", "STRING")
    OUTPUT_IS_LIST = (True, False)
    FUNCTION = "give"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {})}}

    def give(self, text):
        return ([text, text], f"{text}!")


class RuleWhole:
    """Takes whole lists, widgets too."""

    CATEGORY = "rules/lists"
    RETURN_TYPES = ()
    FUNCTION = "show"
    OUTPUT_NODE = True
    INPUT_IS_LIST = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"values": (ANY,), "label": ("STRING", {"default": "x"})}, "hidden": {"id": "UNIQUE_ID"}}

    def show(self, values, label, id):
        return {"ui": {"text": [json.dumps([values, label, id])]}}


class RuleShowEach:
    """An output node that maps: its ui data are put one after another, key by key."""

    CATEGORY = "rules/lists"
    RETURN_TYPES = ()
    FUNCTION = "show"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {})}}

    def show(self, text):
        return {"ui": {"text": [text], "lengths": [len(text)]}}


class RuleCalls:
    """Shows how it was called, also without any argument."""

    CATEGORY = "rules/lists"
    RETURN_TYPES = ()
    FUNCTION = "show"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {})}, "optional": {"other": ("STRING", {})}}

    def show(self, **inputs):
        return {"ui": {"text": [json.dumps(inputs, sort_keys=True)]}}


CLASSES = {name: value for name, value in list(globals().items()) if name.startswith("Rule")}
