"""Packs with something wrong: file -> source. Written down by the fixture, since not all of it is Python."""

GOOD_CLASS = """
class Good:
    CATEGORY = "half broken"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {})}}

    def run(self, text):
        return (text + "!",)
"""

BROKEN_PACKS = {
    "needs-a-library/__init__.py": "from .nodes import NODE_CLASS_MAPPINGS\n",
    "needs-a-library/nodes.py": "import a_library_that_nobody_has\nNODE_CLASS_MAPPINGS = {}\n",
    "wrong-syntax/__init__.py": "def broken(:\n    pass\n",
    "exits.py": "import sys\nsys.exit('this pack wants another Python')\n",
    "crashes/__init__.py": "import ctypes\nctypes.string_at(0)\n",
    "half-broken/prestartup_script.py": "raise SystemExit('not ready')\n",
    "half-broken/__init__.py": GOOD_CLASS
    + """
class BadInputs(Good):
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"style": (open("/nonexistent/styles.csv").read(),)}}

class NoMethod(Good):
    FUNCTION = "walk"

NODE_CLASS_MAPPINGS = {"HalfBadInputs": BadInputs, "HalfGood": Good, "HalfNoMethod": NoMethod, "HalfNothing": None}
""",
    "switched-off.disabled/__init__.py": "raise RuntimeError('nobody imports this')\n",
    "too-deep.py": "import comfy.ldm.modules.attention_xyz\nNODE_CLASS_MAPPINGS = {}\n",
    "too-deep-names.py": "from nodes import UNETLoaderOfTomorrow\nNODE_CLASS_MAPPINGS = {}\n",
    "overrides.py": GOOD_CLASS + "NODE_CLASS_MAPPINGS = {'KSampler': Good, 'OverridesOwn': Good}\n",
    "not-a-pack.py": "ANSWER = 42\n",
    "no-extension.py": "def comfy_entrypoint():\n    return None\n",
    "odd-error.py": "class Odd(Exception):\n    def __str__(self):\n        return 1 / 0\nraise Odd\n",
    "late/__init__.py": "import asyncio\nasync def comfy_entrypoint():\n    raise LookupError('no nodes today')\n",
}
