"""docs/settings.md says of every setting what the code says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from inglenook.cli.commands import app
from inglenook.settings import Settings

ROWS = {
    name: cells
    for name, *cells in re.findall(
        r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.*) \|$",
        (Path(__file__).parents[2] / "docs" / "settings.md").read_text(),
        re.MULTILINE,
    )
}


def shown_default(value: Any) -> str:
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def test_every_setting_has_a_row_and_every_row_a_setting() -> None:
    assert set(ROWS) == set(Settings.model_fields)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_rows_say_default_and_meaning(name: str) -> None:
    field = Settings.model_fields[name]
    assert ROWS[name][1:] == [shown_default(field.default), field.description]


def test_the_options_in_the_table_are_those_of_serve() -> None:
    command: Any = typer.main.get_command(app)
    parameters = command.commands["serve"].params
    options = {option for parameter in parameters for option in parameter.opts} - {"--help", "-h", "--job-timeout"}
    assert {option for cells in ROWS.values() for option in re.findall(r"`(--[\w-]+)`", cells[0])} == options
