"""`inglenook keys`: beside a running server, which follows the file, or without one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
import typer

from inglenook.api.access.keyfile import KeyFile
from inglenook.api.access.keyring import described, read_uses
from inglenook.api.access.scopes import Scope
from inglenook.cli.options import make_settings
from inglenook.errors import SettingsError


def add_key(name: str, scope: str, user: str | None, options: Mapping[str, Any]) -> None:
    """Make a key and print it. Raises SettingsError, KeyFileError."""
    labels = [known.label for known in Scope]
    if scope not in labels:
        raise SettingsError(f"--scope is {scope!r}, but must be one of {', '.join(labels)}")
    file = _file(options)
    key, text = file.add(name, Scope.of(scope), user)
    typer.echo(text)
    typer.echo(f"key {key.id} ({name}, scope {scope}): keep it, it is not shown again", err=True)
    if len(file.read()) == 1:
        typer.echo("it is the first: from now on every caller needs one, on this machine too", err=True)


def list_keys(options: Mapping[str, Any], *, as_json: bool) -> None:
    """Print every key of the file, revoked ones too. Raises KeyFileError."""
    file = _file(options)
    uses = read_uses(file.path.parent)
    entries = [described(key, uses.get(key.id)) for key in file.read()]
    if as_json:
        typer.echo(orjson.dumps({"keys": entries}, option=orjson.OPT_INDENT_2))
        return
    if not entries:
        typer.echo(f"there are no keys in {file.path}", err=True)
        return
    rows = [("ID", "NAME", "SCOPE", "USER", "CREATED", "LAST USED", "STATE")]
    rows += [
        (
            entry["id"],
            entry["name"],
            entry["scope"],
            entry["user"] or "-",
            _day(entry["created"]),
            _day(entry["last_used"]),
            "live" if entry["revoked"] is None else f"revoked {_day(entry['revoked'])}",
        )
        for entry in entries
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def revoke_key(id_or_name: str, options: Mapping[str, Any]) -> None:
    """End a key. Raises KeyFileError when there is none."""
    for key in _file(options).revoke(id_or_name):
        typer.echo(f"revoked {key.id} ({key.name})")


def _file(options: Mapping[str, Any]) -> KeyFile:
    return KeyFile(make_settings(options).data_folder)


def _day(moment: str | None) -> str:
    return "never" if moment is None else datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%M")
