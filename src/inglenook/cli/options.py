"""Makes the Settings out of options, environment and `.env`, and says clearly what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError as UnreadableSetting

from inglenook.errors import SettingsError
from inglenook.settings import SERVER_VARIABLES, Settings

_SECRET = ("api_key", "comfyui_servers", "database_url")
"""Settings whose value no message may show."""


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


def cache_settings(*, classic: bool, lru: int | None, none: bool, ram: str | None) -> dict[str, Any]:
    """The settings that ComfyUI's options for the cache stand for; none when none was given.

    ram: one or two numbers, "4" or "4,8". Raises SettingsError for two options at once, or for what is no number.
    """
    given = [
        name
        for name, is_given in (
            ("--cache-classic", classic),
            ("--cache-lru", lru is not None),
            ("--cache-none", none),
            ("--cache-ram", ram is not None),
        )
        if is_given
    ]
    if len(given) > 1:
        raise SettingsError(f"{' and '.join(given)} exclude each other: give one of them")
    if not given:
        return {}
    if lru is not None:
        return {"cache": "lru", "cache_lru_size": lru}
    if ram is None:
        return {"cache": "classic" if classic else "none"}
    try:
        numbers = [float(part) for part in ram.split(",")]
    except ValueError:
        raise SettingsError(f"--cache-ram takes one or two numbers of GB, not {ram!r}") from None
    if len(numbers) > 2:
        raise SettingsError(f"--cache-ram takes one or two numbers of GB, not {len(numbers)}")
    return {"cache": "ram", "cache_ram_gb": numbers[0], "cache_ram_unused_gb": numbers[-1]}


def _fault(entry: Mapping[str, Any]) -> str:
    name = str(entry["loc"][0]) if entry["loc"] else "settings"
    if name.upper() in SERVER_VARIABLES:
        name = "comfyui_servers"
    expected = str(entry["msg"]).removeprefix("Input ").removeprefix("Value error, ")
    if name in _SECRET:
        return f"{name} (INGLENOOK_{name.upper()}) cannot be used: {expected}"
    return f"{name} (INGLENOOK_{name.upper()}) is {entry['input']!r}, {expected}"
