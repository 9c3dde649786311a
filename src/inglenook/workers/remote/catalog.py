"""What a remote server can do, read from its `/object_info`.

Its lists of models stay as they are: they say what is on that server. Its lists of input files are replaced by those
of this server, because jobs name files here, which are uploaded for them. What a class says beside its interface is
taken from the built-in one of that name. Choices of classes that only the remote server knows are checked there: what
its own validators let pass is not known here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inglenook.client.blackening import Blackener
from inglenook.client.parsing import parse_json
from inglenook.engine.schema import UPLOAD_OPTIONS, ChoiceSource, InputSpec, NodeSchema
from inglenook.media.folders import FileKind
from inglenook.nodes.interfaces import builtin_interfaces

logger = logging.getLogger(__name__)

_MOST_CLASSES = 100_000


@dataclass(frozen=True, slots=True)
class RemoteCatalog:
    """The classes of one server at one time."""

    documents: Mapping[str, Mapping[str, Any]] = field(repr=False)
    """Interface documents (see `engine.schema`)."""
    model_files: Mapping[str, frozenset[str]] = field(repr=False)
    """Model folder -> names of its files, as far as the loaders of built-in classes list them."""
    file_inputs: Mapping[str, Mapping[str, FileKind]] = field(repr=False)
    """Class -> inputs that name a file -> the folder of a name that does not say its own."""
    choices: Mapping[str, Mapping[str, frozenset[str]]] = field(repr=False)
    """Class -> input -> the texts that may be chosen."""

    def folder_of(self, class_type: str, name: str) -> FileKind | None:
        """The folder of the files that an input names; None where it names none."""
        return self.file_inputs.get(class_type, {}).get(name)

    def refuses(self, class_type: str, name: str, value: str) -> bool:
        """Whether an input has a list of choices without this one."""
        choices = self.choices.get(class_type, {}).get(name)
        return choices is not None and value not in choices


def read_catalog(body: bytes, blackener: Blackener) -> RemoteCatalog:
    """The catalog in the answer to `/object_info`; a class that cannot be read is left out.

    Takes up to a second for thousands of classes: call it in a thread. Raises ValueError when it is no catalog.
    """
    answer = blackener.value(parse_json(body))
    if not isinstance(answer, dict) or not answer:
        raise ValueError("its /object_info is no object with node classes")
    if len(answer) > _MOST_CLASSES:
        raise ValueError(f"its /object_info has {len(answer)} classes, {_MOST_CLASSES} are possible")
    documents: dict[str, dict[str, Any]] = {}
    model_files: dict[str, set[str]] = {}
    file_inputs: dict[str, dict[str, FileKind]] = {}
    choices: dict[str, dict[str, frozenset[str]]] = {}
    left_out = []
    for name, info in answer.items():
        try:
            schema = NodeSchema.from_info(name, {key: value for key, value in info.items() if key != "engine"})
            _check(schema)
        except (TypeError, ValueError, LookupError, AttributeError, RecursionError):
            left_out.append(name)
            continue
        uploads = _file_inputs(schema)
        documents[name] = _document(schema, uploads)
        file_inputs[name] = {one: _folder_of(schema.inputs[one]) for one in uploads}
        choices[name] = {spec.name: _texts(spec) for spec in schema.inputs.values() if spec.choices is not None}
        _add_model_files(model_files, schema)
    if left_out:
        logger.warning("%d node classes are left out, they cannot be read: %s", len(left_out), left_out[:5])
    if not documents:
        raise ValueError("its /object_info has no class that can be read")
    return RemoteCatalog(documents, {key: frozenset(names) for key, names in model_files.items()}, file_inputs, choices)


def _check(schema: NodeSchema) -> None:
    """Raise TypeError for what validation could stumble over."""
    for spec in schema.inputs.values():
        if not isinstance(spec.name, str) or not isinstance(spec.type, (str, tuple)):
            raise TypeError(f"type of {spec.name}")
        for bound in ("min", "max"):
            if not isinstance(spec.options.get(bound), (int, float, type(None))):
                raise TypeError(f"{bound} of {spec.name}")
    if not all(isinstance(output.type, (str, tuple)) for output in schema.outputs):
        raise TypeError("type of an output")
    if not all(isinstance(kind, str) for kind in schema.hidden.values()):
        raise TypeError("type of a hidden input")


def _texts(spec: InputSpec) -> frozenset[str]:
    choices = spec.choices
    return frozenset(item for item in choices if isinstance(item, str)) if isinstance(choices, tuple) else frozenset()


def _builtin_sources(class_type: str) -> dict[str, ChoiceSource]:
    """Inputs of a built-in class whose choices are lists of files."""
    document = builtin_interfaces().get(class_type)
    if document is None:
        return {}
    inputs = NodeSchema.from_info(class_type, document).inputs
    return {name: spec.choices for name, spec in inputs.items() if isinstance(spec.choices, ChoiceSource)}


def _file_inputs(schema: NodeSchema) -> dict[str, str]:
    """Inputs that name a file of the input folder, with the media kinds of their files."""
    found = {name: source.key for name, source in _builtin_sources(schema.class_type).items() if source.kind == "input"}
    for spec in schema.inputs.values():
        for option, kinds in UPLOAD_OPTIONS.items():
            if spec.options.get(option) is True and spec.options.get("image_folder", "input") != "temp":
                found.setdefault(spec.name, kinds)
    return {name: kinds for name, kinds in found.items() if name in schema.inputs}


def _folder_of(spec: InputSpec) -> FileKind:
    return "output" if spec.options.get("image_folder") == "output" else "input"


def _add_model_files(model_files: dict[str, set[str]], schema: NodeSchema) -> None:
    for name, source in _builtin_sources(schema.class_type).items():
        spec = schema.inputs.get(name)
        if source.kind == "files" and spec is not None:
            names = _texts(spec) - frozenset(source.extra)
            for folder in source.key.split(","):
                model_files.setdefault(folder, set()).update(names)


def _document(schema: NodeSchema, uploads: Mapping[str, str]) -> dict[str, Any]:
    """The interface document of a class, with lists of this server's input files in place of the remote ones."""
    document = dict(schema.info)
    document["input"] = {
        section: {name: _with_own_files(value, uploads.get(name)) for name, value in specs.items()}
        if section in ("required", "optional")
        else specs
        for section, specs in document.get("input", {}).items()
    }
    engine = _engine(schema)
    return {**document, "engine": engine} if engine else document


def _engine(schema: NodeSchema) -> dict[str, Any]:
    """What `/object_info` does not say of a class."""
    builtin = builtin_interfaces().get(schema.class_type)
    if builtin is None:
        return {"takes_any_choice": True}
    engine: dict[str, Any] = dict(builtin.get("engine", {}))
    wild = [name for name in engine.pop("wild_inputs", ()) if name in schema.inputs]
    return {**engine, "wild_inputs": wild} if wild else engine


def _with_own_files(declared: Any, kinds: str | None) -> Any:
    options = declared[1] if len(declared) > 1 and isinstance(declared[1], dict) else {}
    if kinds is None or options.get("remote"):  # a list that clients fetch from this server
        return declared
    if declared[0] == "COMBO":
        return ["COMBO", {**options, "options": {"input": kinds}}]
    return [{"input": kinds}, options] if isinstance(declared[0], list) else declared
