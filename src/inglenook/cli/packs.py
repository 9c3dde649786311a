"""`inglenook packs`: which node packs there are, whether they can be imported, what they need."""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import typer

from inglenook.cli.options import make_settings
from inglenook.cli.pack_process import Checked, check_pack
from inglenook.errors import SettingsError
from inglenook.media.folders import Folders
from inglenook.packs.discovery import Pack, find_packs, folders_without_module
from inglenook.packs.report import PackReport
from inglenook.packs.requirements import Requirements, State, constraints, kept_versions, requirements_of, to_install

_MISSING = "missing requirements"
_ESCAPED = {code: f"\\x{code:02x}" for code in (*range(32), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


def list_packs(base_directory: Path | None, *, quick: bool, timeout_s: float) -> None:
    """Print a line for each pack of the `custom_nodes` folders; without `quick` each is imported."""
    settings = make_settings({"base_directory": base_directory})
    custom_nodes = Folders.from_settings(settings).model_folder("custom_nodes")
    folders = () if custom_nodes is None else custom_nodes.paths
    packs = find_packs(folders)
    if not packs:
        _say(f"there are no node packs in {', '.join(map(str, folders))}")
    for folder in folders_without_module(folders):
        _say(f"{folder.name} is no pack: it has no __init__.py", err=True)
    width = max((len(pack.name) for pack in packs), default=0)
    for pack in packs:
        parts = [] if quick else [_outcome(check_pack(pack, settings.base_directory, timeout_s).report)]
        _say("  ".join([pack.name.ljust(width), "; ".join([*parts, *_needs(pack)])]).rstrip())


def check(path: Path, base_directory: Path | None, *, timeout_s: float) -> None:
    """Import one pack and print what it brings. Exits with 1 when it cannot be imported."""
    pack = _pack_at(path)
    if base_directory is None and pack.path.parent.name == "custom_nodes":
        base_directory = pack.path.parent.parent
    settings = make_settings({"base_directory": base_directory})
    checked = check_pack(pack, settings.base_directory, timeout_s)
    if checked.report.error is not None:
        _tell_failure(pack, checked)
        raise typer.Exit(1)
    report = checked.report
    _say(f"{pack.name}: {_outcome(report)}")
    for name in report.classes:
        _say(f"  {name}")
    if report.web_directory is not None:
        _say(f"scripts for the editor: {report.web_directory}")
    for line in [*(f"warning: {warning}" for warning in report.warnings), *_needs(pack)]:
        _say(line)


def install(path: Path, *, yes: bool) -> None:
    """Have pip install what a pack needs and is not there; asks first. What inglenook needs stays as it is."""
    pack = _pack_at(path)
    needed = requirements_of(pack.path)
    lines = to_install(needed)
    _tell_plan(pack, needed, lines)
    if not lines:
        return
    if importlib.util.find_spec("pip") is None:
        raise SettingsError(
            f"there is no pip for {sys.executable}: add it with `{Path(sys.executable).name} -m ensurepip`,"
            f" or install these with the tool that made this environment"
        )
    if not yes and not typer.confirm(f"Install into {sys.prefix}?"):
        raise typer.Exit(1)
    _run_pip(pack, lines)


# Packs


def _pack_at(path: Path) -> Pack:
    """Raises SettingsError for what is no pack."""
    absolute = path.expanduser().absolute()
    if absolute.name == "__init__.py":
        absolute = absolute.parent
    if absolute.is_dir() and not (absolute / "__init__.py").is_file():
        raise SettingsError(f"{path} is no node pack: it has no __init__.py")
    if not absolute.is_dir() and (absolute.suffix != ".py" or not absolute.is_file()):
        raise SettingsError(f"{path} is no node pack: give a folder with an __init__.py, or a .py file")
    return Pack.at(absolute)


def _outcome(report: PackReport) -> str:
    if report.error is not None:
        return f"cannot be imported: {report.error}"
    count = len(report.classes)
    parts = [f"{count} node class{'' if count == 1 else 'es'}", f"imported in {report.import_seconds:.2f} s"]
    if report.warnings:
        parts.append(f"{len(report.warnings)} warning{'' if len(report.warnings) == 1 else 's'}")
    return ", ".join(parts)


def _needs(pack: Pack) -> list[str]:
    """What is to be said of a pack's requirements."""
    try:
        needed = requirements_of(pack.path)
    except SettingsError as error:
        return [f"requirements cannot be read: {error}"]
    said = [f"{_MISSING}: {', '.join(needed.missing)}"] if needed.missing else []
    return [*said, _kept(needed)] if needed.having(State.KEPT) else said


def _kept(needed: Requirements) -> str:
    entries = (f"{entry.line} (installed: {entry.installed})" for entry in needed.having(State.KEPT))
    return f"not met, as inglenook keeps its own: {', '.join(entries)}"


def _tell_failure(pack: Pack, checked: Checked) -> None:
    output = checked.output.strip()
    if output:
        _say(f"{pack.name} printed:\n{output}", err=True)
    if checked.report.traceback:
        _say("Traceback (most recent call last):\n" + "".join(checked.report.traceback).rstrip(), err=True)
    for line in _needs(pack):
        _say(line, err=True)
        if line.startswith(_MISSING):
            _say(f"get them with: inglenook packs install {shlex.quote(str(pack.path))}", err=True)
    _say(f"inglenook: {pack.name} cannot be imported: {checked.report.error}", err=True)


# Requirements


def _tell_plan(pack: Pack, needed: Requirements, lines: list[str]) -> None:
    if needed.source is None:
        _say(f"nothing to install: {pack.name} has neither requirements.txt nor pyproject.toml")
    elif not lines:
        _say(f"nothing to install: what {needed.source.name} of {pack.name} names is there")
    else:
        assert needed.source is not None
        _say(f"{pack.name} needs, as its {needed.source.name} says:")
        for line in lines:
            _say(f"  {line}")
    if needed.having(State.KEPT):
        _say(_kept(needed))
    if (pack.path / "install.py").is_file():
        _say("the pack has an install.py too, which is not run")


def _run_pip(pack: Pack, lines: list[str]) -> None:
    """Raises SettingsError when pip fails."""
    with tempfile.TemporaryDirectory(prefix="inglenook-install-") as folder:
        wanted, kept = Path(folder, "requirements.txt"), Path(folder, "constraints.txt")
        wanted.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        kept.write_text(constraints(), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "-r", str(wanted)]
        done = subprocess.run([*command, "-c", str(kept)], cwd=pack.path, check=False)
    if done.returncode != 0:
        raise SettingsError(
            f"pip ended with exit code {done.returncode}, see above; these stay as they are, and a pack that insists on"
            f" others cannot be installed: {', '.join(kept_versions())}"
        )


def _say(text: str, *, err: bool = False) -> None:
    """Print what a pack may have written; it does not get at the terminal."""
    typer.echo(text.translate(_ESCAPED), err=err)
