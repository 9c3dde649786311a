"""Nodes that put graphs in their own place."""

from comfy_execution.graph_utils import GraphBuilder, is_link

from .values import ANY


class RuleExpandText:
    """Becomes two nodes: a text, and one that joins it to another."""

    CATEGORY = "rules/expansion"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "expand"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {})}}

    def expand(self, text):
        graph = GraphBuilder()
        source = graph.node("RuleText", text=text)
        pair = graph.node("RulePair", a=source.out(0), b="?")
        return {"result": (pair.out(0),), "expand": graph.finalize()}


class RuleExpandSome:
    """Expands for elements that begin with `x`, gives others as they are."""

    CATEGORY = "rules/expansion"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "expand"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {})}}

    def expand(self, text):
        if not text.startswith("x"):
            return (text,)
        graph = GraphBuilder()
        return {"result": (graph.node("RuleText", text=f"<{text}>").out(0),), "expand": graph.finalize()}


class RuleExpandShow:
    """Becomes an output node, which is then a root; `shown_at` is where a client sees it."""

    CATEGORY = "rules/expansion"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "expand"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": ("STRING", {}), "shown_at": ("STRING", {"default": ""})}}

    def expand(self, text, shown_at):
        graph = GraphBuilder()
        shown = graph.node("RuleShow", value=text)
        if shown_at:
            shown.set_override_display_id(shown_at)
        return {"result": ("expanded",), "expand": graph.finalize()}


class RuleExpandTwice:
    """Uses an id that the graph has already."""

    CATEGORY = "rules/expansion"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "expand"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"id": ("STRING", {})}}

    def expand(self, id):
        return {"result": ([id, 0],), "expand": {id: {"class_type": "RuleText", "inputs": {"text": "again"}}}}


class RuleExpandFail:
    """Becomes a node that fails."""

    CATEGORY = "rules/expansion"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "expand"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def expand(self):
        graph = GraphBuilder()
        return {"result": (graph.node("RuleFail", text="failed inside").out(0),), "expand": graph.finalize()}


class RuleExpandCycle:
    """Becomes two nodes that wait for each other."""

    CATEGORY = "rules/expansion"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "expand"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def expand(self):
        graph = GraphBuilder()
        first, second = graph.node("RulePair", a="a"), graph.node("RulePair", a="a")
        first.set_input("b", second.out(0))
        second.set_input("b", first.out(0))
        return {"result": (first.out(0),), "expand": graph.finalize()}


class RuleLoop:
    """A loop by recursion: each round is an expansion of the one before."""

    CATEGORY = "rules/expansion"
    RETURN_TYPES = ("INT",)
    FUNCTION = "loop"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"rounds": ("INT", {"max": 100000}), "total": ("INT", {"default": 0, "max": 1000000000})}}

    def loop(self, rounds, total):
        if rounds == 0:
            return (total,)
        graph = GraphBuilder()
        added = graph.node("RuleAdd", a=total, b=rounds)
        again = graph.node("RuleLoop", rounds=rounds - 1, total=added.out(0))
        return {"result": (again.out(0),), "expand": graph.finalize()}


class RuleAdd:
    CATEGORY = "rules/expansion"
    RETURN_TYPES = ("INT",)
    FUNCTION = "add"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"a": ("INT", {"max": 1000000000}), "b": ("INT", {"max": 1000000000})}}

    def add(self, a, b):
        return (a + b,)


class RuleLoopStart:
    """The beginning of a while loop in the style of popular packs."""

    CATEGORY = "rules/expansion"
    RETURN_TYPES = ("FLOW", "INT")
    FUNCTION = "start"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {})}}

    def start(self, value):
        return ("flow", value)


class RuleLoopEnd:
    """Its end: copies everything between start and end into an expansion while the value is small."""

    CATEGORY = "rules/expansion"
    RETURN_TYPES = ("INT",)
    FUNCTION = "end"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "flow": ("FLOW", {"rawLink": True}),
                "value": ("INT", {"forceInput": True}),
                "until": ("INT", {"max": 1000}),
            },
            "hidden": {"graph": "DYNPROMPT", "own_id": "UNIQUE_ID"},
        }

    def end(self, flow, value, until, graph, own_id):
        if value >= until:
            return (value,)
        start_id = flow[0]
        inside = self._between(graph, own_id, start_id)
        builder = GraphBuilder()
        for node_id in inside:
            source = graph.get_node(node_id)
            builder.node(source["class_type"], "Again" if node_id == own_id else node_id).set_override_display_id(
                node_id
            )
        for node_id in inside:
            copy = builder.lookup_node("Again" if node_id == own_id else node_id)
            for name, given in graph.get_node(node_id)["inputs"].items():
                inner = is_link(given) and given[0] in inside
                copy.set_input(name, builder.lookup_node(given[0]).out(given[1]) if inner else given)
        builder.lookup_node(start_id).set_input("value", value)
        return {"result": (builder.lookup_node("Again").out(0),), "expand": builder.finalize()}

    def _between(self, graph, end_id, start_id):
        inside, waiting = {end_id: None}, [end_id]
        while waiting:
            node_id = waiting.pop()
            if node_id == start_id:
                continue
            for given in graph.get_node(node_id)["inputs"].values():
                if is_link(given) and given[0] not in inside and self._leads_to(graph, given[0], start_id):
                    inside[given[0]] = None
                    waiting.append(given[0])
        return list(inside)

    def _leads_to(self, graph, node_id, start_id):
        if node_id == start_id:
            return True
        links = [given for given in graph.get_node(node_id)["inputs"].values() if is_link(given)]
        return any(self._leads_to(graph, link[0], start_id) for link in links)


class RuleExpandKill:
    """Expands, and kills its process in the middle the first time."""

    CATEGORY = "rules/expansion"
    RETURN_TYPES = ("STRING",)
    FUNCTION = "expand"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"marker": ("STRING", {})}}

    def expand(self, marker):
        graph = GraphBuilder()
        first = graph.node(
            "SaveImage", images=graph.node("EmptyImage", width=8, height=8).out(0), filename_prefix="inner"
        )
        assert first.id
        killed = graph.node("RuleKillOnce", marker=marker)
        return {"result": (killed.out(0),), "expand": graph.finalize()}


CLASSES = {name: value for name, value in list(globals().items()) if name.startswith("Rule")}
assert ANY
