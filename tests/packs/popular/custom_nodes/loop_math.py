"""Arithmetic and loops, in a single file."""

import ast
import math
import operator

from comfy_execution.graph import ExecutionBlocker
from comfy_execution.graph_utils import GraphBuilder, is_link

OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.Lt: operator.lt,
    ast.Gt: operator.gt,
    ast.Eq: operator.eq,
}
FUNCTIONS = {"min": min, "max": max, "round": round, "sqrt": math.sqrt, "floor": math.floor, "ceil": math.ceil}


class AnyType(str):
    def __ne__(self, other):
        return False


ANY = AnyType("*")


def evaluate(node, values):
    if isinstance(node, ast.Expression):
        return evaluate(node.body, values)
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.BinOp):
        return OPERATORS[type(node.op)](evaluate(node.left, values), evaluate(node.right, values))
    if isinstance(node, ast.UnaryOp):
        return OPERATORS[type(node.op)](evaluate(node.operand, values))
    if isinstance(node, ast.Compare):
        return OPERATORS[type(node.ops[0])](evaluate(node.left, values), evaluate(node.comparators[0], values))
    if isinstance(node, ast.Call):
        return FUNCTIONS[node.func.id](*[evaluate(argument, values) for argument in node.args])
    if isinstance(node, ast.Attribute):  # a.width, of an image
        batch = evaluate(node.value, values)
        return {"width": batch.shape[2], "height": batch.shape[1]}[node.attr]
    raise NotImplementedError(f"Unsupported expression: {ast.dump(node)}")


class MathExpression:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"expression": ("STRING", {"multiline": True, "dynamicPrompts": False})},
            "optional": {
                "a": ("INT,FLOAT,IMAGE,LATENT", {"forceInput": True}),
                "b": ("INT,FLOAT,IMAGE,LATENT", {"forceInput": True}),
                "c": (ANY,),
            },
            "hidden": {"extra_pnginfo": "EXTRA_PNGINFO", "prompt": "PROMPT"},
        }

    RETURN_TYPES = ("INT", "FLOAT")
    FUNCTION = "evaluate"
    CATEGORY = "loop math"
    OUTPUT_NODE = True

    @classmethod
    def IS_CHANGED(s, expression, **kwargs):
        if "random" in expression:
            return float("nan")
        return expression

    def evaluate(self, expression, prompt, extra_pnginfo=None, a=None, b=None, c=None):
        result = evaluate(ast.parse(expression.replace("\n", " "), mode="eval"), {"a": a, "b": b, "c": c})
        return {"ui": {"value": [round(float(result), 6)]}, "result": (int(result), float(result))}


class AccumulateOpen:
    """The start of a loop: hands its values and a handle of itself on."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"condition": ("BOOLEAN", {"default": True})},
            "optional": {"initial0": (ANY,), "initial1": (ANY,), "initial2": (ANY,)},
        }

    RETURN_TYPES = ("FLOW_CONTROL", ANY, ANY, ANY)
    RETURN_NAMES = ("FLOW_CONTROL", "value0", "value1", "value2")
    FUNCTION = "open"
    CATEGORY = "loop math/while"

    def open(self, condition, initial0=None, initial1=None, initial2=None):
        if not condition:
            return tuple(ExecutionBlocker(None) for _ in range(4))
        return ("stub", initial0, initial1, initial2)


class WhileLoopClose:
    """The end of a loop: as long as its condition holds, it becomes another round of all between it and the start."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "flow_control": ("FLOW_CONTROL", {"rawLink": True}),
                "condition": ("BOOLEAN", {"forceInput": True}),
            },
            "optional": {"initial0": (ANY,), "initial1": (ANY,), "initial2": (ANY,)},
            "hidden": {"dynprompt": "DYNPROMPT", "unique_id": "UNIQUE_ID"},
        }

    RETURN_TYPES = (ANY, ANY, ANY)
    RETURN_NAMES = ("value0", "value1", "value2")
    FUNCTION = "close"
    CATEGORY = "loop math/while"

    def between(self, dynprompt, start, end):
        """Ids of nodes that the end needs and that need the start, both included."""
        needs = {}

        def depends(node_id):
            if node_id == start:
                return True
            if node_id not in needs:
                needs[node_id] = False
                inputs = dynprompt.get_node(node_id)["inputs"].values()
                needs[node_id] = any([depends(value[0]) for value in inputs if is_link(value)])
            return needs[node_id]

        depends(end)
        return {node_id for node_id, does in needs.items() if does} | {start}

    def close(self, flow_control, condition, dynprompt=None, unique_id=None, **values):
        if not condition:
            return tuple(values.get(f"initial{i}") for i in range(3))
        start = flow_control[0]
        contained = self.between(dynprompt, start, unique_id)
        graph = GraphBuilder()
        for node_id in contained:
            original = dynprompt.get_node(node_id)
            copy = graph.node(original["class_type"], "Recurse" if node_id == unique_id else node_id)
            copy.set_override_display_id(node_id)
        for node_id in contained:
            copy = graph.lookup_node("Recurse" if node_id == unique_id else node_id)
            for key, value in dynprompt.get_node(node_id)["inputs"].items():
                if is_link(value) and value[0] in contained:
                    value = graph.lookup_node(value[0]).out(value[1])
                copy.set_input(key, value)
        first = graph.lookup_node(start)
        for i in range(3):
            first.set_input(f"initial{i}", values.get(f"initial{i}"))
        last = graph.lookup_node("Recurse")
        return {"result": tuple(last.out(i) for i in range(3)), "expand": graph.finalize()}


