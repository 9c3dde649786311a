"""Validators, lazy inputs, raw links."""

import asyncio
import json

from .values import ANY


class _Valued:
    CATEGORY = "rules/inputs"
    RETURN_TYPES = ()
    FUNCTION = "show"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"number": ("INT", {"min": 0, "max": 10}), "text": ("STRING", {"default": ""})}}

    def show(self, number, text):
        return {"ui": {"text": [f"{number} {text}"]}}


class RuleValidated(_Valued):
    """Its validator names `number` and therefore answers for its range."""

    @classmethod
    def VALIDATE_INPUTS(cls, number):
        if number is None:
            return True
        if number == 13:
            return "thirteen is unlucky"
        if number == 14:
            raise ValueError("fourteen breaks the validator")
        return number != 12


class RuleValidatedAsync(_Valued):
    @classmethod
    async def VALIDATE_INPUTS(cls, number):
        await asyncio.sleep(0.01)
        return True if number != 13 else "thirteen is unlucky"


class RuleValidatedAll(_Valued):
    """Takes `**kwargs`, and so every input."""

    @classmethod
    def VALIDATE_INPUTS(cls, **inputs):
        return True if inputs["text"] != "bad" else f"bad among {sorted(inputs)}"


class RuleValidatedTypes:
    """Checks the types of links itself."""

    CATEGORY = "rules/inputs"
    RETURN_TYPES = ()
    FUNCTION = "show"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("IMAGE",)}}

    @classmethod
    def VALIDATE_INPUTS(cls, input_types):
        return True if input_types["value"] in ("STRING", "IMAGE") else f"no {input_types['value']} here"

    def show(self, value):
        return {"ui": {"text": [str(value)]}}


class RuleSwitch:
    """A lazy switch."""

    CATEGORY = "rules/inputs"
    RETURN_TYPES = (ANY,)
    FUNCTION = "choose"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "first": ("BOOLEAN", {}),
                "on_true": (ANY, {"lazy": True}),
                "on_false": (ANY, {"lazy": True}),
            }
        }

    def check_lazy_status(self, first, on_true=None, on_false=None):
        return ["on_true"] if first else ["on_false"]

    def choose(self, first, on_true=None, on_false=None):
        return (on_true if first else on_false,)


class RuleSwitchAsync(RuleSwitch):
    async def check_lazy_status(self, first, on_true=None, on_false=None):
        await asyncio.sleep(0.01)
        return ["on_true"] if first else ["on_false"]


class RuleLazySteps:
    """Asks for one input after another until one holds."""

    CATEGORY = "rules/inputs"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "show"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {name: ("STRING", {"lazy": True}) for name in "abc"}}

    def check_lazy_status(self, **inputs):
        for name in "abc":
            if inputs.get(name) is None:
                return [name]
            if inputs[name] == "stop":
                return []
        return None

    def show(self, **inputs):
        return (json.dumps(inputs, sort_keys=True),)


class RuleLazyUnasked:
    """Lazy, but it never asks: what nobody else computed is None."""

    CATEGORY = "rules/inputs"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "show"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"lazy": True})}}

    def show(self, text):
        return (json.dumps(text),)


class RuleLazyList:
    """Takes lists: unevaluated inputs are `[None]` there."""

    CATEGORY = "rules/inputs"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "show"
    INPUT_IS_LIST = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {"lazy": True})}}

    def check_lazy_status(self, text):
        return ["text"] if list(text) == [None] else []

    def show(self, text):
        return (json.dumps(text),)


class RuleLazyAbsent(RuleLazyUnasked):
    """Asks for an input that it does not have."""

    def check_lazy_status(self, **inputs):
        return ["nowhere"]


class RuleRawLink:
    CATEGORY = "rules/inputs"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "show"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"source": (ANY, {"rawLink": True})}}

    def show(self, source):
        return (json.dumps(source),)


CLASSES = {name: value for name, value in list(globals().items()) if name.startswith("Rule")}
