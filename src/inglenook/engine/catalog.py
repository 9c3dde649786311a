"""The node catalog: every class that can be used, as data, with its lists of files filled in when they are needed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from inglenook.engine.schema import ChoiceSource, InputSpec, NodeSchema

logger = logging.getLogger(__name__)

Choices = Callable[[ChoiceSource], Sequence[str]]
FileExists = Callable[[str, str], bool]
"""(value of an input, media kinds it may have: comma-separated or empty) -> whether the input folder has that file."""


class Catalog:
    """Node classes by name. Read-only; what it returns is shared and must not be changed."""

    def __init__(self, schemas: Mapping[str, NodeSchema], choices: Choices, file_exists: FileExists) -> None:
        self._schemas = dict(schemas)
        self._choices = choices
        self._file_exists = file_exists
        self._with_sources = {name for name, schema in self._schemas.items() if _has_source(_typed_parts(schema.info))}

    @classmethod
    def from_documents(
        cls, documents: Mapping[str, Mapping[str, Any]], choices: Choices, file_exists: FileExists
    ) -> Catalog:
        """Read interface documents (see `schema`); a class whose document cannot be read is left out."""
        schemas = {}
        for name, info in documents.items():
            try:
                schemas[name] = NodeSchema.from_info(name, info)
            except (TypeError, ValueError, LookupError, AttributeError) as error:
                logger.warning("node class %s is left out, its interface cannot be read: %s", name, error)
        return cls(schemas, choices, file_exists)

    def __contains__(self, class_type: object) -> bool:
        return class_type in self._schemas

    def __iter__(self) -> Iterator[str]:
        return iter(self._schemas)

    def __len__(self) -> int:
        return len(self._schemas)

    def get(self, class_type: str) -> NodeSchema | None:
        """The class of that name, or None."""
        return self._schemas.get(class_type)

    def choices(self, source: ChoiceSource) -> tuple[str, ...]:
        """The choices that `source` stands for now; none where the list cannot be made."""
        try:
            listed = self._choices(source)
            # the file that another worker has, too, is listed once
            return tuple(dict.fromkeys((*listed, *source.extra))) if source.extra else tuple(listed)
        except (LookupError, OSError) as error:
            logger.warning("no choices for %s %s: %s", source.kind, source.key, error)
            return source.extra

    def type_of(self, declared: Any) -> Any:
        """A declared input or output type with its choices filled in."""
        return self.choices(declared) if isinstance(declared, ChoiceSource) else declared

    def file_exists(self, value: Any, kind: str) -> bool:
        """Whether the input folder has a file of that name; False for what is no name."""
        if not isinstance(value, str):
            return False
        try:
            return self._file_exists(value, kind)
        except (ValueError, OSError):  # NUL, too long a name
            return False

    def input_config(self, schema: NodeSchema, spec: InputSpec) -> Any:
        """`[type, options]` of an input as `/object_info` shows it."""
        declared = schema.info.get("input", {}).get(spec.section, {}).get(spec.name)
        if declared is None:  # made from a template
            kind = self.type_of(spec.type)
            declared = [list(kind) if isinstance(kind, tuple) else kind, dict(spec.options)]
        return self._fill(declared, {}) if schema.class_type in self._with_sources else declared

    def object_info(self, class_type: str | None = None) -> dict[str, Any]:
        """Class name -> definition as `/object_info` shows it: of all classes, or of one (`{}` when it is unknown)."""
        names = self._schemas if class_type is None else [class_type] if class_type in self._schemas else []
        filled: dict[ChoiceSource, list[str]] = {}
        return {name: self._info(self._schemas[name], filled) for name in names}

    def _info(self, schema: NodeSchema, filled: dict[ChoiceSource, list[str]]) -> Mapping[str, Any]:
        if schema.class_type not in self._with_sources:
            return schema.info
        info = dict(schema.info)
        info["input"] = {
            section: specs if section == "hidden" else self._fill(specs, filled)
            for section, specs in info.get("input", {}).items()
        }
        if "output" in info:
            info["output"] = self._fill(info["output"], filled)
        return info

    def _fill(self, value: Any, filled: dict[ChoiceSource, list[str]]) -> Any:
        if isinstance(value, Mapping):
            source = ChoiceSource.read(value)
            if source is None:
                return {key: self._fill(item, filled) for key, item in value.items()}
            if source not in filled:
                filled[source] = list(self.choices(source))
            return filled[source]
        if isinstance(value, (list, tuple)):
            return [self._fill(item, filled) for item in value]
        return value


def _typed_parts(info: Mapping[str, Any]) -> list[Any]:
    """The parts of a definition where choices can be declared."""
    return [*(specs for section, specs in info.get("input", {}).items() if section != "hidden"), info.get("output")]


def _has_source(value: Any) -> bool:
    if isinstance(value, Mapping):
        return ChoiceSource.read(value) is not None or any(_has_source(item) for item in value.values())
    return isinstance(value, (list, tuple)) and any(_has_source(item) for item in value)
