from .wild import any_type

OPERATIONS = {
    "a == b": lambda a, b: a == b,
    "a != b": lambda a, b: a != b,
    "a < b": lambda a, b: a < b,
    "a > b": lambda a, b: a > b,
    "a <= b": lambda a, b: a <= b,
    "a >= b": lambda a, b: a >= b,
}
BOOLEAN_OPERATIONS = {
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
    "xor": lambda a, b: a != b,
    "not a": lambda a, b: not a,
}


class Compare:
    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "a": (any_type, {"default": 0}),
                "b": (any_type, {"default": 0}),
                "comparison": (list(OPERATIONS.keys()), {"default": "a == b"}),
            }
        }

    RETURN_TYPES = ("BOOLEAN",)
    RETURN_NAMES = ("boolean",)
    FUNCTION = "compare"
    CATEGORY = "logic/compare"

    def compare(self, a, b, comparison):
        return (OPERATIONS[comparison](a, b),)


class BooleanLogic:
    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {
                "a": ("BOOLEAN", {"default": False, "label_on": "yes", "label_off": "no"}),
                "b": ("BOOLEAN", {"default": False}),
                "operation": (list(BOOLEAN_OPERATIONS),),
            }
        }

    RETURN_TYPES = ("BOOLEAN",)
    FUNCTION = "do"
    CATEGORY = "logic/compare"

    def do(self, a, b, operation):
        return (bool(BOOLEAN_OPERATIONS[operation](a, b)),)


class IsNone:
    @classmethod
    def INPUT_TYPES(s):
        return {"optional": {"any": (any_type,)}}

    RETURN_TYPES = ("BOOLEAN",)
    FUNCTION = "check"
    CATEGORY = "logic/compare"

    def check(self, any=None):
        return (any is None,)


class ShowAnything:
    @classmethod
    def INPUT_TYPES(s):
        return {
            "required": {},
            "optional": {"anything": (any_type, {})},
            "hidden": {"unique_id": "UNIQUE_ID", "extra_pnginfo": "EXTRA_PNGINFO"},
        }

    RETURN_TYPES = (any_type,)
    RETURN_NAMES = ("output",)
    INPUT_IS_LIST = True
    OUTPUT_NODE = True
    FUNCTION = "log_input"
    CATEGORY = "logic"

    def log_input(self, unique_id=None, extra_pnginfo=None, **kwargs):
        values = []
        for val in kwargs.get("anything", [None]):
            try:
                if isinstance(val, str):
                    values.append(val)
                elif isinstance(val, (int, float, bool)) or val is None:
                    values.append(str(val))
                elif isinstance(val, (list, tuple)):
                    values = list(val)
                else:
                    values.append(f"{type(val).__name__} {tuple(val.shape)}")
            except Exception:
                values.append(str(val))
        if len(values) == 1:
            return {"ui": {"text": values}, "result": (values[0],)}
        return {"ui": {"text": values}, "result": (values,)}


LOGIC_CLASSES = {
    "logic compare": Compare,
    "logic boolean": BooleanLogic,
    "logic isNone": IsNone,
    "logic showAnything": ShowAnything,
}
LOGIC_NAMES = {"logic showAnything": "Show Any"}
