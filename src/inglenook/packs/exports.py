"""The node classes that an imported pack exports, in either style, as the engine runs them."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import Any

from inglenook.engine.implementation import NodeImplementation
from inglenook.engine.values import well_formed
from inglenook.errors import NodeError
from inglenook.nodes.interfaces import builtin_interfaces, yields_to_packs
from inglenook.packs.host import host
from inglenook.packs.import_errors import reason
from inglenook.packs.v1 import v1_implementation

_ENTRY_POINT_LIMIT_S = 120.0


class UnusablePack(NodeError):
    """A pack whose module has no node classes, or something else in their place."""


@dataclass(frozen=True, slots=True)
class Exports:
    """The classes of a pack, and what is to be said of those that are left out."""

    implementations: dict[str, NodeImplementation] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def add(self, label: str, node_class: Any, make: Callable[[], NodeImplementation]) -> None:
        """Take in a class, or say why not; other packs find it in `nodes`."""
        try:
            implementation = make()
        except Exception as error:
            self.warnings.append(f"class {label} is left out: {reason(error)}")
            return
        class_type = implementation.schema.class_type
        if class_type in builtin_interfaces() and not yields_to_packs(class_type):
            self.warnings.append(f"class {label} is left out: a built-in class has this name")
            return
        self.implementations[class_type] = implementation
        nodes = sys.modules.get("nodes")
        if nodes is not None:
            nodes.NODE_CLASS_MAPPINGS[class_type] = node_class
            nodes.NODE_DISPLAY_NAME_MAPPINGS[class_type] = implementation.schema.info.get("display_name") or class_type


def read_exports(module: ModuleType, name: str) -> Exports:
    """The classes that `module` exports. Raises UnusablePack, or what the pack's code raises.

    name: what clients are told of where they come from, `custom_nodes.<pack>`.
    """
    mappings = getattr(module, "NODE_CLASS_MAPPINGS", None)
    if mappings is not None:
        if not isinstance(mappings, Mapping):
            raise UnusablePack(f"NODE_CLASS_MAPPINGS is {type(mappings).__name__}, not a dict")
        shown = getattr(module, "NODE_DISPLAY_NAME_MAPPINGS", None)
        return _read_v1(mappings, shown if isinstance(shown, Mapping) else {}, name)
    entry = getattr(module, "comfy_entrypoint", None)
    if entry is not None:
        return _read_v3(entry, name)
    if getattr(module, "WEB_DIRECTORY", None) is not None:
        return Exports()
    raise UnusablePack("the module has neither NODE_CLASS_MAPPINGS nor comfy_entrypoint")


def _read_v1(mappings: Mapping[Any, Any], shown: Mapping[Any, Any], name: str) -> Exports:
    exports = Exports()
    for key, node_class in mappings.items():
        class_type = well_formed(str(key))
        exports.add(class_type, node_class, partial(_implementation, node_class, class_type, shown.get(key), name))
    return exports


def _implementation(node_class: Any, class_type: str, title: Any, name: str) -> NodeImplementation:
    from inglenook.packs.v3.adapter import is_v3, v3_implementation

    if is_v3(node_class):  # some packs list classes of the newer style in the older mapping
        return v3_implementation(node_class, name)
    return v1_implementation(node_class, class_type, None if title is None else str(title), name)


def _read_v3(entry: Callable[[], Any], name: str) -> Exports:
    from inglenook.packs.v3.adapter import v3_implementation

    exports = Exports()
    for node_class in _run(_extension_nodes(entry)):
        label = getattr(node_class, "__name__", repr(node_class))
        exports.add(label, node_class, partial(v3_implementation, node_class, name))
    return exports


async def _extension_nodes(entry: Callable[[], Any]) -> list[Any]:
    extension = entry()
    if inspect.isawaitable(extension):
        extension = await extension
    if not hasattr(extension, "get_node_list"):
        raise UnusablePack(f"comfy_entrypoint returned {type(extension).__name__}, not a ComfyExtension")
    on_load = getattr(extension, "on_load", None)
    if on_load is not None:
        await on_load()
    nodes = await extension.get_node_list()
    if not isinstance(nodes, (list, tuple)):
        raise UnusablePack(f"get_node_list returned {type(nodes).__name__}, not a list")
    return list(nodes)


def _run(work: Any) -> Any:
    """Run a coroutine of a pack on the loop where its routes will run, so that tasks that it starts live on."""
    loop = host().loop
    if loop is None:
        return asyncio.run(work)
    return asyncio.run_coroutine_threadsafe(work, loop).result(_ENTRY_POINT_LIMIT_S)