class ForLoopOpen:
    """A while loop with a counter, made of the nodes above."""

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"remaining": ("INT", {"default": 1, "min": 0, "max": 100000})},
            "optional": {"initial1": (ANY,), "initial2": (ANY,)},
            "hidden": {"initial0": (ANY,)},
        }

    RETURN_TYPES = ("FLOW_CONTROL", "INT", ANY, ANY)
    RETURN_NAMES = ("flow_control", "remaining", "value1", "value2")
    FUNCTION = "open"
    CATEGORY = "loop math/for"

    def open(self, remaining, initial0=None, initial1=None, initial2=None):
        graph = GraphBuilder()
        if initial0 is not None:
            remaining = initial0
        graph.node("loopmath whileOpen", condition=remaining, initial0=remaining, initial1=initial1, initial2=initial2)
        return {"result": ("stub", remaining, initial1, initial2), "expand": graph.finalize()}


class ForLoopClose:
    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"flow_control": ("FLOW_CONTROL", {"rawLink": True})},
            "optional": {"initial1": (ANY, {"rawLink": True}), "initial2": (ANY, {"rawLink": True})},
        }

    RETURN_TYPES = (ANY, ANY)
    RETURN_NAMES = ("value1", "value2")
    FUNCTION = "close"
    CATEGORY = "loop math/for"

    def close(self, flow_control, initial1=None, initial2=None):
        graph = GraphBuilder()
        start = flow_control[0]
        rest = graph.node("loopmath expression", expression="a - 1", a=[start, 1])
        more = graph.node("loopmath more", value=rest.out(0))
        values = {key: value for key, value in (("initial1", initial1), ("initial2", initial2)) if value is not None}
        close = graph.node(
            "loopmath whileClose", flow_control=flow_control, condition=more.out(0), initial0=rest.out(0), **values
        )
        return {"result": (close.out(1), close.out(2)), "expand": graph.finalize()}


class More:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 0, "min": -0x8000000000000000, "max": 0x7FFFFFFFFFFFFFFF})}}

    RETURN_TYPES = ("BOOLEAN",)
    FUNCTION = "more"
    CATEGORY = "loop math"

    def more(self, value):
        return (value > 0,)


class Accumulate:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"to_add": (ANY,)}, "optional": {"accumulation": ("ACCUMULATION",)}}

    RETURN_TYPES = ("ACCUMULATION",)
    FUNCTION = "accumulate"
    CATEGORY = "loop math/accumulation"

    def accumulate(self, to_add, accumulation=None):
        value = [to_add] if accumulation is None else [*accumulation["accum"], to_add]
        return ({"accum": value},)


class AccumulationToList:
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"accumulation": ("ACCUMULATION",)}}

    RETURN_TYPES = (ANY, "INT")
    OUTPUT_IS_LIST = (True, False)
    FUNCTION = "accumulation_to_list"
    CATEGORY = "loop math/accumulation"

    def accumulation_to_list(self, accumulation):
        return (accumulation["accum"], len(accumulation["accum"]))


class Factorial:
    """Becomes a product with a smaller one of itself."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"n": ("INT", {"default": 1, "min": 0, "max": 500})}}

    RETURN_TYPES = ("INT",)
    FUNCTION = "expand"
    CATEGORY = "loop math"

    def expand(self, n):
        if n <= 1:
            return (1,)
        graph = GraphBuilder()
        smaller = graph.node("loopmath factorial", n=n - 1)
        product = graph.node("loopmath expression", "product", expression=f"a * {n}", a=smaller.out(0))
        return {"result": (product.out(0),), "expand": graph.finalize()}


class Whereabouts:
    """What the run knows of a node: found through the dynamic prompt."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}, "hidden": {"dynprompt": "DYNPROMPT", "unique_id": "UNIQUE_ID"}}

    RETURN_TYPES = ("STRING",)
    FUNCTION = "tell"
    CATEGORY = "loop math"

    def tell(self, dynprompt, unique_id):
        users = [
            node_id
            for node_id in sorted(dynprompt.all_node_ids())
            if any(is_link(value) and value[0] == unique_id for value in dynprompt.get_node(node_id)["inputs"].values())
        ]
        real = dynprompt.get_real_node_id(unique_id)
        return (f"{real} used by {','.join(users)} of {len(dynprompt.get_original_prompt())}",)


NODE_CLASS_MAPPINGS = {
    "loopmath expression": MathExpression,
    "loopmath whileOpen": AccumulateOpen,
    "loopmath whileClose": WhileLoopClose,
    "loopmath forOpen": ForLoopOpen,
    "loopmath forClose": ForLoopClose,
    "loopmath more": More,
    "loopmath accumulate": Accumulate,
    "loopmath toList": AccumulationToList,
    "loopmath factorial": Factorial,
    "loopmath whereabouts": Whereabouts,
}
NODE_DISPLAY_NAME_MAPPINGS = {"loopmath forOpen": "For Loop Open", "loopmath forClose": "For Loop Close"}
