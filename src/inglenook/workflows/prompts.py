"""Which texts of a graph are its prompts: from the samplers, through whatever passes conditioning on, to the texts.

A sampler, or a guider in its place, has inputs `positive` and `negative`; nodes between it and the text encoders take
conditioning and give it on. Those with both inputs give each on at the output of the same name. A text may come from
further nodes that join or replace parts of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from inglenook.engine.schema import InputSpec
from inglenook.workflows.parameter_nodes import CONDITIONING, GraphNode, is_wild, widget_kind

POSITIVE, NEGATIVE = "positive_prompt", "negative_prompt"

_SIGNS = {"positive": POSITIVE, "negative": NEGATIVE, "cond1": POSITIVE, "cond2": NEGATIVE, "conditioning": POSITIVE}
"""Inputs of samplers and guiders. Of two conditions, the second is the one with less."""
PROMPT_NAMES = {
    "prompt": POSITIVE,
    "prompt_text": POSITIVE,
    "text_prompt": POSITIVE,
    "positive_prompt": POSITIVE,
    "positive": POSITIVE,
    "negative_prompt": NEGATIVE,
    "negative": NEGATIVE,
    "negative_text": NEGATIVE,
}
"""Inputs that say by their name what they are."""
_TEXT_NAMES = frozenset({"text", "value", "string", "text_g", "text_l", "clip_l", "clip_g", "t5xxl", "llama", "tags"})
_NOT_PROMPTS = re.compile(
    r"lyrics|delimiter|separator|find|pattern|regex|system|template|path|file|name|language|format", re.I
)
_NOT_PROMPT_TITLE = re.compile(r"\b(template|system)\b|模板|系统", re.I)
_ZERO = "ConditioningZeroOut"
_NEGATIVE_TITLE = re.compile(r"negative|\bneg\b|负面|负向|反向|反面|负提示|ネガティブ|부정", re.I)
_POSITIVE_TITLE = re.compile(r"positive|\bpos\b|\bprompt|正面|正向|正提示|提示词|ポジティブ|プロンプト|긍정", re.I)

Place = tuple[str, str]
"""(node id, input name)."""


def find_prompts(nodes: Mapping[str, GraphNode]) -> dict[Place, str]:
    """The role of every text that belongs to a prompt, in the order in which samplers lead to them.

    A text that both lead to is the positive one.
    """
    walk = _Walk(nodes)
    for sign in (POSITIVE, NEGATIVE):
        for node in nodes.values():
            for name, link in node.links.items():
                if _start_sign(node, name) == sign:
                    walk.conditioning(link, sign)
                elif _text_sign(node, name) == sign:
                    walk.text(link, sign)
    for node in nodes.values():
        if not walk.was_at(node.id):
            walk.found.update(_by_itself(node))
    return walk.found


def _start_sign(node: GraphNode, name: str) -> str | None:
    """What an input of a sampler or guider wants; None for inputs of others."""
    if node.schema is None:
        return _SIGNS.get(name)
    if CONDITIONING in node.output_types:
        return None
    spec = node.specs.get(name)
    if spec is None or not (spec.type == CONDITIONING or (name in ("positive", "negative") and not _is_text(spec))):
        return None
    return _SIGNS.get(name, POSITIVE)


def _text_sign(node: GraphNode, name: str) -> str | None:
    """What a linked text of a node that makes pictures by itself is."""
    spec = node.specs.get(name)
    if spec is None or not _is_text(spec) or CONDITIONING in node.output_types or node.passes_values:
        return None
    return PROMPT_NAMES.get(name)


def _is_text(spec: InputSpec) -> bool:
    return spec.type == "STRING"


class _Walk:
    def __init__(self, nodes: Mapping[str, GraphNode]) -> None:
        self.found: dict[Place, str] = {}
        self._nodes = nodes
        self._seen: set[tuple[str, int, str]] = set()
        self._visited: set[str] = set()

    def was_at(self, node_id: str) -> bool:
        return node_id in self._visited

    def conditioning(self, link: tuple[str, int], sign: str) -> None:
        """Go from an input that takes conditioning to the texts that it is made of."""
        waiting = [link]
        while waiting:
            node_id, slot = waiting.pop()
            node = self._nodes.get(node_id)
            if node is None:
                continue
            if not 0 <= slot < len(node.output_types):
                slot = int(slot == 1)  # of a class that is not known; few, whatever numbers the links have
            if (node_id, slot, sign) in self._seen:
                continue
            self._seen.add((node_id, slot, sign))
            if node.class_type == _ZERO and sign == NEGATIVE:
                continue  # the text behind it has no part in the result
            self._visited.add(node_id)
            waiting += list(_further(node, slot))[::-1]
            passes_on = any(spec.type == CONDITIONING for spec in node.specs.values())
            for spec in node.specs.values():
                if _is_text(spec) and _is_prompt(spec, by_name=passes_on):
                    self._take(node, spec, _own_sign(spec.name) or sign)

    def text(self, link: tuple[str, int], sign: str) -> None:
        """Go from an input that takes a text to where parts of it are written."""
        waiting = [link]
        while waiting:
            node_id, _ = waiting.pop()
            node = self._nodes.get(node_id)
            if node is None or (node_id, -1, sign) in self._seen:
                continue
            if node.has_own_title and _NOT_PROMPT_TITLE.search(node.title):
                continue
            self._seen.add((node_id, -1, sign))
            self._visited.add(node_id)
            for name, spec in node.specs.items():
                if not (_is_text(spec) or is_wild(spec.type)) or _NOT_PROMPTS.search(name):
                    continue
                if name in node.links:
                    waiting.append(node.links[name])
                elif _is_text(spec):
                    self.found.setdefault((node_id, name), sign)

    def _take(self, node: GraphNode, spec: InputSpec, sign: str) -> None:
        if spec.name in node.links:
            self.text(node.links[spec.name], sign)
        elif widget_kind(spec) is not None:
            self.found.setdefault((node.id, spec.name), sign)


def _own_sign(name: str) -> str | None:
    """The sign of a text that says it in an encoder that has several."""
    return NEGATIVE if "negative" in name else POSITIVE if "positive" in name else None


def _is_prompt(spec: InputSpec, *, by_name: bool = False) -> bool:
    """Whether a text is a prompt. by_name: its name has to say so, as in nodes whose business is something else."""
    if _NOT_PROMPTS.search(spec.name):
        return False
    if spec.name in _TEXT_NAMES or spec.name in PROMPT_NAMES:
        return True
    return not by_name and bool(spec.options.get("multiline") or spec.options.get("dynamicPrompts"))


def _further(node: GraphNode, slot: int) -> Iterator[tuple[str, int]]:
    """The links that bring the conditioning which a node gives at an output."""
    links = node.links
    if "positive" in links or "negative" in links:
        name = "" if node.schema is None or slot >= len(node.schema.outputs) else node.schema.outputs[slot].name.lower()
        if name not in ("positive", "negative"):
            name = "negative" if slot == 1 else "positive"
        if name in links:
            yield links[name]
        return
    for name, link in links.items():
        spec = node.specs.get(name)
        if (spec is None and name.startswith("cond")) or (spec is not None and _may_be_conditioning(spec)):
            yield link


def _may_be_conditioning(spec: InputSpec) -> bool:
    return spec.type == CONDITIONING or (is_wild(spec.type) and not isinstance(spec.type, tuple))


def _by_itself(node: GraphNode) -> dict[Place, str]:
    """Prompts of a node that no sampler leads to: by the names of its inputs, or its title."""
    found: dict[Place, str] = {}
    gives_texts = node.passes_values
    for spec in node.widgets():
        if not _is_text(spec):
            continue
        place = (node.id, spec.name)
        if spec.name in PROMPT_NAMES and not (gives_texts and spec.name == "prompt" and not node.has_own_title):
            found[place] = (
                _titled(node) or PROMPT_NAMES[spec.name] if spec.name == "prompt" else PROMPT_NAMES[spec.name]
            )
        elif _is_prompt(spec) and (CONDITIONING in node.output_types or (_titled(node) and _is_one_text(node))):
            found[place] = _titled(node) or "prompt"
    return found


def _is_one_text(node: GraphNode) -> bool:
    """Whether a node does nothing but hold a text."""
    return node.passes_values and not node.links and sum(map(_is_text, node.specs.values())) == 1


def _titled(node: GraphNode) -> str | None:
    if not node.has_own_title or _NOT_PROMPT_TITLE.search(node.title):
        return None
    if _NEGATIVE_TITLE.search(node.title):
        return NEGATIVE
    return POSITIVE if _POSITIVE_TITLE.search(node.title) else None
