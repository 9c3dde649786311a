"""Imports one node pack in a process of its own, as a server would: `python -m inglenook.packs.check PACK`.

What became of it is written as JSON (`packs.report.PackReport`) to standard output, or to the file that `--report`
names, because the pack may print too. `cli/pack_process.py` starts it; a pack that ends the process leaves no report.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from inglenook.media.folders import Folders
from inglenook.packs import importing
from inglenook.packs.discovery import Pack
from inglenook.packs.host import Host
from inglenook.packs.importing import import_pack, prepare_process
from inglenook.packs.report import PackReport
from inglenook.packs.side_loop import SideLoop
from inglenook.settings import Settings


def main(arguments: Sequence[str]) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m inglenook.packs.check", description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--base-directory", type=Path)
    parser.add_argument("--report", type=Path)
    given = parser.parse_args(arguments)
    logging.getLogger(importing.__name__).setLevel(logging.CRITICAL)  # what it tells is in the report
    faulthandler.enable(all_threads=False)
    _write(check(given.pack.absolute(), Settings(base_directory=given.base_directory)), given.report)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the pack may have put something else in its place
            stream.flush()
    os._exit(0)  # threads of the pack do not keep it


def check(path: Path, settings: Settings) -> PackReport:
    """Set this process up as a device process is, and import the pack."""
    _prepare(settings, path)
    return import_pack(Pack.at(path)).report


def _prepare(settings: Settings, path: Path) -> None:
    import torch

    from inglenook.models.memory import ModelStore
    from inglenook.nodes.environment import Environment, install

    torch.set_grad_enabled(False)
    device = torch.device("cuda" if torch.cuda.is_available() and not settings.cpu else "cpu")
    folders = Folders.from_settings(settings)
    install(Environment(folders=folders, models=ModelStore(device)))
    custom_nodes = folders.model_folder("custom_nodes")
    prepare_process(
        Host(base=settings.base_directory, settings=settings, loop=SideLoop().start().loop),
        [path.parent, *(() if custom_nodes is None else custom_nodes.paths)],
    )


def _write(report: PackReport, file: Path | None) -> None:
    data = msgspec.json.encode(report)
    if file is None:
        sys.__stdout__.buffer.write(data + b"\n")  # type: ignore[union-attr]
    else:
        file.write_bytes(data)


if __name__ == "__main__":
    main(sys.argv[1:])
