"""Imports node packs: their modules, then their node classes as the engine runs them. Runs the packs' code.

A pack is imported as `custom_nodes.<name>`, so that packs with hyphens in their names have relative imports and other
packs can name it. Whatever goes wrong stays with the pack: it is left out, with the reason in its report.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import itertools
import logging
import os
import re
import shlex
import sys
import time
import types
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from inglenook.engine.failure import exception_message, exception_name, exception_traceback
from inglenook.engine.implementation import NodeImplementation
from inglenook.engine.values import well_formed
from inglenook.errors import InglenookError, NodeError
from inglenook.nodes.interfaces import builtin_interfaces
from inglenook.packs import surface_finder
from inglenook.packs.discovery import Pack
from inglenook.packs.host import Host, host, set_host
from inglenook.packs.prestartup import run_prestartup_scripts
from inglenook.packs.report import PackReport
from inglenook.packs.v1 import v1_implementation

logger = logging.getLogger(__name__)

NAMESPACE = "custom_nodes"
_ENTRY_POINT_LIMIT_S = 120.0
_FILE_AT_END = re.compile(r" \([^()]*\)$")
_FRAMES_BEFORE_PACK = ('  File "inglenook/packs/importing.py"', '  File "<frozen importlib')


class UnusablePack(NodeError):
    """A pack whose module has no node classes, or something else in their place."""


@dataclass(frozen=True, slots=True)
class ImportedPack:
    """A pack after the attempt to import it."""

    report: PackReport
    implementations: dict[str, NodeImplementation] = field(default_factory=dict)


def import_packs(
    packs: Iterable[Pack], *, skipped: Mapping[str, str], announce: Callable[[str], None] = lambda name: None
) -> list[ImportedPack]:
    """Run the start-up scripts of packs, then import one after another; `announce` hears of each before its code runs.

    skipped: name -> why a pack is not to be imported.
    """
    packs = list(packs)
    run_prestartup_scripts([pack for pack in packs if pack.name not in skipped], announce)
    imported = []
    for pack in packs:
        reason = skipped.get(pack.name)
        if reason is not None:
            logger.error("pack %s is skipped: %s", pack.name, reason)
            imported.append(ImportedPack(PackReport(pack.name, _shown_path(pack), error=reason)))
            continue
        announce(pack.name)
        imported.append(import_pack(pack))
    return imported


def import_pack(pack: Pack) -> ImportedPack:
    """Import one pack. Never raises, except KeyboardInterrupt."""
    started = time.monotonic()
    name = module_name(pack)
    web_directories_before = _added_web_directories()
    try:
        module = _load(pack, name)
        web = _web_directory(pack, module)
        implementations, warnings = _node_classes(module, name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: a pack that wants to end the process is left out
        _forget(name)
        reason, traceback = _reason(error), _traceback(error)
        seconds = time.monotonic() - started
        lines = [reason, *traceback, *_hints(error, pack)]
        logger.error("pack %s cannot be imported: %s", pack.name, "\n".join(line.rstrip() for line in lines))
        return ImportedPack(PackReport(pack.name, _shown_path(pack), [], seconds, reason, traceback))
    seconds = time.monotonic() - started
    count = len(implementations)
    classes = f"{count} node class{'' if count == 1 else 'es'}"
    logger.info("pack %s: %s, imported in %.2f s", pack.name, classes, seconds)
    for warning in warnings:
        logger.warning("pack %s: %s", pack.name, warning)
    more_web = dict(_added_web_directories().items() - web_directories_before.items())
    report = PackReport(
        pack.name, _shown_path(pack), sorted(implementations), seconds, None, [], warnings, web, more_web
    )
    return ImportedPack(report, implementations)


def _shown_path(pack: Pack) -> str:
    return well_formed(str(pack.path))


def _reason(error: BaseException) -> str:
    """An exception in a line; those of inglenook say enough without their names."""
    text = exception_message(error).strip()
    if text and isinstance(error, InglenookError):
        return text
    if isinstance(error, ImportError) and not isinstance(error, ModuleNotFoundError) and _is_of_surface(error):
        text = _FILE_AT_END.sub("", text) + ": inglenook's has none (see docs/custom-nodes.md)"
    return f"{exception_name(error)}: {text}" if text else exception_name(error)


def _traceback(error: BaseException) -> list[str]:
    """The frames from the pack's own code on."""
    lines = exception_traceback(error)
    return list(itertools.dropwhile(lambda line: line.startswith(_FRAMES_BEFORE_PACK), lines))


def _is_of_surface(error: ImportError) -> bool:
    return (error.name or "").split(".")[0] in surface_finder.NAMES


def _hints(error: BaseException, pack: Pack) -> list[str]:
    """What a user can do about it."""
    if not isinstance(error, ModuleNotFoundError) or _is_of_surface(error):
        return []
    return [f"What it needs can be installed with: inglenook packs install {shlex.quote(str(pack.path))}"]


def module_name(pack: Pack) -> str:
    """The name under which a pack is imported."""
    return f"{NAMESPACE}.{pack.name.replace('.', '_')}"


def prepare_process(its_host: Host, folders: Iterable[Path]) -> None:
    """Make this process one in which packs run, once, before the first is imported. folders: those with packs."""
    set_host(its_host)
    surface_finder.install(its_host.base)
    _prepare_namespace(folders)
    os.chdir(its_host.base)  # where packs look for "./models"
    importlib.import_module("nodes")  # before packs look for each other's classes there
    if its_host.settings is not None:
        server: Any = importlib.import_module("server").PromptServer
        server.address = its_host.settings.host.partition(",")[0]
        server.port = its_host.settings.port


