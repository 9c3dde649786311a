"""Nodes that harm the process that they run in."""

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path

from .values import ANY

_lent = []


class RuleHarm:
    CATEGORY = "rules/harm"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "harm"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"how": ("STRING", {})}, "optional": {"after": (ANY,)}}

    @classmethod
    def IS_CHANGED(cls, how, after=None):
        return float("nan")

    def harm(self, how, after=None):
        if how == "segfault":
            ctypes.string_at(0)
        elif how == "sys.exit":
            sys.exit(3)
        elif how == "os._exit":
            os._exit(7)
        elif how == "rubbish":
            os.write(1, bytes(range(256)) * 1000)
            os.write(2, b"\xff\xfe\x00" * 1000 + b"\n")
            sys.stdout.write("\ud800 half a character\n")
        elif how == "close":
            for descriptor in (0, 1, 2):
                os.close(descriptor)
        elif how == "lend":
            for descriptor in (0, 1, 2):
                os.close(descriptor)
            _lent.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(3))  # as another thread might, at that moment
        elif how == "grow":
            self.ballast = []
            while True:
                self.ballast.append(bytearray(b"x") * (64 << 20))
        elif how == "hang":
            ctypes.CDLL(None).sleep(600)  # holds nothing that Python could interrupt
        elif how == "spin":
            end = time.monotonic() + 600
            while time.monotonic() < end:
                pass
        return (f"survived {how}",)


class RuleTakeBack:
    """The other thread closes what it had open."""

    CATEGORY = "rules/harm"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "take"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"key": ("STRING", {})}}

    def take(self, key):
        closing = threading.Thread(target=lambda: [os.close(_lent.pop()) for _ in range(3)])
        closing.start()
        closing.join()
        return ("taken back",)


class RuleKillOnce:
    CATEGORY = "rules/harm"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "kill"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"marker": ("STRING", {})}}

    def kill(self, marker):
        if not Path(marker).exists():
            Path(marker).touch()
            time.sleep(0.1)
            os.kill(os.getpid(), signal.SIGKILL)
        return ("alive",)


class RulePrint:
    CATEGORY = "rules/harm"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "say"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {})}}

    def say(self, text):
        print(text, flush=True)  # noqa: T201
        os.write(2, f"error stream: {text}\n".encode())
        return (text,)


CLASSES = {name: value for name, value in list(globals().items()) if name.startswith("Rule")}
