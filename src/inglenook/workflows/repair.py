"""Small mistakes in a graph that leave no doubt about what was meant.

Only what validation refuses is touched: a graph that ComfyUI would run stays as it is. Repaired are seeds of -1, names
of samplers from other programs, and latents where a picture is wanted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from inglenook.engine.catalog import Catalog
from inglenook.engine.dynamic import plain_inputs
from inglenook.engine.graph import Graph, Link, Node
from inglenook.engine.names import SCHEDULERS
from inglenook.engine.schema import ChoiceSource, InputSpec
from inglenook.engine.validation import Validation
from inglenook.workflows import aliases
from inglenook.workflows.repairs import Repair, Repaired, seed_drawn

LARGEST_SEED = 2**53 - 1
"""Drawn seeds stay below: larger integers are changed by clients that hold numbers as floats."""
_MOST_SEARCHES = 50
"""Latents whose VAE is looked for among several; each looks at the whole graph behind it."""
_SEED_NAMES = ("seed", "noise_seed")


def repair(graph: Graph, validation: Validation, catalog: Catalog, random: Random) -> Repaired:
    """Mend what `validation` of `graph` refuses, as far as it is one of the known mistakes. Validate again after it."""
    mending = _Mending(graph, catalog, random)
    for node_id, entry in validation.node_errors.items():
        for problem in entry["errors"]:
            name = problem["extra_info"].get("input_name")
            if isinstance(name, str):
                mending.mend(problem["type"], node_id, name)
    return Repaired(mending.result(), tuple(mending.repairs))


def with_hints(validation: Validation) -> Validation:
    """The same with a hint in the details of each latent where a picture is wanted."""
    node_errors, error = dict(validation.node_errors), validation.error
    for node_id, entry in validation.node_errors.items():
        if not any(_is_latent_for_image(problem) for problem in entry["errors"]):
            continue
        problems = []
        for problem in entry["errors"]:
            if _is_latent_for_image(problem):
                details = f"{problem['details']}: {_HINT}"
                if error is not None:
                    error = {**error, "details": error["details"].replace(problem["details"], details, 1)}
                problem = {**problem, "details": details}
            problems.append(problem)
        node_errors[node_id] = {**entry, "errors": problems}
    return replace(validation, node_errors=node_errors, error=error)


_HINT = (
    "a latent becomes a picture in a VAEDecode node, which must stand between them; it is put there by itself only when"
    " the graph has exactly one VAE that it can mean"
)


def _is_latent_for_image(problem: Mapping[str, Any]) -> bool:
    if problem["type"] != "return_type_mismatch" or problem["extra_info"].get("received_type") != "LATENT":
        return False
    config = problem["extra_info"].get("input_config")
    return isinstance(config, (list, tuple)) and bool(config) and config[0] == "IMAGE"


class _Mending:
    """Collects changes to one graph."""

    def __init__(self, graph: Graph, catalog: Catalog, random: Random) -> None:
        self.graph = graph
        self.catalog = catalog
        self.random = random
        self.repairs: list[Repair] = []
        self._changed: dict[str, Node] = {}
        self._decoders: dict[Link, str] | None = None
        """Latent -> node that decodes it."""
        self._vaes: list[Link] | None = None
        self._used: set[Link] = set()
        """Outputs that something is linked to; known when `_vaes` are."""
        self._searches = 0
        self._next_id = 0

    def result(self) -> Graph:
        return Graph({**self.graph.nodes, **self._changed}) if self._changed else self.graph

    def mend(self, problem: str, node_id: str, name: str) -> None:
        node = self._changed.get(node_id) or self.graph.nodes[node_id]
        spec = self._spec(node, name)
        if spec is None or name not in node.inputs:
            return
        match problem:
            case "value_smaller_than_min":
                self.draw_seed(node, spec)
            case "value_not_in_list":
                self.rename_sampler(node, spec)
            case "return_type_mismatch":
                self.decode(node, spec)

    def _spec(self, node: Node, name: str) -> InputSpec | None:
        schema = self.catalog.get(node.class_type)
        if schema is None:
            return None
        return schema.inputs.get(name) or plain_inputs(schema.inputs, node.inputs).specs.get(name)

    def _set(self, node: Node, name: str, value: Any, kind: str, text: str) -> Node:
        before = node.inputs[name]
        changed = Node(node.id, node.class_type, {**node.inputs, name: value}, node.title, node.extra)
        self._changed[node.id] = changed
        if type(before) is Link:
            before = [before.node_id, before.slot]
        after = [value.node_id, value.slot] if type(value) is Link else value
        self.repairs.append(Repair(node.id, kind, text, before, after))
        return changed

    # -- seeds ---------------------------------------------------------------------------------------------------------

    def draw_seed(self, node: Node, spec: InputSpec) -> None:
        value = node.inputs[spec.name]
        if not is_seed(spec) or isinstance(value, bool) or str(value).strip() not in ("-1", "-1.0"):
            return
        seed = draw(spec, self.random)
        self._set(node, spec.name, seed, *seed_drawn(spec.name, seed))

    # -- samplers and schedulers ---------------------------------------------------------------------------------------

    def _choices(self, spec: InputSpec) -> Sequence[Any]:
        declared = spec.choices
        return self.catalog.choices(declared) if isinstance(declared, ChoiceSource) else declared or ()

    def _scheduler_input(self, node: Node) -> tuple[str, Sequence[Any]] | None:
        """The node's other input, if it has one, and its choices."""
        schema = self.catalog.get(node.class_type)
        for spec in schema.inputs.values() if schema is not None else ():
            choices = self._choices(spec)
            if aliases.is_scheduler_list(choices):
                return spec.name, choices
        return None

    def rename_sampler(self, node: Node, spec: InputSpec) -> None:
        value, choices = node.inputs[spec.name], self._choices(spec)
        if not isinstance(value, str) or value in choices:
            return
        if aliases.is_scheduler_list(choices):
            meant = aliases.scheduler_of(value, choices, node.inputs.get("sampler_name"))
            if meant is not None:
                self._set(node, spec.name, meant, "name_replaced", f"{spec.name} '{value}' is called '{meant}' here")
        elif aliases.is_sampler_list(choices):
            self._rename_both(node, spec.name, value, choices)

    def _rename_both(self, node: Node, name: str, value: str, choices: Sequence[Any]) -> None:
        other = self._scheduler_input(node)
        found = aliases.sampler_of(value, choices, SCHEDULERS if other is None else other[1])
        if found is None:
            return
        sampler, scheduler = found
        text = f"{name} '{value}' is called '{sampler}' here"
        if scheduler is not None and other is None:
            text += f", with a scheduler '{scheduler}' that this node does not choose"
        node = self._set(node, name, sampler, "name_replaced", text)
        if scheduler is None or other is None or node.inputs.get(other[0]) == scheduler:
            return
        if other[0] in node.inputs and type(node.inputs[other[0]]) is not Link:
            text = f"'{value}' names the scheduler too: {other[0]} is '{scheduler}'"
            self._set(node, other[0], scheduler, "name_replaced", text)

    # -- latents -------------------------------------------------------------------------------------------------------

    def decode(self, node: Node, spec: InputSpec) -> None:
        """Put a VAEDecode between a latent and an input that wants a picture."""
        link = node.inputs[spec.name]
        if spec.type != "IMAGE" or type(link) is not Link or self._type_of(link) != "LATENT":
            return
        decoder = self._decoder(link)
        if decoder is not None:
            text = f"{spec.name} takes pictures and was linked to a latent: VAEDecode '{decoder}' was put between"
            self._set(node, spec.name, Link(decoder, 0), "latent_decoded", text)

    def _type_of(self, link: Link) -> Any:
        schema = self.catalog.get(self.graph.nodes[link.node_id].class_type)
        return None if schema is None else schema.output_type(link.slot)

    def _decoder(self, latent: Link) -> str | None:
        """The node that decodes a latent: one that the graph has, else a new one if it is clear with which VAE."""
        if self._decoders is None:
            self._decoders = {
                samples: node.id
                for node in self.graph.nodes.values()
                if node.class_type == "VAEDecode" and type(samples := node.inputs.get("samples")) is Link
            }
        if latent in self._decoders:
            return self._decoders[latent]
        vae = self._vae(latent)
        if vae is None or "VAEDecode" not in self.catalog:
            return None
        node_id = self._free_id()
        title = {"_meta": {"title": "VAE Decode"}}
        self._changed[node_id] = Node(
            node_id, "VAEDecode", {"samples": latent, "vae": vae}, title["_meta"]["title"], title
        )
        self._decoders[latent] = node_id
        return node_id

    def _free_id(self) -> str:
        if not self._next_id:
            numbers = (int(name) for name in self.graph.nodes if name.isascii() and name.isdigit() and len(name) < 16)
            self._next_id = max(numbers, default=0)
        self._next_id += 1
        return str(self._next_id)

    def _vae(self, latent: Link) -> Link | None:
        """The VAE that a latent is decoded with: the only one, else the only one behind it if all others are in use."""
        if self._vaes is None:
            self._vaes = list(self._all_vaes())
            self._used = {link for node in self.graph.nodes.values() for link in node.links()}
        if len(self._vaes) == 1:
            return self._vaes[0]
        self._searches += 1
        if self._searches > _MOST_SEARCHES:
            return None
        behind = self._ancestors(latent.node_id)
        near = [vae for vae in self._vaes if vae.node_id in behind]
        is_clear = len(near) == 1 and all(vae in self._used for vae in self._vaes if vae not in near)
        return near[0] if is_clear else None

    def _all_vaes(self) -> Iterator[Link]:
        for node in self.graph.nodes.values():
            schema = self.catalog.get(node.class_type)
            for slot, output in enumerate(schema.outputs if schema is not None else ()):
                if output.type == "VAE":
                    yield Link(node.id, slot)

    def _ancestors(self, node_id: str) -> set[str]:
        found, waiting = {node_id}, [node_id]
        while waiting:
            for link in self.graph.nodes[waiting.pop()].links():
                if link.node_id not in found:
                    found.add(link.node_id)
                    waiting.append(link.node_id)
        return found


def is_seed(spec: InputSpec) -> bool:
    """Whether an input is a seed that the editor would draw at random."""
    last = spec.name.rpartition(".")[2]
    if spec.type != "INT":
        return False
    return bool(spec.options.get("control_after_generate")) or last in _SEED_NAMES or last.endswith("_seed")


def draw(spec: InputSpec, random: Random) -> int:
    """A seed within the range of its input."""
    least, most = spec.options.get("min"), spec.options.get("max")
    low = least if isinstance(least, int) and least > 0 else 0
    high = min(most, LARGEST_SEED) if isinstance(most, int) else LARGEST_SEED
    return random.randint(low, max(low, high))
