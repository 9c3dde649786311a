"""Closed sets and small records that declarations of inputs use."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Literal


class FolderType(StrEnum):
    """The folders whose files clients name."""

    input = "input"
    output = "output"
    temp = "temp"


class UploadType(StrEnum):
    """Upload buttons of a list of files; the value is the option that the editor reads."""

    image = "image_upload"
    audio = "audio_upload"
    video = "video_upload"
    model = "file_upload"


class NumberDisplay(StrEnum):
    """How the editor shows a number."""

    number = "number"
    slider = "slider"
    knob = "knob"
    gradient_slider = "gradientslider"


class ControlAfterGenerate(StrEnum):
    """What the editor does with a value after each run."""

    fixed = "fixed"
    increment = "increment"
    decrement = "decrement"
    randomize = "randomize"


@dataclass
class RemoteOptions:
    """A list of choices that the editor fetches from a route."""

    route: str
    refresh_button: bool
    control_after_refresh: Literal["first", "last"] = "first"
    timeout: int | None = None
    """Milliseconds."""
    max_retries: int | None = None
    refresh: int | None = None
    """Milliseconds after which the list is fetched again."""

    def as_dict(self) -> dict[str, Any]:
        return without_none(
            {
                "route": self.route,
                "refresh_button": self.refresh_button,
                "control_after_refresh": self.control_after_refresh,
                "timeout": self.timeout,
                "max_retries": self.max_retries,
                "refresh": self.refresh,
            }
        )


def without_none(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were set."""
    return {key: value for key, value in options.items() if value is not None}


def value_of(member: Any) -> Any:
    """The value of an enum's member; anything else as it is."""
    return member.value if isinstance(member, Enum) else member
