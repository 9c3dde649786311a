"""What a remote server says of its devices and versions, in the types of this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inglenook.workers.messages import Device

_MOST_DEVICES = 64
_LONGEST_TEXT = 200
_VERSIONS = ("comfyui_version", "inglenook_version", "python_version", "pytorch_version")


def read_devices(stats: Mapping[str, Any]) -> Sequence[Device]:
    """The devices in an answer to `/system_stats`; what is not understood is 0 or empty."""
    found = stats.get("devices")
    devices = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
    return [
        Device(
            name=_text(item.get("name")),
            type=_text(item.get("type")),
            index=item["index"] if type(item.get("index")) is int else None,
            vram_total=_size(item.get("vram_total")),
            vram_free=_size(item.get("vram_free")),
            torch_vram_total=_size(item.get("torch_vram_total")),
            torch_vram_free=_size(item.get("torch_vram_free")),
        )
        for item in devices[:_MOST_DEVICES]
    ]


def read_versions(stats: Mapping[str, Any]) -> Mapping[str, str]:
    """The versions in an answer to `/system_stats`."""
    system = stats.get("system")
    system = system if isinstance(system, dict) else {}
    return {name: _text(system[name]) for name in _VERSIONS if isinstance(system.get(name), str)}


def _text(value: Any) -> str:
    return value[:_LONGEST_TEXT] if isinstance(value, str) else ""


def _size(value: Any) -> int:
    return int(value) if isinstance(value, (int, float)) and 0 <= value < 1 << 62 else 0