def _prepare_namespace(folders: Iterable[Path]) -> None:
    """Let packs import each other as `custom_nodes.<name>`."""
    module = sys.modules.setdefault(NAMESPACE, types.ModuleType(NAMESPACE))
    module.__path__ = [str(folder) for folder in folders]


def _load(pack: Pack, name: str) -> ModuleType:
    if NAMESPACE not in sys.modules:
        _prepare_namespace([pack.path.parent])
    file = pack.path / "__init__.py" if pack.is_package else pack.path
    spec = importlib.util.spec_from_file_location(
        name, file, submodule_search_locations=[str(pack.path)] if pack.is_package else None
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{file.name} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    nodes = sys.modules.get("nodes")
    if nodes is not None:
        nodes.LOADED_MODULE_DIRS[pack.name] = str(pack.folder)
    spec.loader.exec_module(module)
    return module


def _forget(name: str) -> None:
    """Drop what a failed import left, so that nobody finds half a pack."""
    for loaded in [loaded for loaded in sys.modules if loaded == name or loaded.startswith(f"{name}.")]:
        del sys.modules[loaded]


def _web_directory(pack: Pack, module: ModuleType) -> str | None:
    """The folder of scripts that a pack names, in its module or in `nodes.EXTENSION_WEB_DIRS`."""
    nodes = sys.modules.get("nodes")
    named = {} if nodes is None else nodes.EXTENSION_WEB_DIRS
    given = getattr(module, "WEB_DIRECTORY", None) or named.get(pack.name)
    if not isinstance(given, str):
        return None
    folder = (pack.folder / given).resolve()
    if not folder.is_dir() or well_formed(str(folder)) != str(folder):  # the latter the API process cannot be told
        return None
    named[pack.name] = str(folder)
    return str(folder)


def _added_web_directories() -> dict[str, str]:
    """What packs have put into `nodes.EXTENSION_WEB_DIRS`: name -> absolute path."""
    added = getattr(sys.modules.get("nodes"), "EXTENSION_WEB_DIRS", None)
    if not isinstance(added, Mapping):
        return {}
    return {str(name): str(Path(str(folder)).resolve()) for name, folder in added.items()}


def _node_classes(module: ModuleType, name: str) -> tuple[dict[str, NodeImplementation], list[str]]:
    """The classes that a pack exports in either style, and what is to be said of those that are left out."""
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
        return {}, []
    raise UnusablePack("the module has neither NODE_CLASS_MAPPINGS nor comfy_entrypoint")


def _read_v1(
    mappings: Mapping[Any, Any], shown: Mapping[Any, Any], name: str
) -> tuple[dict[str, NodeImplementation], list[str]]:
    found: dict[str, NodeImplementation] = {}
    warnings: list[str] = []
    for key, node_class in mappings.items():
        class_type = well_formed(str(key))
        _read_class(class_type, lambda: _implementation(node_class, class_type, shown.get(key), name), found, warnings)  # noqa: B023 - called at once
    _publish(
        {class_type: mappings[class_type] for class_type in found if class_type in mappings},
        {str(key): str(title) for key, title in shown.items() if str(key) in found},
    )
    return found, warnings


def _implementation(node_class: Any, class_type: str, title: Any, name: str) -> NodeImplementation:
    from inglenook.packs.v3.adapter import is_v3, v3_implementation

    if is_v3(node_class):  # some packs list classes of the newer style in the older mapping
        return v3_implementation(node_class, name)
    return v1_implementation(node_class, class_type, None if title is None else str(title), name)


def _read_v3(entry: Callable[[], Any], name: str) -> tuple[dict[str, NodeImplementation], list[str]]:
    from inglenook.packs.v3.adapter import v3_implementation

    found: dict[str, NodeImplementation] = {}
    warnings: list[str] = []
    classes: dict[str, Any] = {}
    for node_class in _run(_extension_nodes(entry)):
        implementations: dict[str, NodeImplementation] = {}
        label = getattr(node_class, "__name__", repr(node_class))
        try:
            implementation = v3_implementation(node_class, name)
        except Exception as error:
            warnings.append(f"class {label} is left out: {_reason(error)}")
            continue
        class_type = implementation.schema.class_type
        _read_class(class_type, lambda: implementation, implementations, warnings)  # noqa: B023 - called at once
        found |= implementations
        classes |= dict.fromkeys(implementations, node_class)
    _publish(classes, {key: found[key].schema.info.get("display_name") or key for key in classes})
    return found, warnings


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
    return asyncio.run_coroutine_threadsafe(_awaited(work), loop).result(_ENTRY_POINT_LIMIT_S)


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work


def _read_class(
    class_type: str, make: Callable[[], NodeImplementation], found: dict[str, NodeImplementation], warnings: list[str]
) -> None:
    """Add one class, or say why not."""
    if class_type in builtin_interfaces():
        warnings.append(f"class {class_type} is left out: a built-in class has this name")
        return
    try:
        found[class_type] = make()
    except Exception as error:
        warnings.append(f"class {class_type} is left out: {_reason(error)}")


def _publish(classes: Mapping[str, Any], titles: Mapping[str, str]) -> None:
    """Let other packs find these classes where they look for them."""
    nodes = sys.modules.get("nodes")
    if nodes is not None:
        nodes.NODE_CLASS_MAPPINGS.update(classes)
        nodes.NODE_DISPLAY_NAME_MAPPINGS.update(titles)
