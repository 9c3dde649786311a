"""Makes the Settings out of options, environment and `.env`, and says clearly what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError as UnreadableSetting

from inglenook.errors import SettingsError
from inglenook.settings import Settings


def make_settings(options: Mapping[str, Any]) -> Settings:
    """Return the settings; options that are None come from the environment, `.env` or the defaults.

    Raises SettingsError that names every setting with a fault, its value and what is expected.
    """
    try:
        return Settings(**options)
    except ValidationError as error:
        faults = "; ".join(_fault(entry) for entry in error.errors())
        raise SettingsError(f"cannot use these settings: {faults}") from error
    except UnreadableSetting as error:
        raise SettingsError(f"cannot read the settings: {error}") from error


def _fault(entry: Mapping[str, Any]) -> str:
    name = str(entry["loc"][0]) if entry["loc"] else "settings"
    expected = str(entry["msg"]).removeprefix("Input ").removeprefix("Value error, ")
    return f"{name} (INGLENOOK_{name.upper()}) is {entry['input']!r}, {expected}"
