from .wild import ByPassTypeTuple, FlexibleOptionalInputType, any_type

try:
    from comfy_execution.graph_utils import ExecutionBlocker
except ImportError:
    ExecutionBlocker = None


class AnySwitch:
    """The first input that there is, by name."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}, "optional": FlexibleOptionalInputType(any_type)}

    RETURN_TYPES = (any_type,)
    RETURN_NAMES = ("*",)
    FUNCTION = "switch"
    CATEGORY = "logic/switch"

    def switch(self, **kwargs):
        for key, value in kwargs.items():
            if key.startswith("any_") and value is not None:
                return (value,)
        return (None,)


class IfElse:
    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {"boolean": ("BOOLEAN", {"default": True})},
            "optional": {"on_true": (any_type, {"lazy": True}), "on_false": (any_type, {"lazy": True})},
        }

    RETURN_TYPES = (any_type,)
    RETURN_NAMES = ("*",)
    FUNCTION = "execute"
    CATEGORY = "logic/switch"

    def check_lazy_status(self, boolean, on_true=None, on_false=None):
        if boolean and on_true is None:
            return ["on_true"]
        if not boolean and on_false is None:
            return ["on_false"]
        return None

    def execute(self, boolean, on_true=None, on_false=None):
        return (on_true if boolean else on_false,)


class IndexSwitch:
    @classmethod
    def INPUT_TYPES(cls):
        inputs = {
            "required": {"index": ("INT", {"default": 0, "min": 0, "max": 9, "step": 1})},
            "optional": {},
        }
        for i in range(10):
            inputs["optional"]["value%d" % i] = (any_type, {"lazy": True})
        return inputs

    RETURN_TYPES = (any_type,)
    RETURN_NAMES = ("value",)
    FUNCTION = "index_switch"
    CATEGORY = "logic/switch"

    def check_lazy_status(self, index, **kwargs):
        key = "value%d" % index
        if kwargs.get(key) is None and key in kwargs:
            return [key]
        return []

    def index_switch(self, index, **kwargs):
        return (kwargs["value%d" % index],)


class Blocker:
    """Lets its input through, or stops all that follow."""

    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {"continue": ("BOOLEAN", {"default": False}), "in": (any_type, {"default": None})},
            "optional": {"message": ("STRING", {"default": ""})},
        }

    RETURN_TYPES = (any_type,)
    RETURN_NAMES = ("out",)
    CATEGORY = "logic/switch"
    FUNCTION = "execute"

    def execute(self, **kwargs):
        if kwargs["continue"]:
            return (kwargs["in"],)
        return (ExecutionBlocker(kwargs.get("message") or None),)


class Distribute:
    """As many outputs as its editor script shows; the class declares one."""

    @classmethod
    def INPUT_TYPES(s):
        return {"required": {"values": ("STRING", {"default": "a,b,c"})}}

    RETURN_TYPES = ByPassTypeTuple((any_type,))
    RETURN_NAMES = ByPassTypeTuple(("value",))
    FUNCTION = "distribute"
    CATEGORY = "logic/switch"

    def distribute(self, values):
        return tuple(values.split(","))


class InversedSwitch:
    """Gives its input to the output that is selected; the others are blocked."""

    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {"select": ("INT", {"default": 1, "min": 1, "max": 999}), "input": (any_type,)},
            "hidden": {"prompt": "PROMPT", "unique_id": "UNIQUE_ID"},
        }

    RETURN_TYPES = ByPassTypeTuple((any_type,))
    FUNCTION = "doit"
    CATEGORY = "logic/switch"

    def doit(self, select, prompt, unique_id, input):
        linked = set()
        for node in prompt.values():
            for value in node.get("inputs", {}).values():
                if isinstance(value, list) and len(value) == 2 and value[0] == unique_id:
                    linked.add(value[1])
        return tuple(input if i + 1 == select else ExecutionBlocker(None) for i in range(max([*linked, select]) + 1))


SWITCH_CLASSES = {
    "Any Switch (logic)": AnySwitch,
    "logic ifElse": IfElse,
    "logic indexSwitch": IndexSwitch,
    "logic blocker": Blocker,
    "logic distribute": Distribute,
    "logic inversedSwitch": InversedSwitch,
}
SWITCH_NAMES = {"logic ifElse": "If else"}
