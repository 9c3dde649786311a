"""What a job asks of the worker that runs it: node classes, choices that not every worker has, model files."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from weakref import WeakValueDictionary

import orjson

from inglenook.dispatch.embeddings import named_embeddings
from inglenook.dispatch.shapes import Use, uses_of
from inglenook.engine.catalog import Catalog
from inglenook.engine.graph import Graph, Link, Node
from inglenook.engine.schema import ChoiceSource, InputSpec
from inglenook.media.folders import MODEL_EXTENSIONS

_MODEL_FILES = (*(extension for extension in MODEL_EXTENSIONS if extension), ".gguf")
_UPLOADS = ("image_upload", "video_upload", "audio_upload", "file_upload", "animated_image_upload")
_WEIGHTS = (("lora", 0.1), ("vae", 0.1), ("embedding", 0.0), ("upscale", 0.1), ("controlnet", 0.4), ("clip", 0.6))
"""Part of the name of a folder or an input -> how long its files take to load, against a checkpoint."""

Choice = tuple[str, str, str]
"""Node class, input, value."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Needs:
    """What a job needs. Equal needs are one object (see `needs`), so that answers about them can be remembered."""

    class_types: frozenset[str]
    choices: frozenset[Choice] = frozenset()
    """Values of its combos, except names of input files of this machine: those are brought along."""
    files: tuple[tuple[str, float], ...] = ()
    """Model files, each with its weight: 1 for a checkpoint, less for what loads sooner."""
    uses: frozenset[Use] = frozenset()
    """What it uses of classes that servers have in different versions."""
    embeddings: frozenset[str] = frozenset()
    """Textual inversions that its texts name, without extension; one that no worker has is not looked for."""
    kind: str = ""
    """The same for jobs that take about as long: workflows with the same nodes and models."""


_known: WeakValueDictionary[tuple[object, ...], Needs] = WeakValueDictionary()


def needs(
    class_types: Iterable[str],
    choices: Iterable[Choice] = (),
    files: Iterable[tuple[str, float]] = (),
    kind: str = "",
    *,
    uses: Iterable[Use] = (),
    embeddings: Iterable[str] = (),
) -> Needs:
    """The needs with these fields."""
    found = Needs(
        frozenset(class_types),
        frozenset(choices),
        tuple(sorted(files)),
        frozenset(uses),
        frozenset(embeddings),
        kind,
    )
    key = (found.class_types, found.choices, found.files, found.uses, found.embeddings, found.kind)
    return _known.setdefault(key, found)


def needs_of(graph: Graph, targets: Iterable[str], catalog: Catalog) -> Needs:
    """What it takes to run these nodes of a graph. Values of nodes that do not run are not looked at."""
    choices: set[Choice] = set()
    files: dict[str, float] = {}
    running = list(_running(graph, targets))
    for node in running:
        for spec, value in _chosen(node, catalog):
            choices.add((node.class_type, spec.name, value))
            if value.lower().endswith(_MODEL_FILES):
                files[value] = max(files.get(value, 0.0), _weight(spec))
    classes = Counter(node.class_type for node in graph.nodes.values())
    kind = hashlib.blake2b(orjson.dumps([sorted(classes.items()), sorted(files)]), digest_size=12).hexdigest()
    embeddings = named_embeddings(value for node in running for value in node.inputs.values())
    return needs(classes, choices, files.items(), kind, uses=uses_of(running, catalog), embeddings=embeddings)


def _running(graph: Graph, targets: Iterable[str]) -> Iterator[Node]:
    """The nodes that `targets` depend on, and these."""
    waiting = [target for target in targets if target in graph.nodes]
    seen = set(waiting)
    while waiting:
        node = graph.nodes[waiting.pop()]
        yield node
        for link in node.links():
            if link.node_id not in seen:
                seen.add(link.node_id)
                waiting.append(link.node_id)


def _chosen(node: Node, catalog: Catalog) -> Iterator[tuple[InputSpec, str]]:
    """The combos of a node that have a constant."""
    schema = catalog.get(node.class_type)
    if schema is None:
        return
    for name, spec in schema.inputs.items():
        value = node.inputs.get(name)
        if isinstance(value, Link) or not isinstance(value, str):
            continue
        choices = spec.choices
        if choices is None or (isinstance(choices, ChoiceSource) and choices.kind == "input"):
            continue
        if any(spec.options.get(upload) for upload in _UPLOADS):
            continue
        if isinstance(choices, tuple) and value not in choices and catalog.file_exists(value, ""):
            continue  # of a pack's input that lists files without saying so
        yield spec, value


def _weight(spec: InputSpec) -> float:
    choices = spec.choices
    name = f"{choices.key if isinstance(choices, ChoiceSource) else ''} {spec.name}".lower()
    return next((weight for part, weight in _WEIGHTS if part in name), 1.0)
