"""One value of a workflow that a user can set, and what is wrong with values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from inglenook.errors import WorkflowError

ADVANCED = "advanced"

GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "positive_prompt": "prompt",
        "negative_prompt": "prompt",
        "prompt": "prompt",
        "tts_text": "prompt",
        "lyrics": "prompt",
        "seed": "sampling",
        "steps": "sampling",
        "cfg": "sampling",
        "guidance": "sampling",
        "sampler": "sampling",
        "scheduler": "sampling",
        "denoise": "sampling",
        "width": "size",
        "height": "size",
        "batch_size": "size",
        "length": "time",
        "frame_rate": "time",
        "checkpoint": "model",
        "diffusion_model": "model",
        "lora": "model",
        "lora_strength": "model",
        "lora_clip_strength": "model",
        "image": "media",
        "mask": "media",
        "audio": "media",
        "video": "media",
        "file": "media",
        "input": "input",
        "output_prefix": "output",
        ADVANCED: ADVANCED,
    }
)
"""Every role and the group that it is shown in."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """An input of a node that takes a constant."""

    key: str
    """`6.text`: id of the node and name of its input."""
    name: str
    """Readable and unique in the workflow."""
    role: str
    """One of `GROUPS`."""
    type: str
    """string, integer, number, boolean, choice; image, mask, audio, video or file: the name of a file."""
    default: Any
    """The value in the workflow; None where it has none and the class gives none."""
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    options: tuple[Any, ...] | None = None
    """Of a choice; None where they are not known."""
    multiline: bool = False
    media: str | None = None
    """image, audio, video or file, where the value names a file."""
    group: str = ADVANCED
    title: str = ""
    """Of the node."""
    required: bool = False
    """The workflow has no value for it."""
    description: str = ""
    node_id: str = ""
    input_name: str = ""

    def to_json(self) -> dict[str, Any]:
        document = asdict(self)
        document["options"] = None if self.options is None else list(self.options)
        return document


class ParameterError(WorkflowError):
    """Values that do not fit the parameters of a workflow."""

    def __init__(self, problems: Sequence[Mapping[str, Any]]) -> None:
        self.problems = [dict(problem) for problem in problems]
        """`{"parameter": as it was addressed, "message", "choices": what it can be instead}`."""
        super().__init__("; ".join(str(problem["message"]) for problem in self.problems[:5]))


def parameter_problem(parameter: str, message: str, choices: Sequence[Any] = ()) -> dict[str, Any]:
    return {"parameter": parameter, "message": message, "choices": list(choices)}
