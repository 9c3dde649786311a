"""docs/settings.md says of every setting what the code says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from inglenook.cli.comfyui_flags import IGNORED
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


NO_SETTINGS = {"--help", "-h", "--job-timeout", "--quick-test-for-ci"}
TEXT = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()


def test_the_options_in_the_table_are_those_of_serve() -> None:
    command: Any = typer.main.get_command(app)
    parameters = [parameter for parameter in command.commands["serve"].params if not parameter.hidden]
    options = {option for parameter in parameters for option in parameter.opts} - NO_SETTINGS
    assert {option for cells in ROWS.values() for option in re.findall(r"`(--[\w-]+)`", cells[0])} == options


def test_options_that_change_nothing_are_listed() -> None:
    listed = TEXT.split("These change nothing")[1]
    assert set(re.findall(r"`(--[\w-]+)`", listed)) == set(IGNORED)
