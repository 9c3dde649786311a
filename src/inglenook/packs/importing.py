"""Imports node packs: their modules, then their node classes as the engine runs them. Runs the packs' code.

A pack is imported as `custom_nodes.<name>`, so that packs with hyphens in their names have relative imports and other
packs can name it. Whatever goes wrong stays with the pack: it is left out, with the reason in its report.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
import time
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from inglenook.engine.implementation import NodeImplementation
from inglenook.engine.values import well_formed
from inglenook.packs import import_errors, surface_finder
from inglenook.packs.discovery import Pack
from inglenook.packs.exports import read_exports
from inglenook.packs.host import Host, set_host
from inglenook.packs.prestartup import run_prestartup_scripts
from inglenook.packs.report import PackReport

logger = logging.getLogger(__name__)

NAMESPACE = "custom_nodes"


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
        exports = read_exports(module, f"{NAMESPACE}.{well_formed(pack.name)}")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: a pack that wants to end the process is left out
        _forget(name)
        reason, traceback = import_errors.reason(error), import_errors.traceback(error)
        seconds = time.monotonic() - started
        lines = [reason, *traceback, *import_errors.hints(error, pack)]
        logger.error("pack %s cannot be imported: %s", pack.name, "\n".join(line.rstrip() for line in lines))
        return ImportedPack(PackReport(pack.name, _shown_path(pack), [], seconds, reason, traceback))
    seconds = time.monotonic() - started
    count = len(exports.implementations)
    classes = f"{count} node class{'' if count == 1 else 'es'}"
    logger.info("pack %s: %s, imported in %.2f s", pack.name, classes, seconds)
    for warning in exports.warnings:
        logger.warning("pack %s: %s", pack.name, warning)
    more_web = dict(_added_web_directories().items() - web_directories_before.items())
    report = PackReport(
        name=pack.name,
        path=_shown_path(pack),
        classes=sorted(exports.implementations),
        import_seconds=seconds,
        warnings=exports.warnings,
        web_directory=web,
        more_web_directories=more_web,
    )
    return ImportedPack(report, exports.implementations)


def _shown_path(pack: Pack) -> str:
    return well_formed(str(pack.path))


def module_name(pack: Pack) -> str:
    """The name under which a pack is imported; a dot would make it a module of another one."""
    return f"{NAMESPACE}.{pack.name.replace('.', '_x_')}"


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
