"""What is run again, and when: counters, change detection, node ids in keys."""

import asyncio
import typing
from collections import Counter

from .values import ANY

RUNS = Counter()


def count(key):
    RUNS[key] += 1
    return RUNS[key]


class RuleCount:
    """Gives how often it ran under its key."""

    CATEGORY = "rules/caching"
    RETURN_TYPES = ("INT",)
    FUNCTION = "give"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"key": ("STRING", {})}, "optional": {"after": (ANY,)}}

    def give(self, key, after=None):
        return (count(key),)


class RuleCountAlways(RuleCount):
    """Changed each time: NaN equals nothing."""

    @classmethod
    def IS_CHANGED(cls, key, after=None):
        return float("nan")


class RuleCountTrue(RuleCount):
    """True is a constant, not a yes."""

    @classmethod
    def IS_CHANGED(cls, key, after=None):
        return True


class RuleCountBroken(RuleCount):
    @classmethod
    def IS_CHANGED(cls, key, after=None):
        raise ValueError("cannot tell")


ASKED = Counter()


class RuleCountChanged(RuleCount):
    """Changed when the number behind its key is; counts how often it was asked."""

    VALUES: typing.ClassVar = {}

    @classmethod
    def IS_CHANGED(cls, key, after=None):
        ASKED[key] += 1
        assert after is None, "links are None here"
        return cls.VALUES.get(key, 0)


class RuleCountChangedAsync(RuleCount):
    @classmethod
    async def IS_CHANGED(cls, key, after=None):
        await asyncio.sleep(0.01)
        return RuleCountChanged.VALUES.get(key, 0)


class RuleCountList:
    """Takes lists: so does its change detection, and its validator."""

    CATEGORY = "rules/caching"
    RETURN_TYPES = ("INT",)
    FUNCTION = "give"
    INPUT_IS_LIST = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"key": ("STRING", {})}}

    @classmethod
    def IS_CHANGED(cls, key):
        return key[0] if isinstance(key, list) else float("nan")

    @classmethod
    def VALIDATE_INPUTS(cls, key):
        return True if isinstance(key, list) else f"{key} is no list"

    def give(self, key):
        return (count(key[0]),)


class RuleChange:
    """Sets the number behind a key; gives how often change detection was asked for that key."""

    CATEGORY = "rules/caching"
    RETURN_TYPES = ("INT",)
    FUNCTION = "change"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"key": ("STRING", {}), "value": ("INT", {})}}

    @classmethod
    def IS_CHANGED(cls, key, value):
        return float("nan")

    def change(self, key, value):
        RuleCountChanged.VALUES[key] = value
        return (ASKED[key],)


class RuleCountOnce(RuleCount):
    """Its id takes part in the key."""

    NOT_IDEMPOTENT = True


class RuleCountId:
    """So does that of a node that asks for its id."""

    CATEGORY = "rules/caching"
    RETURN_TYPES = ("INT",)
    FUNCTION = "give"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"key": ("STRING", {})}, "hidden": {"id": "UNIQUE_ID"}}

    def give(self, key, id):
        return (count(key),)


class RuleRemember:
    """One object per node id: it keeps what it has seen."""

    CATEGORY = "rules/caching"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "remember"

    def __init__(self):
        self.seen = []

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {})}}

    def remember(self, text):
        self.seen.append(text)
        return (" ".join(self.seen),)


class RuleExpandRemember:
    """Expands into a node that remembers."""

    CATEGORY = "rules/caching"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "expand"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {})}}

    def expand(self, text):
        from comfy_execution.graph_utils import GraphBuilder

        graph = GraphBuilder()
        return {"result": (graph.node("RuleRemember", text=text).out(0),), "expand": graph.finalize()}


class RuleIntermediate:
    """No root, but its ui data is sent again when it comes from the cache."""

    CATEGORY = "rules/caching"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "give"
    HAS_INTERMEDIATE_OUTPUT = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {})}}

    def give(self, text):
        return {"ui": {"text": [text]}, "result": (text,)}


class RuleBallast:
    """Some megabytes."""

    CATEGORY = "rules/caching"
    RETURN_TYPES = ("BYTES",)
    FUNCTION = "give"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"megabytes": ("INT", {"max": 100000}), "key": ("STRING", {})}}

    def give(self, megabytes, key):
        return (bytearray(b"x") * (megabytes << 20),)


CLASSES = {name: value for name, value in list(globals().items()) if name.startswith("Rule")}
