"""Blockers, asynchronous nodes, errors, interruption."""

import asyncio
import time

import torch
from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.utils import ProgressBar

from comfy_execution.graph import ExecutionBlocker

from .values import ANY


class RuleGate:
    """Lets its value through, or blocks: silently, or with a message."""

    CATEGORY = "rules/flow"
    RETURN_TYPES = (ANY, "STRING")
    FUNCTION = "give"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,), "open": ("BOOLEAN", {}), "message": ("STRING", {"default": ""})}}

    def give(self, value, open, message):
        return (value if open else ExecutionBlocker(message or None), "the gate was asked")


class RuleGateEach:
    """Blocks the elements of a list that are named `no`."""

    CATEGORY = "rules/flow"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "give"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {})}}

    def give(self, text):
        return (ExecutionBlocker("no is blocked") if text == "no" else text,)


class RuleWait:
    """An asynchronous node."""

    CATEGORY = "rules/flow"
    RETURN_TYPES = ("FLOAT", "FLOAT")
    FUNCTION = "wait"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"seconds": ("FLOAT", {})}, "optional": {"after": (ANY,), "key": ("STRING", {})}}

    async def wait(self, seconds, after=None, key=""):
        started = time.monotonic()
        await asyncio.sleep(seconds)
        if key == "fail":
            raise ValueError("failed after waiting")
        return (started, time.monotonic())


_arrived = {}


class RuleMeet:
    """An asynchronous node that waits until so many of its key have come."""

    CATEGORY = "rules/flow"
    RETURN_TYPES = ("INT",)
    FUNCTION = "meet"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"key": ("STRING", {}), "count": ("INT", {}), "number": ("INT", {})}}

    async def meet(self, key, count, number):
        _arrived[key] = _arrived.get(key, 0) + 1
        async with asyncio.timeout(60):
            while _arrived[key] < count:  # noqa: ASYNC110 - some come from another thread
                await asyncio.sleep(0.01)
        return (_arrived[key],)


class RuleArrive:
    """Comes to the place where nodes of this key wait, and goes on at once."""

    CATEGORY = "rules/flow"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "arrive"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"key": ("STRING", {})}}

    def arrive(self, key):
        _arrived[key] = _arrived.get(key, 0) + 1
        return (key,)


class RuleSteps:
    """Some steps with progress; obeys an interrupt at each."""

    CATEGORY = "rules/flow"
    RETURN_TYPES = ("INT",)
    FUNCTION = "work"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"steps": ("INT", {"max": 100000}), "seconds": ("FLOAT", {"default": 0.0})}}

    def work(self, steps, seconds):
        bar = ProgressBar(steps)
        for _ in range(steps):
            time.sleep(seconds / steps)
            throw_exception_if_processing_interrupted()
            bar.update(1)
        return (steps,)


class RuleFail:
    CATEGORY = "rules/flow"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "fail"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {})}, "optional": {"after": (ANY,)}}

    def fail(self, text, after=None):
        raise RuntimeError(text)


class RuleMode:
    """Whether torch records gradients where nodes run."""

    CATEGORY = "rules/flow"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "show"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"asynchronous": ("BOOLEAN", {})}}

    def show(self, asynchronous):
        return (f"inference {torch.is_inference_mode_enabled()}",)


CLASSES = {name: value for name, value in list(globals().items()) if name.startswith("Rule")}
